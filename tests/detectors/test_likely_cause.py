"""Where an alert probably comes from: each rule by what fires, and silence where nothing is known."""

from dataclasses import replace

import numpy as np
import pytest
from detector_windows import category, number, pane, window

from detectors.base import Evidence, Verdict
from detectors.cause.inquiry import Cause, inquire
from detectors.cause.likely import Found, Likely, likely
from detectors.cause.scene import Place, Scene
from detectors.cause.unit import UNITS, Turned, turned, unit_change
from detectors.window import Column, Window

SOURCES = {"age": "crm", "plan": "crm", "price": "shop", "stock": "shop", "visits": "", "clicks": ""}
HERE = Place("1", "", "age")


def _moving(*columns: str, version: str = "1", segment: str = "") -> set[Place]:
    return {Place(version, segment, column) for column in columns}


def _likely(
    scene: Scene, place: Place = HERE, kind: str = "FeatureDrift", found: Found | None = None
) -> Likely:
    told = likely(kind, place, scene, found or Found())
    assert told is not None
    return told


def test_all_features_of_a_source_point_upstream_of_it() -> None:
    told = _likely(Scene(moving=_moving("age", "plan"), features=SOURCES))
    assert told == Likely(
        "source", "upstream data of source 'crm': 2 of its 2 features fire, 0 of 4 others"
    )  # fmt: skip


def test_a_source_is_not_blamed_for_one_feature_nor_when_others_move_too() -> None:
    alone = _likely(Scene(moving=_moving("age"), features=SOURCES))
    assert alone == Likely(
        "column", "this column's own upstream data of source 'crm': none of the 5 other features fires"
    )
    wide = _likely(Scene(moving=_moving("age", "plan", "price"), features=SOURCES))
    assert wide.origin == "world"
    every = {"age": "crm", "plan": "crm"}
    assert likely("FeatureDrift", HERE, Scene(moving=_moving("age", "plan"), features=every), Found()) is None


@pytest.mark.parametrize(
    ("has_labels", "performance", "says"),
    [
        (False, {}, "no labels say whether the model holds"),
        (True, {}, "no alert on performance fires, so the model holds so far"),
        (True, {"1": {"PerformanceDrop"}}, "PerformanceDrop fires as well, so the model suffers"),
        (True, {"2": {"PerformanceDrop"}}, "no alert on performance fires, so the model holds so far"),
    ],
)
def test_many_features_are_the_world_and_labels_say_what_it_means(has_labels, performance, says) -> None:
    scene = Scene(
        moving=_moving("age", "price", "visits"),
        features=SOURCES,
        has_labels=has_labels,
        performance=performance,
    )
    told = _likely(scene)
    assert told.origin == "world"
    assert told.sentence.endswith(f"3 of 6 features fire; {says}")


def test_two_of_four_features_are_not_yet_the_world() -> None:
    few = {"age": "", "plan": "", "price": "", "stock": ""}
    assert likely("FeatureDrift", HERE, Scene(moving=_moving("age", "price"), features=few), Found()) is None
    assert _likely(Scene(moving=_moving("age", "price", "plan"), features=few)).origin == "world"


FR, DE, IT = "country=fr", "country=de", "country=it"


def test_one_segment_alone_is_named_at_its_own_alert_and_at_the_whole() -> None:
    scene = Scene(
        moving=_moving("age") | _moving("age", segment=FR),
        steady=_moving("age", segment=DE) | _moving("age", segment=IT) | _moving("age", segment="os=ios"),
        features=SOURCES,
    )
    for place in (HERE, Place("1", FR, "age")):
        told = _likely(scene, place)
        assert told == Likely(
            "segment", "the traffic of segment country=fr alone: country=de, country=it steady"
        )


def test_no_segment_is_named_where_two_move_or_none_was_judged_steady() -> None:
    both = _moving("age") | _moving("age", segment=FR) | _moving("age", segment=DE)
    for scene in (
        Scene(moving=both, steady=_moving("age", segment=IT), features=SOURCES),
        Scene(moving=_moving("age") | _moving("age", segment=FR), features=SOURCES),
    ):
        for place in (HERE, Place("1", FR, "age")):
            told = likely("FeatureDrift", place, scene, Found())
            assert told is None or told.origin != "segment"


def test_a_whole_that_moves_while_its_segments_do_not_is_the_mix() -> None:
    steady = _moving("age", segment=FR) | _moving("age", segment=DE)
    told = _likely(Scene(moving=_moving("age"), steady=steady, features=SOURCES))
    assert told == Likely("mix", "the traffic mix: within each of 2 segments by country it is steady")


def test_one_version_of_those_that_serve_is_named() -> None:
    scene = Scene(moving=_moving("age", version="2"), steady=_moving("age"), features=SOURCES)
    told = _likely(scene, Place("2", "", "age"))
    assert told == Likely("version", "version 2 alone, its release or its own preprocessing: 1 steady")


def test_a_column_that_is_no_longer_sent_and_a_new_category_are_upstream() -> None:
    scene = Scene(moving=_moving("age"), features=SOURCES)
    assert _likely(scene, kind="MissingValues", found=Found(missing=0.95)).origin == "column"
    assert "95 % of the column is missing" in _likely(scene, found=Found(missing=0.95)).sentence
    assert _likely(scene, found=Found(new_category="trial")).sentence.startswith(
        "a value that is new upstream, 'trial'"
    )


def test_predictions_point_at_the_inputs_or_at_the_model() -> None:
    prediction = Place("1", "", "prediction")
    still = Scene(moving={prediction}, features=SOURCES)
    told = _likely(still, prediction, "PredictionDrift", Found(compared=6))
    assert told.origin == "model"
    assert told.sentence.endswith("none of 6 features moved")
    moved = Scene(moving={prediction} | _moving("age", "plan"), features=SOURCES)
    told = _likely(moved, prediction, "PredictionDrift", Found(compared=6, with_it=("plan",)))
    assert told == Likely("inputs", "the inputs: alerts fire on plan, age too")
    assert likely("PredictionDrift", prediction, still, Found(compared=6, with_it=("plan",))) is None


def test_a_loss_of_performance_is_the_world_unless_inputs_move() -> None:
    recall = Place("1", "", "recall")
    still, moved = Scene(features=SOURCES), Scene(moving=_moving("age"), features=SOURCES)
    for kind in ("PerformanceDrop", "ConceptDrift", "CalibrationDrift"):
        assert _likely(still, recall, kind).origin == "world"
        assert _likely(moved, recall, kind) == Likely("inputs", "the inputs: alerts fire on age too")
    assert likely("EstimatedPerformanceDrop", recall, still, Found()) is None
    assert likely("PerformanceDrop", recall, Scene(), Found()) is None


def test_what_no_rule_knows_is_not_guessed_at() -> None:
    assert likely("LatencyHigh", Place("1", "", ""), Scene(features=SOURCES), Found()) is None
    assert likely("FeatureDrift", HERE, Scene(moving=_moving("age"), features={"age": ""}), Found()) is None


def _exact(values: np.ndarray) -> Column:
    """A column whose sketch holds the values as they are: rounded they would lose a small unit."""
    held, counts = np.unique(values, return_counts=True)
    return replace(number(values), sketch_values=held, sketch_counts=counts)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.words)
@pytest.mark.parametrize("shape", ["normal", "skewed"])
def test_every_turn_of_unit_is_recognised_from_fresh_samples(unit, shape: str) -> None:
    random = np.random.default_rng(31)
    draw = {
        "normal": lambda size: random.normal(20, 8, size),
        "skewed": lambda size: random.lognormal(3, 0.8, size),
    }[shape]
    assert turned(_exact(unit.factor * draw(2000) + unit.offset), _exact(draw(5000))) == Turned(unit)


def test_units_that_so_few_values_cannot_tell_apart_are_all_named() -> None:
    random = np.random.default_rng(37)
    usual, now = random.lognormal(3, 1.2, 5000), 10 * random.lognormal(3, 1.2, 200)
    found = turned(_exact(now), _exact(usual))
    assert found is not None
    factors = [unit.factor for unit in (found.unit, *found.others)]
    assert 10 in factors
    assert 1 < len(factors) < 4
    assert found.words.endswith("(too few values to tell)")
    enough = turned(_exact(10 * random.lognormal(3, 1.2, 20_000)), _exact(random.lognormal(3, 1.2, 20_000)))
    assert enough is not None
    assert enough.words == "10 times what they were"


def test_shifts_widenings_and_steady_columns_are_no_turn_of_unit() -> None:
    random = np.random.default_rng(32)
    usual = number(random.normal(40, 10, 5000))
    for other in (
        random.normal(40, 10, 2000), random.normal(60, 10, 2000), random.normal(400, 10, 2000),
        random.normal(40, 25, 2000), random.normal(45, 12, 2000), random.exponential(40, 2000),
        np.full(2000, 4000.0),
    ):  # fmt: skip
        assert turned(number(other), usual) is None


def test_columns_without_spread_or_values_have_no_unit() -> None:
    assert turned(number(np.full(500, 100.0)), number(np.full(500, 1.0))) is None
    assert turned(number(np.repeat([0.0, 100.0], 250)), number(np.repeat([0.0, 1.0], 250))) is None
    assert turned(number([1.0] * 50), number(np.arange(500.0))) is None
    assert turned(category([500, 1, 1]), category([1, 500, 1])) is None
    assert turned(number([]), number(np.arange(500.0))) is None


def test_the_newest_pane_tells_while_the_window_is_still_half_of_before() -> None:
    random = np.random.default_rng(33)
    usual, turned_pane = random.normal(20, 8, 5000), random.normal(2000, 800, 500)
    mixed = number(np.concatenate([usual[:500], turned_pane]))
    held = window(mixed, pane=pane(3, number(turned_pane)))
    found = unit_change(held, "x", number(usual))
    assert found is not None
    assert found.unit.factor == 100
    assert unit_change(window(mixed), "x", number(usual)) is None


def _inquire(detector: str, kind: str, now: Window, usual: Window, column: str) -> Cause:
    verdict = Verdict(detector, kind, column, "firing", 1.0, 0.2, 1000, Evidence(""))
    scene = Scene(moving={Place("1", "", column)}, features={column: ""})
    found = inquire(verdict, Place("1", "", column), scene, now, usual)
    assert found is not None
    return found


def test_an_inquiry_tells_what_drives_it_then_the_likely_cause_in_one_sentence() -> None:
    random = np.random.default_rng(34)
    usual, now = random.normal(20, 8, 5000), 100 * random.normal(20, 8, 2000)
    found = _inquire("psi", "FeatureDrift", window(number(now)), window(number(usual)), "x")
    assert found.sentence.startswith("mean 19.8 → 2,000; ")
    assert "; likely the column's unit changed: at all deciles values are 100 times" in found.sentence
    assert found.told["likely"]["origin"] == "unit"
    assert found.told["sentence"] == found.sentence


def test_a_category_is_the_likely_cause_only_where_it_leads() -> None:
    usual = category([6000, 3000, 1000])
    leads = _inquire(
        "psi", "FeatureDrift", window(category([500, 280, 90], trial=130)), window(usual), "plan"
    )
    assert leads.told["likely"]["origin"] == "category"
    trails = _inquire(
        "psi", "FeatureDrift", window(category([100, 290, 600], trial=10)), window(usual), "plan"
    )
    assert "likely" not in trails.told


def test_a_column_that_was_always_missing_is_not_called_gone() -> None:
    usual, now = category([20, 10, 5], missing=965), category([2, 1, 0], missing=997)
    found = _inquire("missing_rate", "MissingValues", window(now), window(usual), "plan")
    assert "likely" not in found.told


@pytest.mark.parametrize(
    ("zeros", "place", "kind", "is_told"),
    [
        ({("1", "")}, HERE, "FeatureDrift", True),
        ({("1", "")}, HERE._replace(segment="country=fr"), "OutOfRange", True),
        ({("1", "country=fr")}, HERE._replace(segment="country=fr"), "FeatureDrift", True),
        ({("1", "")}, Place("1", "", "prediction"), "PredictionDrift", True),
        ({("1", "country=fr")}, HERE, "FeatureDrift", False),
        ({("2", "")}, HERE, "FeatureDrift", False),
        (set(), HERE, "FeatureDrift", False),
        ({("1", "")}, HERE._replace(column="plan"), "FeatureDrift", False),
        ({("1", "")}, Place("1", "", "recall"), "PerformanceDrop", False),
    ],
)
def test_zeros_that_come_for_numbers_are_blamed_for_what_they_move(zeros, place, kind, is_told) -> None:
    numbers = {"age", "price", "stock", "visits", "clicks"}
    scene = Scene(moving={place, HERE}, features=SOURCES, zeros=zeros, numbers=numbers)
    told = likely(kind, place, scene, Found())
    assert (told is not None and told.origin == "zeros") == is_told
    if is_told:
        assert told.sentence.startswith("a feature store that answers with zeros: AllZeroEvents fires too")
