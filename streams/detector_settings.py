"""``detectors:`` of the monitor file: which detectors are on, how patient, how severe, with which parameters."""

import difflib
from collections.abc import Container, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails

from alerts.duration import DurationMs
from detectors.base import Severity
from detectors.estimation.estimate import ESTIMATED
from detectors.outcomes.task import TaskKind
from detectors.registry import DETECTORS

_OWN_KEYS = frozenset({"for", "clear_for", "severity", "gate"})


class DetectorSettings(BaseModel):
    """One entry of ``detectors:``; what is not `for`, `clear_for`, `severity` or `gate` goes to the detector."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    for_ms: DurationMs = Field(
        default="0s",
        validate_default=True,
        alias="for",
        description="how long it must fire before the alert",
    )
    clear_for_ms: DurationMs | None = Field(
        default=None, alias="clear_for", description="how long it must be well before it resolves"
    )
    severity: Severity | None = None
    gate: Literal["performance"] | None = Field(
        default=None,
        description="performance: its alerts stay at info while the performance estimated before labels holds",
    )
    params: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("write a mapping of parameters, {} for the defaults, or false to turn it off")
        return {key: value[key] for key in _OWN_KEYS & value.keys()} | {"params": cls.params_of(value)}

    @staticmethod
    def params_of(entry: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return what an entry says to the detector itself."""
        return {key: item for key, item in entry.items() if key not in _OWN_KEYS}


def detector_keys(detector: str) -> frozenset[str]:
    """Return the keys an entry of ``detectors:`` may have."""
    return _OWN_KEYS | DETECTORS[detector].params_class.model_fields.keys()


USUAL = DetectorSettings.model_validate({})


def mistakes_of(name: Any, entry: Any) -> Iterator[InitErrorDetails]:
    """Yield what is wrong with an entry of ``detectors:``, each with its place below that."""
    if name not in DETECTORS:
        near = difflib.get_close_matches(str(name), DETECTORS, 1)
        meant = f"did you mean {near[0]}? There are: " if near else "there are: "
        error = ValueError(f"no detector {name!r}; {meant}{', '.join(sorted(DETECTORS))}")
        yield InitErrorDetails(type="value_error", loc=(str(name),), input=entry, ctx={"error": error})
        return
    found = [] if entry is None else _mistakes(DetectorSettings, entry)
    if name == "expectation" and isinstance(entry, dict) and "expectations" in entry:
        misplaced = ValueError("write them as `expect:` at their feature")
        yield InitErrorDetails(
            type="value_error", loc=(name, "expectations"), input=None, ctx={"error": misplaced}
        )
        return
    if isinstance(entry, dict):
        found += _mistakes(DETECTORS[name].params_class, DetectorSettings.params_of(entry))
    for one in found:
        yield InitErrorDetails(
            type=one["type"], loc=(name, *one["loc"]), input=one["input"], ctx=one.get("ctx", {})
        )


def gate_misfit(
    name: str,
    settings: Mapping[str, DetectorSettings | None],
    kind: TaskKind,
    promised: Container[str] | None,
    *,
    has_file: bool,
) -> str:
    """Return why a detector cannot be gated by performance, and what to do; empty where it can.

    Parameters
    ----------
    settings
        All entries of ``detectors:``; None where one is off.
    kind
        What the model predicts.
    promised
        Metrics with an objective; None where no labels are joined.
    has_file
        Whether the reference is a file.
    """
    detector, estimated = DETECTORS[name], "estimated_performance"
    if "outcome" in detector.targets:
        return f"{name} judges performance itself; remove its `gate`"
    if detector.scope == "model" or detector.observes != "pane" or "model" in detector.targets:
        return f"{name} judges no column of a version, which is what estimates are for; remove its `gate`"
    if promised is None:
        return "gate: performance needs what scores mean, by labels; write `labels:` into the monitor"
    if not ESTIMATED[kind]:
        return f"performance cannot be estimated from a {kind} alone; remove the `gate` of {name}"
    if kind == "number" and not has_file:
        return (
            "gate: performance of a number needs the errors to expect, which `driftline reference build` learns from "
            f"data with labels; write `reference: {{file: ...}}`, or remove the `gate` of {name}"
        )
    is_on = (
        settings[estimated] is not None
        if estimated in settings
        else any(metric in promised for metric in ESTIMATED[kind])
    )
    if is_on:
        return ""
    metrics = ", ".join(ESTIMATED[kind])
    return (
        f"gate: performance needs an estimate; write `{estimated}: {{}}` below detectors, or give one of "
        f"{metrics} an objective below labels"
    )


def _mistakes(kind: type[BaseModel], value: Any) -> list[ErrorDetails]:
    try:
        kind.model_validate(value)
    except ValidationError as error:
        return error.errors()
    return []
