"""``docs/reference.md``, written from the code: ``python -m driftline.reference_docs``."""

import inspect
import re
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import typer
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from alerts import duration
from alerts.config import Global, Receiver
from detectors.registry import DETECTORS
from driftline.cli import EXIT_CODES, app
from driftline.settings import Settings, variable
from streams import views
from streams.detector_settings import DetectorSettings
from streams.metrics import Metrics
from streams.monitor import Monitor
from streams.topics import Topic, Topics

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"
_SHARED = {"help", "install_completion", "show_completion"}


def reference() -> str:
    """Return the page."""
    parts: list[str] = [
        "# Reference",
        "Written from the code by `make docs`; edit there, not here.",
        "## Commands",
        EXIT_CODES,
        *_commands(),
        "## Settings",
        "Environment variables. An empty one counts as not set.",
        _settings(),
        "## Monitor file",
        "One YAML file a model. Durations are written as 10s, 5m, 1h, 7d.",
        *_models(Monitor, ""),
        "## Receivers",
        "In the alerting file, what `global` and `receivers` may hold. Examples: [receivers.md](receivers.md).",
        *_receivers(),
        "## Detectors",
        *_detectors(),
        "## Metrics",
        _table(("name", "type", "labels", "meaning"), _metrics()),
        "## Topics",
        "With the prefix `driftline`; DRIFTLINE_TOPIC_PREFIX names another.",
        _table(("topic", "partitions", "cleanup", "kept", "time", "what"), _topics()),
        "## Redis keys",
        "A projection for pages and scripts; the topics are the record.",
        _table(("key", "type", "value"), _keys()),
    ]
    return "\n\n".join(parts) + "\n"


def _commands() -> Iterator[str]:
    root: Any = typer.main.get_command(app)
    for path, command in _leaves(root, ()):
        yield f"### driftline {' '.join(path)}"
        yield from _paragraphs(command.help or "")
        rows = [_parameter(one) for one in command.params if one.name not in _SHARED]
        if rows:
            yield _table(("argument", "default", "meaning"), rows)


def _leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    if path and command.invoke_without_command:
        yield path, command
    for name, inner in command.commands.items():
        yield from _leaves(inner, (*path, name))


def commands() -> list[str]:
    """Return every command as it is typed, without `driftline`.

    Examples
    --------
    >>> "dead-letter requeue" in commands()
    True
    """
    return [" ".join(path) for path, _ in _leaves(typer.main.get_command(app), ())]


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        words = " ".join(paragraph.split())
        example = words.removeprefix("Example: ")
        yield words if example == words else f"```sh\n{example}\n```"


def _parameter(one: Any) -> tuple[str, str, str]:
    is_argument = one.param_type_name == "argument"
    name = one.metavar or one.name.upper() if is_argument else ", ".join(one.opts)
    default = "" if one.default in (None, "", False) or callable(one.default) else str(one.default)
    return f"`{name}`", "required" if one.required else default, one.help or ""


def _settings() -> str:
    return _table(
        ("variable", "default", "meaning"),
        [
            (f"`{variable(name)}`", _default(field), field.description or "")
            for name, field in Settings.model_fields.items()
        ],
    )


def _models(model: type[BaseModel], key: str, beside: Sequence[str] = ()) -> Iterator[str]:
    """Yield a table of a model's keys, then those of the models within it; alike ones once, with all names."""
    if key:
        yield f"### {', '.join(f'`{one}`' for one in (key, *beside))}"
        yield " ".join((inspect.getdoc(model) or "").split()).replace("``", "`")
    yield _table(("key", "type", "default", "meaning"), [_key(*one) for one in _fields(model)])
    within: dict[type[BaseModel], list[str]] = {}
    for name, field in _fields(model):
        for inner, is_named in _inner(field.annotation, is_named=False):
            within.setdefault(inner, []).append(name + (".<name>" if is_named else ""))
    for inner, (first, *others) in within.items():
        yield from _models(inner, f"{key}.{first}".strip("."), others)


def _receivers() -> Iterator[str]:
    yield from _models(Global, "global")
    for name, field in Receiver.model_fields.items():
        for inner, _ in _inner(field.annotation, is_named=False):
            yield from _models(inner, name)


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        # In the file a detector's parameters stand beside the other keys. What is always None is refused.
        if not (model is DetectorSettings and name == "params") and field.annotation is not types.NoneType:
            yield field.alias or name, field


def _key(name: str, field: FieldInfo) -> tuple[str, str, str, str]:
    kind = "duration" if _is_duration(field) else _kind(field.annotation)
    return f"`{name}`", kind, "required" if field.is_required() else _default(field), field.description or ""


def _is_duration(field: FieldInfo) -> bool:
    inner = (one for kind in typing.get_args(field.annotation) for one in getattr(kind, "__metadata__", ()))
    return any(
        getattr(getattr(one, "func", None), "__module__", "") == duration.__name__
        for one in (*field.metadata, *inner)
    )


def _inner(annotation: Any, *, is_named: bool) -> Iterator[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and not typing.get_origin(annotation):
        if issubclass(annotation, BaseModel):
            yield annotation, is_named
        return
    is_mapping = typing.get_origin(annotation) is dict
    for one in typing.get_args(annotation):
        yield from _inner(one, is_named=is_named or is_mapping)


def _kind(annotation: Any) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_kind(one) for one in inner if one is not types.NoneType))
    if origin is dict:
        return f"names, each with: {_kind(inner[1])}"
    if origin in (tuple, list):
        return f"list of {_kind(inner[0])}"
    if origin is typing.Annotated:
        return _kind(inner[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping, see below"
    names = {
        str: "text",
        int: "integer",
        float: "number",
        bool: "true or false",
        Any: "anything",
        SecretStr: "secret",
    }
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)).lower())


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined or value is None or value in ("", (), {}):
        return ""
    if isinstance(value, BaseModel):
        given = value.model_dump(exclude_defaults=True)
        kinds = type(value).model_fields
        return ", ".join(f"{name}: {_written(kinds[name], one)}" for name, one in given.items())
    return f"`{_written(field, value)}`"


def _written(field: FieldInfo, value: Any) -> str:
    """Return a value as a file has it."""
    if isinstance(value, int) and _is_duration(field):
        return duration.format(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _detectors() -> Iterator[str]:
    for name, detector in DETECTORS.items():
        yield f"### {name}"
        yield " ".join((inspect.getdoc(detector) or "").partition("\n\n")[0].split())
        judged = ", ".join(sorted(detector.targets))
        state = "on" if detector.default else "off"
        covers = f" Its alert covers {', '.join(sorted(detector.also))}." if detector.also else ""
        yield (
            f"Alert kind {detector.kind}, severity {detector.severity}, judges {judged}; {state} by default."
            f"{covers}"
        )
        yield _table(
            ("parameter", "default", "meaning"),
            [
                (f"`{field}`", _default(info) or "none", info.description or "")
                for field, info in detector.params_class.model_fields.items()
            ],
        )


def _metrics() -> list[tuple[str, ...]]:
    return [
        (f"`{row.name}`", row.kind, ", ".join(row.labels), row.description)
        for row in Metrics(CollectorRegistry()).table
    ]


def _topics() -> list[tuple[str, ...]]:
    topics = Topics()
    found: list[tuple[str, ...]] = []
    for topic in topics.all():
        attribute = topic.name.removeprefix(f"{topics.prefix}.").replace("-", "_")
        what = inspect.getdoc(getattr(Topics, attribute)) or ""
        partitions = "DRIFTLINE_PARTITIONS" if topic.partitions is None else str(topic.partitions)
        found.append((f"`{topic.name}`", partitions, topic.cleanup, _kept(topic), topic.clock, what))
    return found


def _kept(topic: Topic) -> str:
    return "for ever" if topic.retention_ms is None else duration.format(topic.retention_ms)


def _keys() -> list[tuple[str, ...]]:
    lines = re.findall(r"(?m)^``(\S+)``\s+([A-Z]+)\s+(.+)$", views.__doc__ or "")
    return [(f"`{key}`", kind, value.replace("``", "`")) for key, kind, value in lines]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["-" * len(name) for name in header], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
