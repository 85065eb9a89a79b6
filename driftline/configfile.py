"""YAML files as data that knows its lines, so that every mistake can be shown where it stands."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from driftline.errors import ConfigError, Problem

MAX_BYTES = 4 * 1024 * 1024

Loc = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """Refuses a key given twice, where YAML would silently take the last."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, str | int | bool | float | None) and key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} stands here twice", key_node.start_mark
            )
        seen.add(key if isinstance(key, str | int | bool | float | None) else repr(key))
    loader.flatten_mapping(node)
    return {
        loader.construct_object(k, deep=True): loader.construct_object(v, deep=True) for k, v in node.value
    }


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


class YamlFile:
    """A parsed YAML file.

    Raises
    ------
    ConfigError
        If it cannot be read, is no YAML, or holds no mapping.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        text = _read(path)
        try:
            self.data: Any = yaml.load(text, Loader=_Loader)  # a SafeLoader
            self._root = yaml.compose(text, Loader=_Loader)
        except yaml.YAMLError as error:
            raise ConfigError([_yaml_problem(path, error)]) from error
        if not isinstance(self.data, Mapping):
            found = "nothing" if self.data is None else type(self.data).__name__
            raise ConfigError([Problem(path, 1, "", f"expected a mapping of keys, found {found}")])

    def line(self, loc: Loc) -> int:
        """Return the line of a place, or of the nearest place around it."""
        node, line = self._root, 1
        for step in loc:
            found = _step(node, step)
            if found is None:
                break
            line, node = found
        return line

    def problems(self, error: ValidationError) -> list[Problem]:
        """Return a validation error's problems, each with its line."""
        return [
            Problem(self.path, self.line(one["loc"]), _place(one["loc"]), _message(one))
            for one in error.errors()
        ]


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(
                [Problem(path, None, "", f"larger than {MAX_BYTES:,} bytes; is it a config file?")]
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([Problem(path, None, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            [Problem(path, None, "", f"byte {error.start} is not UTF-8; save it as UTF-8")]
        ) from error


def _yaml_problem(path: Path, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    message = getattr(error, "problem", None) or str(error)
    return Problem(path, mark.line + 1 if mark else None, "", f"not YAML: {message}")


def _step(node: Any, step: str | int) -> tuple[int, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


def _place(loc: Loc) -> str:
    return ".".join(str(step) for step in loc if step != "[key]")


def _message(one: Any) -> str:
    message = str(one["msg"]).removeprefix("Value error, ")
    if one["type"] == "extra_forbidden":
        return "no such key; check its spelling"
    if one["type"] in ("missing", "value_error") or one.get("input") is None:
        return message
    return f"{message}, found {str(one['input'])[:60]!r}"
