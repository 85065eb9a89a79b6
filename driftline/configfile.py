"""YAML files as data that knows its lines, so that every mistake can be shown where it stands."""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from driftline.errors import ConfigError, Problem
from driftline.mistakes import Loc, sentence

MAX_BYTES = 1024 * 1024
#: Values a file may hold once its anchors are written out.
MAX_VALUES = 200_000

_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """Notes every refusal with its line; a key given twice is one, where YAML would silently take the last."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.refusals: list[yaml.YAMLError] = []

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError) as error:
            self.refusals.append(_refusal(f"{str(node.value)[:40]!r} cannot be read ({error})", node))
            # It stands for itself from here on: a key is asked for twice, and refused once.
            self.recursive_objects.pop(node, None)
            self.constructed_objects[node] = node.value
            return node.value


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == _MERGE:
            continue
        if not isinstance(key_node, yaml.ScalarNode):
            raise _refusal("a key must be one word or text, not a list or mapping", key_node)
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            loader.refusals.append(_refusal(f"key {key!r} stands here twice; keep one", key_node))
        seen.add(key)
    loader.flatten_mapping(node)
    return {
        loader.construct_object(k, deep=True): loader.construct_object(v, deep=True) for k, v in node.value
    }


def _refusal(message: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, message, node.start_mark)


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
        self._root: yaml.Node | None = None
        try:
            self.data: Any = self._load(read_text(path))
        except RecursionError as error:
            message = "nested too deeply; is it a config file?"
            raise ConfigError([Problem(path, None, "", message)]) from error
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

    def problems(
        self, error: ValidationError, known_keys: Callable[[Loc], Collection[str]] = lambda _: ()
    ) -> list[Problem]:
        """Return a validation error's problems, each with its line, in order of lines.

        Parameters
        ----------
        known_keys
            Tells the keys there are where one stands that is none.
        """
        found = error.errors()
        places = [one["loc"] for one in found]
        problems: list[Problem] = []
        for one in found:
            loc, within = one["loc"], (one.get("ctx") or {}).get("within", ())
            for line, message in within:
                problems.append(Problem(self.path, self.line_within(loc, line), _place(loc), message))
            if not within and not (one["type"] == "too_short" and _is_around(loc, places)):
                told = sentence(one, known_keys(loc))
                problems.append(Problem(self.path, self.line(loc), _place(loc), told))
        return sorted(problems, key=lambda problem: problem.line or 0)

    def problem(self, loc: Loc, message: str) -> Problem:
        """Return what is wrong at a place, with its line."""
        return Problem(self.path, self.line(loc), _place(loc), message)

    def line_within(self, loc: Loc, line: int) -> int:
        """Return the file's line of a line (from 1) of the text at a place: exact where that is a ``|`` block."""
        node: Any = self._root
        for step in loc:
            found = _step(node, step)
            if found is None:
                return self.line(loc)
            node = found[1]
        is_block = isinstance(node, yaml.ScalarNode) and node.style == "|"
        return node.start_mark.line + 1 + line if is_block else self.line(loc)

    def _load(self, text: str) -> Any:
        data, refusals = self._construct(text)
        problems = [_yaml_problem(self.path, refusal) for refusal in refusals]
        if problems:
            raise ConfigError(sorted(problems, key=lambda problem: problem.line or 0)) from refusals[0]
        return data

    def _construct(self, text: str) -> tuple[Any, list[yaml.YAMLError]]:
        """Return what a text holds, and all that is wrong with it as YAML."""
        try:
            loader = _Loader(text)
        except yaml.YAMLError as error:
            return None, [error]
        try:
            self._root = loader.get_single_node()
            if self._root is None:
                return None, []
            if _size(self._root, {}) > MAX_VALUES:
                raise _refusal(f"anchors write out to more than {MAX_VALUES:,} values", self._root)
            return loader.construct_document(self._root), loader.refusals
        except yaml.YAMLError as error:
            return None, [*loader.refusals, error]
        finally:
            loader.dispose()


def yaml_text(text: str) -> str:
    """Return text as a YAML scalar, quoted where it must be.

    Examples
    --------
    >>> yaml_text("churn"), yaml_text("a: b"), yaml_text("no")
    ('churn', '"a: b"', '"no"')
    """
    is_plain = re.fullmatch(r"[A-Za-z][\w./-]*", text) and yaml.safe_load(text) == text
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def read_text(path: Path) -> str:
    """Return a config file's text.

    Raises
    ------
    ConfigError
        If it cannot be read, is too large, or is not UTF-8.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(
                [Problem(path, None, "", f"larger than {MAX_BYTES:,} bytes; is it a config file?")]
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([Problem(path, None, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            [Problem(path, line, "", f"byte {error.start} is not UTF-8; save it as UTF-8")]
        ) from error


def _size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Return how many values a node holds with its aliases written out, each node looked at once."""
    if id(node) in sizes:
        if sizes[id(node)] < 0:
            raise _refusal("an anchor holds itself; write it out", node)
        return sizes[id(node)]
    sizes[id(node)] = -1
    children: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        children = node.value
    elif isinstance(node, yaml.MappingNode):
        children = [child for pair in node.value for child in pair]
    sizes[id(node)] = 1 + sum(_size(child, sizes) for child in children)
    return sizes[id(node)]


def _yaml_problem(path: Path, error: yaml.YAMLError) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        return Problem(path, None, "", f"not YAML: character #x{error.character:04x}: {error.reason}")
    mark = getattr(error, "problem_mark", None)
    message = ", ".join(
        part for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part
    )
    if r"'\t'" in message:
        message += "; indent with spaces"
    return Problem(path, mark.line + 1 if mark else None, "", f"not YAML: {message or error}")


def _step(node: Any, step: str | int) -> tuple[int, Any] | None:
    if isinstance(node, yaml.MappingNode):
        # What an anchor brings stands first, and the mapping's own keys win.
        for key, value in reversed(node.value):
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


def _is_around(place: Loc, others: Sequence[Loc]) -> bool:
    """Return whether a place has others within: pydantic counts items with mistakes as missing."""
    return any(len(other) > len(place) and other[: len(place)] == place for other in others)


def _place(loc: Loc) -> str:
    return ".".join(str(step) for step in loc if step != "[key]")
