"""The monitor file: what a model's owner declares about it, one YAML file a model."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from alerts import duration
from alerts.duration import DurationMs
from detectors.outcomes.metrics import OF_TASK
from detectors.outcomes.task import NEGATIVE, OTHER, POSITIVE
from detectors.registry import DETECTORS
from streams.detector_settings import USUAL, DetectorSettings, gate_misfit, mistakes_of
from streams.events import MAX_NAME_LENGTH
from streams.expect import Expect
from streams.segment_settings import Names, Segment, read_segments

RESERVED_NAMES = frozenset({"prediction", "latency_ms"})
DAY_MS = 24 * 3600 * 1000
#: Panes of outcomes within the horizon, at most.
OUTCOME_PANES = 1_000


def _bounded(least_ms: int, most_ms: int | None = None) -> AfterValidator:
    """Return a check of a duration's bounds, said as they are written."""

    def check(value_ms: int) -> int:
        if value_ms < least_ms:
            raise ValueError(
                f"{duration.format(value_ms)} is too short; write at least {duration.format(least_ms)}"
            )
        if most_ms is not None and value_ms > most_ms:
            raise ValueError(
                f"{duration.format(value_ms)} is too long; write at most {duration.format(most_ms)}"
            )
        return value_ms

    return AfterValidator(check)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Feature(_Strict):
    """One feature the model is given."""

    type: Literal["number", "category", "boolean"] = Field(description="number, category (text) or boolean")
    min: FiniteFloat | None = Field(default=None, description="smallest plausible number")
    max: FiniteFloat | None = Field(default=None, description="largest plausible number")
    values: Names | None = Field(default=None, description="the categories there are", max_length=1000)
    required: bool = Field(
        default=False, description="missing values count at once, not against the reference"
    )
    source: str = Field(
        default="",
        max_length=MAX_NAME_LENGTH,
        description="where its data come from, e.g. crm; alerts then say when all of a source move",
    )
    expect: Expect = Field(default=Expect(), description="what must hold, whatever the reference")

    @model_validator(mode="after")
    def _fits_its_type(self) -> "Feature":
        if self.type != "number" and (self.min is not None or self.max is not None):
            raise ValueError(f"min and max are for numbers; this feature is a {self.type}")
        if self.type != "category" and self.values is not None:
            raise ValueError(f"values are for categories; this feature is a {self.type}")
        if (self.min if self.min is not None else -math.inf) > (
            self.max if self.max is not None else math.inf
        ):
            raise ValueError(f"min {self.min} is above max {self.max}; swap them")
        has_range = self.min is not None or self.max is not None
        if misfit := self.expect.misfit(self.type, has_range=has_range, has_values=self.values is not None):
            raise ValueError(misfit)
        return self


class Prediction(_Strict):
    """What the model answers with."""

    type: Literal["score", "class", "number", "probabilities"] = Field(
        default="score", description="score (0 to 1), class (text), number, or probabilities {class: p}"
    )
    classes: Names | None = Field(
        default=None, description="the classes; needed for probabilities", max_length=1000
    )

    @model_validator(mode="after")
    def _probabilities_name_their_classes(self) -> "Prediction":
        if self.type == "probabilities" and not self.classes:
            raise ValueError("probabilities need `classes: [...]`")
        return self


class Windows(_Strict):
    """Event-time windows; durations as 10s, 5m, 1h, 7d."""

    pane: Annotated[DurationMs, _bounded(1_000, 30 * DAY_MS)] = Field(
        default=10_000, description="length of a pane"
    )
    current: Annotated[DurationMs, _bounded(1_000)] = Field(
        default=300_000, description="length of the current window"
    )
    allowed_lateness: DurationMs = Field(default=30_000, description="how long a pane waits for stragglers")
    min_samples: int = Field(default=500, ge=1, description="events a window needs before it is judged")

    @model_validator(mode="after")
    def _holds_whole_panes(self) -> "Windows":
        if self.current < self.pane or self.current % self.pane:
            current, pane = duration.format(self.current), duration.format(self.pane)
            raise ValueError(f"current ({current}) must be a multiple of pane ({pane})")
        return self


class Reference(_Strict):
    """What the current window is held against: exactly one of three."""

    file: str | None = Field(
        default=None, description="built by `driftline reference build`, beside the monitor"
    )
    trailing: Annotated[DurationMs, _bounded(60_000)] | None = Field(
        default=None, description="the model's own last days, e.g. 7d"
    )
    version: str | None = Field(default=None, description="another version's traffic")

    @model_validator(mode="after")
    def _is_one_of_three(self) -> "Reference":
        given = [name for name in ("file", "trailing", "version") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of file, trailing, version; given: {given or 'none'}")
        return self


class Objectives(_Strict):
    """Promises the model's service makes."""

    latency_p50_ms: float | None = Field(default=None, gt=0)
    latency_p95_ms: float | None = Field(default=None, gt=0)
    latency_p99_ms: float | None = Field(default=None, gt=0)
    error_rate: float | None = Field(default=None, ge=0, le=1)


class FalseAlarms(_Strict):
    """The budget that sets the statistical thresholds."""

    per_week: float = Field(
        default=1.0, gt=0, le=1000, description="false alarms per week, over all detectors"
    )


class Labels(_Strict):
    """What turns out to be true, later: events on ``driftline.labels``, joined with predictions by id."""

    horizon: Annotated[DurationMs, _bounded(60_000, 30 * DAY_MS)] = Field(
        default=7 * DAY_MS, description="how long a prediction waits for its label, in event time"
    )
    pane: Annotated[DurationMs, _bounded(1_000, DAY_MS)] = Field(
        default=3_600_000, description="length of a pane of outcomes, by the time of the prediction"
    )
    sample: float = Field(default=1.0, gt=0, le=1, description="share of the ids that are joined (0 to 1)")
    max_waiting: int = Field(
        default=100_000,
        ge=1_000,
        le=1_000_000,
        description="ids held at a time, per partition; with more, the share joined is halved",
    )
    mature: float = Field(
        default=0.8, gt=0, le=1, description="share of predictions with labels from which on it is settled"
    )
    positive: bool | FiniteFloat | str | None = Field(
        default=None, description="the label that means positive, for a score; else true or 1"
    )
    decision: float = Field(
        default=0.5, ge=0, le=1, description="scores from here on count as predicted positive"
    )
    window: Annotated[DurationMs, _bounded(1_000)] | None = Field(
        default=None, description="length of the window of outcomes that is judged; else 1d, or the horizon"
    )
    objectives: dict[str, FiniteFloat] = Field(
        default={}, description="what performance metrics must keep, e.g. {recall: 0.7, brier: 0.1}"
    )
    costs: dict[str, dict[str, FiniteFloat]] = Field(
        default={}, description="what a mistake costs: {true class: {predicted class: cost}}"
    )

    @model_validator(mode="after")
    def _pane_lies_within_the_horizon(self) -> "Labels":
        if self.pane > self.horizon:
            pane, horizon = duration.format(self.pane), duration.format(self.horizon)
            raise ValueError(f"pane ({pane}) is longer than horizon ({horizon}); write a shorter pane")
        if not self.pane <= self.window_ms <= self.horizon:
            window, pane = duration.format(self.window_ms), duration.format(self.pane)
            raise ValueError(
                f"window ({window}) must hold a pane ({pane}) and lie within the horizon "
                f"({duration.format(self.horizon)})"
            )
        if self.horizon > OUTCOME_PANES * self.pane:
            least = duration.format(-(-self.horizon // (OUTCOME_PANES * 1000)) * 1000)
            raise ValueError(
                f"the horizon ({duration.format(self.horizon)}) holds more than {OUTCOME_PANES:,} panes of "
                f"{duration.format(self.pane)}; write a pane of {least} or more"
            )
        return self

    @property
    def window_ms(self) -> int:
        """Length of the window of outcomes that is judged."""
        return min(DAY_MS, self.horizon) if self.window is None else self.window


def _classes_of_labels(prediction: Prediction) -> tuple[str, ...]:
    if prediction.type == "score":
        return (NEGATIVE, POSITIVE)
    return () if prediction.type == "number" else (*(prediction.classes or ()), OTHER)


class Monitor(_Strict):
    """A monitor file."""

    model: str = Field(min_length=1, max_length=MAX_NAME_LENGTH)
    team: str = ""
    features: dict[str, Feature] = Field(default={}, max_length=2000)
    unexpected_features: Literal["warn", "reject", "ignore"] = "warn"
    prediction: Prediction = Prediction()
    segments: dict[str, Segment] = Field(
        default={},
        max_length=8,
        description="segments judged on their own; a list of names, or with `values`",
    )
    windows: Windows = Windows()
    reference: Reference = Reference.model_validate({"trailing": "7d"})
    objectives: Objectives = Objectives()
    false_alarms: FalseAlarms = FalseAlarms()
    labels: Labels | None = None
    detectors: dict[str, DetectorSettings | None] = {}

    _read_segments = field_validator("segments", mode="before")(read_segments)

    @field_validator("labels")
    @classmethod
    def _labels_fit_the_prediction(cls, labels: Labels | None, info: ValidationInfo) -> Labels | None:
        prediction = info.data.get("prediction")
        if labels is None or prediction is None:  # a prediction that is wrong itself is told as that
            return labels
        kind = prediction.type
        if kind == "class" and not prediction.classes:
            raise ValueError("labels of a class need the classes there are: `prediction: {classes: [...]}`")
        if kind != "score" and (of_scores := sorted(labels.model_fields_set & {"positive", "decision"})):
            raise ValueError(f"{of_scores[0]} is for scores; this prediction is a {kind}")
        metrics = [name for name in OF_TASK[kind] if name != "cost" or labels.costs]
        if unknown := sorted(labels.objectives.keys() - set(metrics)):
            raise ValueError(
                f"objectives name {unknown[0]!r}; the metrics of a {kind} are: {', '.join(metrics)}"
                + ("; cost needs `costs`" if unknown[0] == "cost" and kind != "number" else "")
            )
        known = _classes_of_labels(prediction)
        named = {name for true, row in labels.costs.items() for name in (true, *row)}
        if strange := sorted(named - set(known)):
            names = ", ".join(known) or "none, for a number has no classes"
            raise ValueError(f"costs name {strange[0]!r}; the classes are: {names}")
        return labels

    @field_validator("features")
    @classmethod
    def _names_are_sane(cls, features: dict[str, Feature]) -> dict[str, Feature]:
        for name in features:
            if not name or len(name) > MAX_NAME_LENGTH:
                raise ValueError(f"feature name {name[:40]!r} must have 1 to {MAX_NAME_LENGTH} characters")
            if unreadable := sorted({char for char in name if char in '"\\\\' or char < " "}):
                raise ValueError(
                    f"feature name {name!r} must not contain {unreadable[0]!r}; rename the feature"
                )
            if name in RESERVED_NAMES or name.startswith("prediction."):
                raise ValueError(
                    f"feature name {name!r} is taken by the event's own field; rename the feature"
                )
        return features

    @field_validator("detectors", mode="before")
    @classmethod
    def _read_detectors(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("write a mapping of detector names")
        read = {
            name: None if entry is False else {} if entry in (True, None) else entry
            for name, entry in value.items()
        }
        mistakes = [mistake for name, entry in read.items() for mistake in mistakes_of(name, entry)]
        if mistakes:
            raise ValidationError.from_exception_data("detectors", mistakes)
        return read

    @field_validator("detectors")
    @classmethod
    def _pair_features_there_are(
        cls, detectors: dict[str, DetectorSettings | None], info: ValidationInfo
    ) -> dict[str, DetectorSettings | None]:
        entry = detectors.get("correlation_drift")
        features = info.data.get("features")
        named = () if entry is None else tuple(entry.params.get("features", ()))
        if not named or features is None:  # features that are wrong themselves are told as that
            return detectors
        numbers = [name for name, feature in features.items() if feature.type == "number"]
        if strange := sorted(set(named) - set(numbers)):
            what = "a " + features[strange[0]].type if strange[0] in features else "not among `features`"
            listed = ", ".join(numbers) or "none"
            raise ValueError(
                f"correlation_drift names {strange[0]!r}, which is {what}; the number features are: {listed}"
            )
        if len(set(named)) < 2:
            raise ValueError(f"correlation_drift names {named[0]!r} alone; name at least two number features")
        return detectors

    @field_validator("detectors")
    @classmethod
    def _have_what_they_judge_by(
        cls, detectors: dict[str, DetectorSettings | None], info: ValidationInfo
    ) -> dict[str, DetectorSettings | None]:
        prediction = info.data.get("prediction")
        is_on = detectors.get("confidence_drift") is not None
        if is_on and prediction is not None and prediction.type in ("class", "number"):
            raise ValueError(
                f"confidence_drift judges scores and probabilities; this prediction is a {prediction.type}: "
                "leave it out"
            )
        if info.data.get("labels", ...) is None:
            for name, entry in detectors.items():
                found = DETECTORS[name]
                if entry is not None and found.targets == {"outcome"} and not found.default:
                    raise ValueError(
                        f"{name} judges by labels; write `labels:` into the monitor, {{}} for the defaults"
                    )
        return detectors

    @field_validator("detectors")
    @classmethod
    def _gates_have_an_estimate(
        cls, detectors: dict[str, DetectorSettings | None], info: ValidationInfo
    ) -> dict[str, DetectorSettings | None]:
        prediction, labels = info.data.get("prediction"), info.data.get("labels", ...)
        if prediction is None or labels is ...:  # what is wrong itself is told as that
            return detectors
        for name, entry in detectors.items():
            if entry is not None and entry.gate is not None:
                promised = None if labels is None else labels.objectives
                usual = info.data.get("reference")
                has_file = usual is None or usual.file is not None
                if misfit := gate_misfit(name, detectors, prediction.type, promised, has_file=has_file):
                    raise ValueError(misfit)
        return detectors

    def settings(self, detector: str) -> DetectorSettings | None:
        """Return a detector's settings, or None when it is off."""
        if detector in self.detectors:
            return self.detectors[detector]
        return USUAL if DETECTORS[detector].default else None

    def reference_path(self, folder: Path) -> Path | None:
        """Return the reference file's path, relative ones taken from the monitor's folder."""
        return None if self.reference.file is None else folder / self.reference.file
