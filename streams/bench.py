"""Which detectors sit on a model's bench: one instance per column they are for, per version and segment."""

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from types import FunctionType
from typing import Any, Literal

from detectors.all_zero import AllZero
from detectors.attribution_drift import AttributionDrift
from detectors.base import Detector, Target
from detectors.correlation_drift import CorrelationDrift
from detectors.estimation.estimate import ESTIMATED
from detectors.estimation.scored import score_names
from detectors.lasting_shift import LastingShift
from detectors.registry import DETECTORS, build
from streams.detector_settings import DetectorSettings
from streams.inbox import Group
from streams.joins.outcome_bench import USUAL
from streams.joins.plan import join_plan
from streams.monitor import DAY_MS, Monitor
from streams.pairing import paired_names
from streams.zeros import LEAST_NUMBERS

_WEEK_MS = 7 * DAY_MS
_QUANTILES = {"latency_p50_ms": 0.5, "latency_p95_ms": 0.95, "latency_p99_ms": 0.99}
#: Of the budget, what goes to evidence that adds up over panes; the rest goes to windows on their own.
SEQUENTIAL_SHARE = 0.5
_FEATURE_TARGETS: dict[str, Target] = {"number": "number", "category": "category", "boolean": "category"}


_CODE = (FunctionType, classmethod, staticmethod, property)
#: Detectors of one rule and of equal parameters, one at least: for `Detector.observe_many` of the first's class.
Alike = Sequence[Detector[Any]]


class Bench:
    """Makes a monitor's detectors as versions and segments appear, and keeps those with state."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._made: dict[Group, list[Detector[Any]]] = {}
        self._alike: dict[tuple[Group, str, str], list[Alike]] = {}

    def detectors(
        self,
        group: Group,
        *,
        observes: Literal["pane", "tick"],
        scope: Literal["model", "version"] = "model",
    ) -> list[Detector[Any]]:
        """Return the detectors of a version and segment; ``("", "")`` also has the model-wide ones."""
        if group not in self._made:
            self._made[group] = self._make()
        return [one for one in self._made[group] if one.observes == observes and one.scope == scope]

    def alike(
        self,
        group: Group,
        *,
        observes: Literal["pane", "tick"],
        scope: Literal["model", "version"] = "model",
    ) -> list[Alike]:
        """Return `detectors`, those together that judge their columns at once."""
        place = (group, observes, scope)
        if place not in self._alike:
            self._alike[place] = alike(self.detectors(group, observes=observes, scope=scope))
        return self._alike[place]

    def forget(self, group: Group) -> None:
        """Drop a version or segment."""
        if group != ("", ""):
            self._made.pop(group, None)
            self._alike = {place: held for place, held in self._alike.items() if place[0] != group}

    @property
    def watched(self) -> frozenset[tuple[str, str]]:
        """Detector and column of all that the monitor has on."""
        return frozenset((one.name, one.column) for one in self._made.get(("", "")) or self._make())

    def snapshot(self) -> list[Any]:
        """Return the state of those that have one: [version, segment, detector, column, state] each."""
        return [
            [*group, one.name, one.column, state]
            for group, made in self._made.items()
            for one in made
            if (state := one.snapshot()) is not None
        ]

    def restore(self, snapshot: list[Any]) -> None:
        """Take up a snapshot's state."""
        for version, segment, name, column, state in snapshot:
            group = (version, segment)
            if group not in self._made:
                self._made[group] = self._make()
            for one in self._made[group]:
                if (one.name, one.column) == (name, column):
                    one.restore(state)

    def _make(self) -> list[Detector[Any]]:
        made: list[Detector[Any]] = []
        for name in DETECTORS:
            if name in ("latency", "estimated_performance"):
                made += self._latency() if name == "latency" else self._estimated()
                continue
            settings = self._monitor.settings(name)
            if settings is not None and self._has_subject(name):
                for column, target in self._columns_of(name):
                    if target in DETECTORS[name].targets:
                        params = self._params(name, column, settings)
                        if name != "expectation" or params["expectations"]:
                            made.append(build(name, params, column))
        return made

    def _has_subject(self, name: str) -> bool:
        if name == AttributionDrift.name:
            return bool(self._monitor.features)
        if name == AllZero.name:
            kinds = [feature.type for feature in self._monitor.features.values()]
            return kinds.count("number") >= LEAST_NUMBERS
        return name != CorrelationDrift.name or bool(paired_names(self._monitor))

    def _columns(self) -> list[tuple[str, Target]]:
        columns: list[tuple[str, Target]] = [
            (name, _FEATURE_TARGETS[feature.type]) for name, feature in self._monitor.features.items()
        ]
        prediction = self._monitor.prediction
        if prediction.type == "probabilities":
            columns += [(f"prediction.{name}", "prediction") for name in prediction.classes or ()]
        else:
            columns.append(("prediction", "prediction"))
        return [*columns, ("", "model")]

    def _columns_of(self, name: str) -> list[tuple[str, Target]]:
        """Return the columns a detector may judge; of all classes' probabilities the confidence is one."""
        if name != "confidence_drift":
            return self._columns()
        has_one = self._monitor.prediction.type in ("score", "probabilities")
        return [("confidence", "prediction")] if has_one else []

    def _params(self, name: str, column: str, settings: DetectorSettings) -> dict[str, Any]:
        params = dict(settings.params)
        fields = DETECTORS[name].params_class.model_fields
        params.setdefault(
            "min_samples", min(self._monitor.windows.min_samples, fields["min_samples"].default)
        )
        if name == "missing_rate" and column in self._monitor.features:
            params.setdefault("required", self._monitor.features[column].required)
        if name == "expectation":
            params["expectations"] = self._monitor.features[column].expect.expectations()
        if name == "error_rate" and self._monitor.objectives.error_rate is not None:
            params.setdefault("threshold", self._monitor.objectives.error_rate)
        if _has_alpha(name):
            params.setdefault("alpha", self.alpha)
        if _is_sequential(name):
            params.setdefault("threshold", math.log10(self.run_length))
        return params

    def _latency(self) -> list[Detector[Any]]:
        settings = self._monitor.settings("latency") or DetectorSettings.model_validate({})
        return [
            build(
                "latency",
                {"threshold": limit, "quantile": quantile} | self._params("latency", "latency_ms", settings),
                "latency_ms",
            )
            for quantile, limit in self._latency_objectives()
        ]

    def _latency_objectives(self) -> list[tuple[float, float]]:
        """Return quantile and limit (ms) of each; an objective turns the detector on, unless it is turned off."""
        objectives, detectors = self._monitor.objectives, self._monitor.detectors
        if "latency" in detectors and detectors["latency"] is None:
            return []
        return [
            (quantile, limit)
            for name, quantile in _QUANTILES.items()
            if (limit := getattr(objectives, name)) is not None
        ]

    def _estimated(self) -> list[Detector[Any]]:
        """Return the metrics that are estimated: those promised, and if it is turned on the usual ones too."""
        name, labels = "estimated_performance", self._monitor.labels
        is_named = name in self._monitor.detectors
        settings = self._monitor.settings(name) if is_named else DetectorSettings.model_validate({})
        if labels is None or settings is None:
            return []
        kind = self._monitor.prediction.type
        wanted = dict.fromkeys((*(USUAL[kind] if is_named else ()), *sorted(labels.objectives)))
        return [
            build(
                name,
                {"objective": labels.objectives.get(metric)} | self._params(name, metric, settings),
                metric,
            )
            for metric in wanted
            if metric in ESTIMATED[kind]
        ]

    @property
    def estimates(self) -> bool:
        """Whether metrics are estimated before labels come."""
        return bool(self._estimated())

    @cached_property
    def alpha(self) -> float:
        """Probability of a false alarm per test that keeps within the weekly budget.

        Bonferroni over all tests of a week, each pane being a look; overlapping windows make it cautious.
        """
        tests = sum(self._tests(name) for name in DETECTORS if _has_alpha(name))
        budget = self._monitor.false_alarms.per_week
        if self.sequential_streams:
            budget *= 1 - SEQUENTIAL_SHARE
        return min(max(budget / (max(tests, 1) * self._looks), 1e-12), 1e-3)

    @cached_property
    def outcome_alpha(self) -> float:
        """Probability of a false alarm per test of outcomes: the same share of the budget, over fewer looks.

        Outcomes are looked at for as long as panes of theirs come to be settled, one after the other.
        """
        labels = self._monitor.labels
        if labels is None:
            return self.alpha
        looks = _WEEK_MS / max(labels.pane, self._monitor.windows.pane)
        return min(self.alpha * self._looks / looks, 1e-3)

    @cached_property
    def run_length(self) -> float:
        """Panes from one false alarm to the next, in the mean, for each column whose evidence adds up.

        The columns share their part of the weekly budget alike. It holds for one version; others, and
        segments, are models of their own in this, and have the same budget again.
        """
        budget = self._monitor.false_alarms.per_week * SEQUENTIAL_SHARE
        return max(max(self.sequential_streams, 1) * self._looks / budget, 1e2)

    @cached_property
    def sequential_streams(self) -> int:
        """Columns whose evidence adds up over panes."""
        return sum(self._tests(name) for name in DETECTORS if _is_sequential(name))

    @property
    def _looks(self) -> float:
        return _WEEK_MS / self._monitor.windows.pane

    def _tests(self, name: str) -> int:
        """Return how many columns, or objectives, a detector judges at each look; none where it is off."""
        if name == "latency":
            return len(self._latency_objectives())
        if self._monitor.settings(name) is None or not self._has_subject(name):
            return 0
        if DETECTORS[name].observes == "outcome":
            plan = join_plan(self._monitor)
            return int(plan is not None and bool(score_names(plan.task)))
        if name == "expectation":
            return sum(bool(one.expect.expectations()) for one in self._monitor.features.values())
        return sum(target in DETECTORS[name].targets for _, target in self._columns_of(name))


def alike(detectors: Iterable[Detector[Any]]) -> list[Alike]:
    """Return detectors by rule and parameters, in the order in which the first of each comes.

    A class that gives another only a name, a kind and targets of its own judges by the other's rule, and its
    detectors come after the other's.
    """
    found: list[list[Detector[Any]]] = []
    for one in detectors:
        of_rule = (held for held in found if _rule(type(held[0])) is _rule(type(one)))
        held = next((held for held in of_rule if held[0].params == one.params), None)
        if held is None:
            found.append([one])
        else:
            held.append(one)
    return [sorted(held, key=lambda one: len(type(one).__mro__)) for held in found]


def _rule(cls: type[Detector[Any]]) -> type[Any]:
    """Return the class that says how a detector judges."""
    return next(base for base in cls.__mro__ if any(isinstance(own, _CODE) for own in vars(base).values()))


def _has_alpha(name: str) -> bool:
    return "alpha" in DETECTORS[name].params_class.model_fields


def _is_sequential(name: str) -> bool:
    return issubclass(DETECTORS[name], LastingShift)
