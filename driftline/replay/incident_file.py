"""Files of marked incidents, YAML or CSV, validated with file, line and remedy."""

import csv
import io
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from driftline.configfile import YamlFile, read_text
from driftline.errors import ConfigError, Problem
from driftline.mistakes import keys_beside, nearest, sentence
from driftline.replay.matching import Incident
from streams.events import MAX_NAME_LENGTH
from streams.monitor import Monitor
from streams.stages.fleet import Watched

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXAMPLE = "2026-11-03T10:00:00Z"
#: Separates the features of an incident in a CSV.
SEPARATOR = ";"


def _time_ms(value: Any) -> int:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise ValueError(f"{value[:40]!r} is no time; write one such as {_EXAMPLE}") from error
    if not isinstance(value, datetime):
        kind = "a date alone" if isinstance(value, date) else f"{str(value)[:40]!r}"
        raise ValueError(f"{kind} is no time; write one such as {_EXAMPLE}")
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone; write {value.isoformat()}Z if it is UTC")
    return (value - _EPOCH) // timedelta(milliseconds=1)


_TimeMs = Annotated[int, BeforeValidator(_time_ms)]
_Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name
    model: _Name
    start: _TimeMs
    end: _TimeMs
    features: tuple[_Name, ...] = ()

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "_Row":
        if self.end <= self.start:
            raise ValueError("end must be after start; swap them, or mend one")
        return self


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    incidents: tuple[_Row, ...] = Field(max_length=10_000)


def load_incidents(path: Path, watched: Mapping[str, Watched]) -> dict[Incident, int]:
    """Return a file's incidents, each with its line.

    Parameters
    ----------
    path
        ``.csv`` with columns name, model, start, end and perhaps features (separated by ``;``); or YAML,
        a list ``incidents`` of the same keys.
    watched
        The monitors, by model; incidents of others are mistakes.

    Raises
    ------
    ConfigError
        With every problem of the file.
    """
    rows = _from_csv(path) if path.suffix.lower() == ".csv" else _from_yaml(path)
    if not rows:
        message = "holds no incident; write one with name, model, start and end, or leave --incidents out"
        raise ConfigError([Problem(path, None, "", message)])
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        if row.name in lines:
            message = f"{row.name!r} stands in line {lines[row.name]} already; rename one"
            problems.append(Problem(path, line, "name", message))
        lines.setdefault(row.name, line)
        problems += [Problem(path, line, where, message) for where, message in _unknown(row, watched)]
    if problems:
        raise ConfigError(problems)
    return {
        Incident(row.name, row.model, row.start, row.end, frozenset(row.features)): line for line, row in rows
    }


def _from_yaml(path: Path) -> list[tuple[int, _Row]]:
    file = YamlFile(path)
    try:
        rows = _File.model_validate(file.data).incidents
    except ValidationError as error:
        schema = _File.model_json_schema()
        raise ConfigError(file.problems(error, lambda place: keys_beside(schema, place))) from error
    return [(file.line(("incidents", position)), row) for position, row in enumerate(rows)]


def _from_csv(path: Path) -> list[tuple[int, _Row]]:
    reader = csv.DictReader(io.StringIO(read_text(path).removeprefix("\ufeff")), skipinitialspace=True)
    found: list[tuple[int, _Row]] = []
    problems: list[Problem] = []
    try:
        for cells in reader:
            try:
                found.append((reader.line_num, _Row.model_validate(_values(cells))))
            except ValidationError as error:
                problems += [
                    Problem(
                        path, reader.line_num, ".".join(map(str, one["loc"])),
                        sentence(one, _Row.model_fields),
                    )
                    for one in error.errors()
                ]  # fmt: skip
    except csv.Error as error:
        raise ConfigError(
            [Problem(path, reader.line_num, "", f"not CSV: {error}; quote the text")]
        ) from error
    if problems:
        raise ConfigError(problems)
    return found


def _values(cells: Mapping[str | None, Any]) -> dict[str, Any]:
    """Return a row's cells by column; empty ones count as absent, cells beyond the columns as a mistake."""
    values: dict[str, Any] = {
        str(name or "a cell without a column"): cell for name, cell in cells.items() if cell
    }
    if "features" in values:
        values["features"] = tuple(filter(None, map(str.strip, values["features"].split(SEPARATOR))))
    return values


def _unknown(row: _Row, watched: Mapping[str, Watched]) -> list[tuple[str, str]]:
    """Return what a row names that no monitor knows: where, and what to do."""
    if row.model not in watched:
        return [("model", f"{row.model!r} has no monitor; {_meant(row.model, watched)}")]
    known = _subjects(watched[row.model].monitor)
    return [
        ("features", f"{name!r} is no feature of {row.model}; {_meant(name, known)}")
        for name in row.features
        if name not in known
    ]


def _subjects(monitor: Monitor) -> dict[str, None]:
    prediction = monitor.prediction
    if prediction.type == "probabilities":
        return dict.fromkeys([*monitor.features, *(f"prediction.{one}" for one in prediction.classes or ())])
    return dict.fromkeys([*monitor.features, "prediction"])


def _meant(name: str, known: Mapping[str, object]) -> str:
    near = nearest(name, known)
    return f"did you mean {near}?" if near else f"there are: {', '.join(sorted(known)[:10])}"
