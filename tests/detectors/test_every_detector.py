"""What every detector of the registry must do; the registry finds them, so none is left out."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from detector_windows import NAMES, every_case, healthy, make, pane, window
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from detectors.base import Verdict
from detectors.registry import DETECTORS, AnyDetector, build
from detectors.window import Column, Window

CASES = every_case()
EMPTY_COLUMNS = (
    Column("x", "number"),
    Column("x", "number", missing=5000),
    Column("x", "number", count=5000, bins=np.zeros(3, dtype=np.int64), edges=np.array([1.0, 2.0])),
    Column("x", "category", count=5000, bins=np.array([5000]), labels=("other",)),
    Column("x", "number", count=5000, mean=3.0, variance=0.0, bins=np.array([5000]), labels=("all",)),
)


def test_there_are_detectors() -> None:
    assert len(DETECTORS) >= 18


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_says_what_it_does_and_whence(name: str) -> None:
    doc = DETECTORS[name].__doc__ or ""
    assert len(doc.splitlines()[0]) > 30
    assert "References\n    ----------" in doc
    assert "score" in doc or issubclass(DETECTORS[name], DETECTORS["psi"])


@pytest.mark.parametrize("name", DETECTORS)
def test_its_attributes_are_whole(name: str) -> None:
    cls = DETECTORS[name]
    assert cls.name == name
    assert cls.kind[0].isupper()
    assert cls.kind.isalnum()
    assert cls.targets <= set(NAMES)
    assert cls.targets
    assert cls.severity in ("critical", "warning", "info")


@pytest.mark.parametrize("name", DETECTORS)
def test_every_parameter_is_described_bounded_and_has_a_default(name: str) -> None:
    params = DETECTORS[name].params_class
    for key, field in params.model_fields.items():
        assert field.description, key
        assert not field.is_required(), key
        assert field.annotation is bool or field.metadata, f"{key} has no bounds"
    with pytest.raises(ValidationError, match="frozen"):
        params.model_validate({}).threshold = 1.0
    defaults = params.model_validate({})
    assert params.model_validate(defaults.model_dump()) == defaults


@pytest.mark.parametrize(("name", "target"), CASES)
@pytest.mark.parametrize("column", EMPTY_COLUMNS)
def test_nothing_to_judge_by_never_raises(name: str, target: str, column: Column) -> None:
    column = replace(column, name=NAMES[target] or "x")
    for reference in (None, window(), window(column), healthy(0, 1000)):
        for current in (
            Window("churn"),
            window(),
            window(column),
            replace(window(column), pane=window(column)),
        ):
            verdict = make(name, target).observe(current, reference)
            assert_sound(verdict)
            assert verdict.status != "firing" or verdict.kind in ("MissingValues", "NewCategories")


@pytest.mark.parametrize(("name", "target"), CASES)
def test_without_an_event_the_verdict_is_insufficient(name: str, target: str) -> None:
    verdict = make(name, target).observe(Window("churn"), healthy(0, 1000))
    assert verdict.status == "insufficient"


@pytest.mark.parametrize(("name", "target"), CASES)
def test_too_small_a_window_is_insufficient_and_says_so(name: str, target: str) -> None:
    detector = make(name, target, min_samples=400)
    verdict = detector.observe(healthy(1, 312), healthy(1, 10_000))
    assert verdict.status == "insufficient"
    assert " of " in verdict.evidence.sentence
    assert verdict.score <= verdict.threshold


@pytest.mark.parametrize(("name", "target"), CASES)
def test_a_window_like_its_reference_does_not_fire(name: str, target: str) -> None:
    detector = make(name, target)
    for index in range(80):
        same = healthy(2, 2000, index)
        verdict = detector.observe(same, same)
        assert verdict.status != "firing"
        assert_sound(verdict)
    assert verdict.status == "ok"


@pytest.mark.parametrize(("name", "target"), CASES)
@pytest.mark.parametrize(("size", "windows"), [(500, 300), (5000, 60), (100_000, 8)])
@pytest.mark.parametrize("reference_size", [2000, 50_000])
def test_noise_never_fires(name: str, target: str, size: int, windows: int, reference_size: int) -> None:
    reference = healthy(3, reference_size)
    detector = make(name, target)
    for index in range(windows):
        verdict = detector.observe(healthy(4, size, index), reference)
        assert verdict.status != "firing", verdict.evidence.sentence


@pytest.mark.parametrize(("name", "target"), CASES)
def test_without_a_reference_it_judges_or_says_why_not(name: str, target: str) -> None:
    detector = make(name, target)
    verdicts = [detector.observe(healthy(2, 2000, index), None) for index in range(80)]
    expected = "insufficient" if DETECTORS[name].needs_reference or name == "missing_rate" else "ok"
    assert verdicts[-1].status == expected
    assert expected == "ok" or "reference" in verdicts[-1].evidence.sentence


@pytest.mark.parametrize(("name", "target"), CASES)
def test_two_detectors_given_the_same_windows_agree(name: str, target: str) -> None:
    first, second = (history(make(name, target), seed=5, shift_at=40) for _ in range(2))
    assert first == second


@settings(max_examples=4)
@given(cut=st.integers(0, 99), shift_at=st.integers(30, 99))
@pytest.mark.parametrize(("name", "target"), CASES)
def test_a_restored_detector_judges_as_if_it_had_never_stopped(
    name: str, target: str, cut: int, shift_at: int
) -> None:
    windows = [faulty(7, index, shift_at) for index in range(100)]
    reference = healthy(8, 2000)
    live, stopped = make(name, target), make(name, target)
    for current in windows[:cut]:
        live.observe(current, reference)
        stopped.observe(current, reference)
    restored = make(name, target)
    restored.restore(json.loads(json.dumps(stopped.snapshot(), allow_nan=False)))
    for current in windows[cut:]:
        assert restored.observe(current, reference) == live.observe(current, reference)
    assert restored.snapshot() == live.snapshot()


@pytest.mark.parametrize(
    ("name", "target"), [case for case in CASES if case[1] not in ("latency", "model", "outcome")]
)
def test_long_names_still_make_a_short_sentence(name: str, target: str) -> None:
    long = "a_feature_with_a_name_of_a_length_nobody_should_choose_" * 5
    current = healthy(9, 2000)
    columns = {**current.features, **current.prediction}
    renamed = replace(columns[NAMES[target]], name=long)
    current = replace(current, features={long: renamed})
    detector = build(name, {}, long)
    assert_sound(detector.observe(current, current))


@pytest.mark.parametrize(("name", "target"), CASES)
def test_a_pane_given_twice_counts_once(name: str, target: str) -> None:
    detector = make(name, target)
    current = pane(3, *healthy(0, 1000).features.values())
    detector.observe(current, None)
    before = json.dumps(detector.snapshot())
    detector.observe(current, None)
    assert json.dumps(detector.snapshot()) == before


def faulty(seed: int, index: int, shift_at: int) -> Window:
    """Return a healthy window, or one with its numbers moved from pane ``shift_at`` on."""
    current = healthy(seed, 600, index)
    if index < shift_at:
        return current
    moved = {name: replace(c, mean=c.mean + 2.0, missing=200) for name, c in current.features.items()}
    late = replace(current, features=moved, events=6000, errors=900, now_ms=current.now_ms + 2_000_000)
    return replace(late, pane=replace(late, pane=None))


def history(detector: AnyDetector, *, seed: int, shift_at: int) -> list[Verdict]:
    reference = healthy(seed, 2000)
    return [detector.observe(faulty(seed, index, shift_at), reference) for index in range(60)]


def assert_sound(verdict: Verdict) -> None:
    assert math.isfinite(verdict.score)
    assert math.isfinite(verdict.threshold)
    assert (verdict.status == "firing") <= (verdict.score > verdict.threshold)
    assert 0 < len(verdict.evidence.sentence) <= 300
    assert "\n" not in verdict.evidence.sentence
    assert len(verdict.evidence.reference) == len(verdict.evidence.current)
    json.dumps(verdict.evidence.details, allow_nan=False)
