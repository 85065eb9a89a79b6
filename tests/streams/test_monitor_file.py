"""What a monitor file may say, and what its owner reads when it says something else."""

from typing import Any

import pytest
from prediction_events import monitor
from pydantic import ValidationError

from streams.monitor import Monitor

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown detector": ({"detectors": {"pssi": {}}}, "no detector 'pssi'; did you mean psi? There are: adwin"),
    "unknown parameter": ({"detectors": {"psi": {"treshold": 1}}}, "detectors.psi.treshold\n"),
    "parameter out of bounds": ({"detectors": {"psi": {"threshold": "high"}}}, "detectors.psi.threshold\n"),
    "detector as a number": ({"detectors": {"psi": 3}}, "write a mapping of parameters"),
    "detectors as a list": ({"detectors": ["psi"]}, "write a mapping of detector names"),
    "for without a unit": ({"detectors": {"psi": {"for": "2 minutes"}}}, "'2 minutes' is not a duration"),
    "min above max": ({"features": {"x": {"type": "number", "min": 3, "max": 2}}}, "min 3.0 is above max 2.0"),
    "min of a category": ({"features": {"x": {"type": "category", "min": 3}}}, "this feature is a category"),
    "values of a number": ({"features": {"x": {"type": "number", "values": ["a"]}}}, "values are for"),
    "values twice": (
        {"features": {"x": {"type": "category", "values": ["a", "b", "a"]}}}, "'a' is listed twice",
    ),
    "segments twice": ({"segments": ["country", "country"]}, "'country' is listed twice"),
    "feature called prediction": ({"features": {"prediction": {"type": "number"}}}, "rename the feature"),
    "feature called prediction.a": ({"features": {"prediction.a": {"type": "number"}}}, "rename the feature"),
    "feature with a quote": ({"features": {'a"b': {"type": "number"}}}, "must not contain '\"'"),
    "feature without a name": ({"features": {"": {"type": "number"}}}, "1 to 200 characters"),
    "probabilities without classes": ({"prediction": {"type": "probabilities"}}, "need `classes: [...]`"),
    "pane typo": ({"windows": {"pane": "10sec"}}, "'10sec' is not a duration; write one such as 30s"),
    "current no multiple": ({"windows": {"pane": "7s", "current": "1m"}}, "must be a multiple of pane"),
    "current below pane": ({"windows": {"pane": "10m", "current": "5m"}}, "must be a multiple of pane"),
    "two references": ({"reference": {"trailing": "7d", "version": "1"}}, "exactly one of file, trailing"),
    "no reference": ({"reference": {}}, "given: none"),
    "rate above one": ({"objectives": {"error_rate": 1.5}}, "less than or equal to 1"),
    "labels of a class": ({"prediction": {"type": "class"}, "labels": {}}, "need the classes there are"),
    "positive number": (
        {"prediction": {"type": "number"}, "labels": {"positive": 1}}, "positive is for scores",
    ),
    "gate of a name unknown": ({"detectors": {"psi": {"gate": "impact"}}}, "Input should be 'performance'"),
    "gate without labels": ({"detectors": {"psi": {"gate": "performance"}}}, "write `labels:` into the monitor"),
    "gate without an estimate": (
        {"detectors": {"psi": {"gate": "performance"}}, "labels": {}},
        "write `estimated_performance: {}` below detectors",
    ),
    "gate with the estimate off": (
        {"detectors": {"psi": {"gate": "performance"}, "estimated_performance": False},
         "labels": {"objectives": {"recall": 0.7}}},
        "needs an estimate",
    ),
    "gate of a number": (
        {"detectors": {"psi": {"gate": "performance"}, "estimated_performance": {}},
         "labels": {}, "prediction": {"type": "number"}},
        "needs the errors to expect, which `driftline reference build` learns",
    ),
    "gate of a number without an estimate": (
        {"detectors": {"psi": {"gate": "performance"}}, "labels": {"objectives": {"bias": 0.1}},
         "prediction": {"type": "number"}, "reference": {"file": "churn.reference.json"}},
        "or give one of mae, rmse an objective below labels",
    ),
    "gate of a class": (
        {"detectors": {"psi": {"gate": "performance"}, "estimated_performance": {}},
         "labels": {}, "prediction": {"type": "class", "classes": ["a", "b"]}},
        "cannot be estimated from a class",
    ),
    "gate of performance itself": (
        {"detectors": {"performance": {"gate": "performance"}}, "labels": {"objectives": {"recall": 0.7}}},
        "performance judges performance itself; remove its `gate`",
    ),
    "gate of the whole model": (
        {"detectors": {"traffic_silence": {"gate": "performance"}}, "labels": {"objectives": {"recall": 0.7}}},
        "judges no column of a version",
    ),
    "costs of no class": ({"labels": {"costs": {"yes": {"no": 1}}}}, "the classes are: negative, positive"),
    "costs of a number": (
        {"prediction": {"type": "number"}, "labels": {"costs": {"a": {"b": 1}}}}, "a number has no classes",
    ),
    "pane beyond horizon": ({"labels": {"pane": "2h", "horizon": "1h"}}, "pane (2h) is longer than horizon"),
    "pane too short": ({"labels": {"pane": "1m"}}, "more than 1,000 panes of 1m; write a pane of 10m5s or more"),
    "window beyond horizon": (
        {"labels": {"window": "2d", "horizon": "1d"}}, "lie within the horizon (1d)",
    ),
    "objective of another task": (
        {"labels": {"objectives": {"mae": 1}}}, "objectives name 'mae'; the metrics of a score are: accuracy",
    ),
    "objective of a cost": ({"labels": {"objectives": {"cost": 1}}}, "cost needs `costs`"),
    "horizon too long": ({"labels": {"horizon": "60d"}}, "60d is too long; write at most 30d"),
    "sample of nothing": ({"labels": {"sample": 0}}, "labels.sample"),
    "unknown field": ({"feature": {}}, "feature"),
    "empty model": ({"model": ""}, "at least 1 character"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_each_mistake_is_said_in_words(name: str) -> None:
    fields, said = WRONG[name]
    with pytest.raises(ValidationError) as caught:
        monitor(**fields)
    assert said in str(caught.value)


def test_a_model_name_alone_is_a_monitor() -> None:
    found = Monitor.model_validate({"model": "churn"})
    assert found.reference.trailing == 7 * 86_400_000
    assert found.windows.pane == 10_000


def test_detectors_are_on_off_or_set() -> None:
    found = monitor(detectors={"psi": False, "chi_square": True, "adwin": {"for": "2m", "clear_for": "1m"}})
    assert found.settings("psi") is None
    assert found.settings("chi_square") is not None
    settings = found.settings("adwin")
    assert settings is not None
    assert (settings.for_ms, settings.clear_for_ms) == (120_000, 60_000)
