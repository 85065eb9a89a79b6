"""Monitor files from a folder, with their references: what the fleet watches."""

import zlib
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import msgspec
from pydantic import ValidationError

from detectors.estimation.calibration import Calibration, calibration_of
from detectors.estimation.losses import LossModel
from detectors.estimation.scored import score_names
from detectors.window import Window
from driftline.configfile import YamlFile
from driftline.errors import ConfigError, Problem
from driftline.mistakes import Loc, keys_beside
from streams import reference
from streams.detector_settings import detector_keys
from streams.joins.plan import join_plan
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.reference_losses import read_losses
from streams.stages.fleet import Watched
from streams.window import window_of

#: Where what is known of labels comes from, in words.
_SOURCE = "the reference file"


def load_monitor(path: Path) -> tuple[YamlFile, Monitor]:
    """Return a monitor file, its reference not looked at.

    Raises
    ------
    ConfigError
        With every problem of the file.
    """
    file = YamlFile(path)
    try:
        return file, Monitor.model_validate(file.data)
    except ValidationError as error:
        raise ConfigError(file.problems(error, _known_keys)) from error


def _known_keys(place: Loc) -> Collection[str]:
    if place[0] == "detectors" and len(place) == 3:
        return detector_keys(str(place[1]))
    return keys_beside(Monitor.model_json_schema(), place)


def load_file(path: Path) -> Watched:
    """Return a monitor file with its layout and reference.

    Raises
    ------
    ConfigError
        With every problem of the file, or of the reference it names.
    """
    file, monitor = load_monitor(path)
    found = monitor.reference_path(path.parent)
    if found is None:
        return Watched(monitor, compile_layout(monitor))
    line = file.line(("reference", "file"))
    try:
        stored = reference.load(found.read_bytes(), monitor.model)
    except OSError as error:
        remedy = f"build it: driftline reference build DATA --monitor {path} --out {found}"
        raise ConfigError(
            [Problem(path, line, "reference.file", f"{found}: {error.strerror}; {remedy}")]
        ) from error
    except reference.ReferenceError as error:
        raise ConfigError([Problem(path, line, "reference.file", f"{found}: {error}")]) from error
    _check_columns(path, line, monitor, stored)
    try:
        usual = _usual(monitor, stored)
    except (msgspec.MsgspecError, zlib.error, ValueError, LookupError) as error:
        message = f"{found} is damaged ({error}); build the reference again"
        raise ConfigError([Problem(path, line, "reference.file", message)]) from error
    return Watched(monitor, stored.layout, usual)


def _usual(monitor: Monitor, stored: reference.ReferenceFile) -> Window:
    """Return a stored reference as a window, with what its labels tell."""
    profile = stored.read()
    window = window_of(
        profile,
        version="",
        segment="",
        start_ms=stored.start_ms,
        end_ms=max(stored.end_ms, stored.start_ms + 1),
        spans=stored.read_spans(),
        pair_spans=stored.read_pair_spans(profile),
        attribution_spans=stored.read_attribution_spans(),
    )
    losses = _losses(monitor, stored, window)
    return replace(window, calibration=_calibration(monitor, stored), loss_model=losses)


def load_folder(folder: Path) -> dict[str, Watched]:
    """Return every monitor of a folder (``*.yaml``, ``*.yml``), by model.

    Raises
    ------
    ConfigError
        With every problem of every file.
    """
    watched: dict[str, Watched] = {}
    owners: dict[str, Path] = {}
    problems: list[Problem] = []
    for path in _files(folder):
        try:
            one = load_file(path)
        except ConfigError as error:
            problems += error.problems
            continue
        model = one.monitor.model
        if model in owners:
            line = YamlFile(path).line(("model",))
            message = f"{model!r} is monitored by {owners[model].name} already; keep one of the files"
            problems.append(Problem(path, line, "model", message))
        owners.setdefault(model, path)
        watched[model] = one
    if problems:
        raise ConfigError(problems)
    return watched


def _calibration(monitor: Monitor, stored: reference.ReferenceFile) -> Calibration | None:
    """Return what scores mean by a reference's labels, None where it has none, or none of these classes."""
    plan = join_plan(monitor)
    if plan is None or tuple(stored.scored) != score_names(plan.task):
        return None
    return calibration_of(plan.task, stored.read_scored(), _SOURCE)


def _losses(monitor: Monitor, stored: reference.ReferenceFile, usual: Window) -> LossModel | None:
    """Return which errors a reference's labels lead to expect of a number, None where it has no labels."""
    plan = join_plan(monitor)
    if plan is None or plan.task.kind != "number" or stored.losses is None:
        return None
    return read_losses(stored.losses, usual, _SOURCE)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    except NotADirectoryError as error:
        raise ConfigError([Problem(folder, None, "", "is no folder; name the one it is in")]) from error
    except FileNotFoundError as error:
        raise ConfigError(
            [Problem(folder, None, "", "no such folder; make it, or name another with --monitors")]
        ) from error
    except OSError as error:
        raise ConfigError([Problem(folder, None, "", f"cannot be read: {error.strerror}")]) from error


def _check_columns(path: Path, line: int, monitor: Monitor, stored: reference.ReferenceFile) -> None:
    """Refuse a reference built for other features."""
    wanted, held = compile_layout(monitor), stored.layout
    for kind in ("numbers", "categories"):
        names = [column.name for column in getattr(wanted, kind)]
        found = [column.name for column in getattr(held, kind)]
        if names != found:
            differ = sorted(set(names) ^ set(found)) or names
            message = (
                f"was built for other {kind} (differing: {', '.join(differ[:5])}); build the reference again"
            )
            raise ConfigError([Problem(path, line, "reference.file", message)])
