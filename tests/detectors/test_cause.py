"""What drives a verdict: its score taken apart by hand, in words and figures."""

import math
from typing import Any

import numpy as np
import pytest
from detector_windows import PLANS, binned, category, number, window

from detectors.base import Verdict
from detectors.cause.drivers import RARE, drivers_of
from detectors.cause.moved import moved
from detectors.cause.ranked import Ranked, ranked
from detectors.registry import build
from detectors.sentence import figure
from detectors.window import Column, Window


def _verdict(detector: str, now: Window, usual: Window | None, column: str, **params: Any) -> Verdict:
    verdict = build(detector, {"min_samples": 100} | params, column).observe(now, usual)
    assert verdict.status == "firing"
    return verdict


def _cause(detector: str, now: Column, usual: Column | None, **params: Any) -> Ranked:
    held = window(now), None if usual is None else window(usual)
    found = ranked(_verdict(detector, *held, now.name, **params), *held)
    assert found is not None
    return found


def _index_by_hand(now: list[int], usual: list[int]) -> list[float]:
    """The index's terms, one event a bin added to each side, from the formula and in plain Python."""
    n, m, bins = sum(now), sum(usual), len(now)
    terms = []
    for a, b in zip(now, usual, strict=True):
        spread = (a / n + b / m) / 2 * bins
        p, q = (a + spread) / (n + bins), (b + spread) / (m + bins)
        terms.append((p - q) * math.log(p / q))
    return terms


def test_the_shares_are_those_of_the_index_and_add_up_to_one() -> None:
    now, usual = [300, 300, 400], [500, 300, 200]
    found = _cause("psi", binned(now), binned(usual), threshold=0.05)
    terms = _index_by_hand(now, usual)
    verdict = _verdict("psi", window(binned(now)), window(binned(usual)), "x", threshold=0.05)
    assert verdict.score == pytest.approx(sum(terms))
    by_name = {one.what: one.share * verdict.score for one in found.drivers}
    assert [by_name[str(at)] for at in range(3)] == pytest.approx(terms)
    assert [(one.what, one.direction) for one in found.drivers] == [("2", "up"), ("0", "down"), ("1", "")]
    assert sum(one.share for one in found.drivers) == pytest.approx(1)


@pytest.mark.parametrize(
    ("detector", "term"),
    [
        ("total_variation", lambda p, q: abs(p - q)),
        ("hellinger", lambda p, q: (math.sqrt(p) - math.sqrt(q)) ** 2),
        ("chi_square", lambda p, q: (p - q) ** 2 / (p + q)),
        (
            "jensen_shannon",
            lambda p, q: p * math.log(2 * p / (p + q)) + q * math.log(2 * q / (p + q)),
        ),
    ],
)
def test_each_distance_is_taken_apart_by_its_own_formula(detector: str, term: Any) -> None:
    now, usual = [100, 300, 600], [500, 300, 200]
    terms = [term(a / 1000, b / 1000) for a, b in zip(now, usual, strict=True)]
    found = drivers_of(detector, binned(now), binned(usual), with_missing=False)
    shares = {one.what: one.share for one in found}
    assert [shares[str(at)] for at in range(3)] == pytest.approx([one / sum(terms) for one in terms])


def test_a_number_tells_its_mean_and_where_values_went() -> None:
    random = np.random.default_rng(4)
    usual, now = number(random.normal(size=4000)), number(random.normal(2, 1, size=1000))
    found = _cause("psi", now, usual)
    assert found.sentence.startswith(f"mean {figure(usual.mean)} → {figure(now.mean)}; values bin 7 ")
    assert found.drivers[0].what == "bin 7"
    assert found.drivers[0].direction == "up"
    assert found.sentence.count("of the score") <= 3


def test_a_new_category_is_named_with_its_share() -> None:
    found = _cause("psi", category([500, 300, 80], trial=120), category([600, 300, 100]))
    assert found.sentence.startswith("12 % new category 'trial' (")
    assert found.drivers[0].what == "trial"
    new = _cause("new_categories", category([500, 300, 80], trial=90, beta=30), category([600, 300, 100]))
    assert new.sentence == "9 % new category 'trial'; 3 % new category 'beta'"
    assert [one.share for one in new.drivers] == pytest.approx([0.75, 0.25])


def test_a_category_known_to_the_reference_is_not_called_new() -> None:
    found = _cause("psi", category([400, 300, 100], rest=200), category([600, 300, 95], rest=5))
    assert "new" not in found.sentence
    assert found.sentence.startswith("'other' 0.5 % → 20 %")


def test_missing_values_tell_before_and_now_and_do_without_a_reference() -> None:
    now, usual = number(np.zeros(600), missing=400), number(np.zeros(950), missing=50)
    assert _cause("missing_rate", now, usual).sentence == "missing values 5 % → 40 %"
    bare = _cause("missing_rate", now, None, required=True)
    assert bare.sentence == "missing values 40 %"
    assert bare.told()["drivers"] == [
        {"what": "missing", "share": 1.0, "direction": "", "reference": None, "current": 0.4}
    ]


def test_missing_values_are_a_bin_of_a_lasting_shift_but_not_of_the_index() -> None:
    now, usual = category([500, 300, 100], missing=300), category([5000, 3000, 1000], missing=10)
    shift = drivers_of("lasting_shift", now, usual, with_missing=True)
    assert shift[0].what == "missing"
    assert shift[0].words.startswith("missing values 0.111 % → 25 %")
    assert shift[0].words.endswith("of the shift)")
    assert drivers_of("psi", now, usual, with_missing=False) == []


def test_categories_that_are_gone_and_values_out_of_range_are_named() -> None:
    gone = _cause("vanished_categories", category([900, 100, 0]), category([5000, 2000, 3000]))
    assert gone.sentence == "'team' 30 % → 0 %"
    values = np.append(np.linspace(20, 90, 900), np.full(100, 700.0))
    out = _cause("out_of_range", number(values, low=18, high=100), number(np.linspace(20, 90, 900)))
    assert out.sentence == "mean 55 → 119; values out of range 0 % → 10 %, values from 20 to 700"


def test_rare_bins_are_told_together() -> None:
    listed = [f"c{at}" for at in range(40)]
    usual = category([2000, *[2] * 39], listed=listed)
    now = category([500, *[3] * 39], listed=listed)
    found = drivers_of("psi", now, usual, with_missing=False)
    assert {one.what for one in found} == {"c0", RARE}


def test_columns_that_are_counted_otherwise_have_no_drivers() -> None:
    assert drivers_of("psi", binned([1, 2]), binned([1, 2, 3]), with_missing=False) == []
    assert drivers_of("psi", binned([0, 0]), binned([1, 2]), with_missing=False) == []


def _features(shifts: dict[str, float], size: int, seed: int) -> list[Column]:
    random = np.random.default_rng(seed)
    return [number(random.normal(by, 1, size), name=name) for name, by in shifts.items()]


def test_drift_of_a_prediction_names_the_features_that_moved_with_it() -> None:
    still = {f"f{at}": 0.0 for at in range(50)}
    usual = window(number(np.full(4000, 0.0), name="prediction"), *_features(still, 4000, 1))
    now = window(
        number(np.full(1000, 2.0), name="prediction"),
        *_features(still | {"f7": 2.0, "f9": 1.0}, 1000, 2),
    )
    found = ranked(_verdict("prediction_drift", now, usual, "prediction"), now, usual)
    assert found is not None
    assert [one.what for one in found.features] == ["f7", "f9"]
    assert sum(one.share for one in found.features) == pytest.approx(1)
    assert "features that moved with it: f7 " in found.sentence
    own = _verdict("psi", now, usual, "f7").score, _verdict("psi", now, usual, "f9").score
    assert found.features[0].share == pytest.approx(own[0] / sum(own), abs=0.01)


def test_drift_of_a_prediction_alone_says_so() -> None:
    usual = window(number(np.full(4000, 0.0), name="prediction"), *_features({"a": 0, "b": 0}, 4000, 1))
    now = window(number(np.full(1000, 2.0), name="prediction"), *_features({"a": 0, "b": 0}, 1000, 2))
    found = ranked(_verdict("prediction_drift", now, usual, "prediction"), now, usual)
    assert found is not None
    assert found.sentence.endswith("; no feature moved with it")


def test_features_that_only_vary_by_chance_are_not_named() -> None:
    names = {f"f{at}": 0.0 for at in range(200)}
    named = [
        moved(window(*_features(names, 600, seed)), window(*_features(names, 5000, 1000 + seed))).drivers
        for seed in range(10)
    ]
    assert [len(one) for one in named] == [0] * 10


def test_what_is_no_matter_of_a_column_has_no_cause() -> None:
    now = window(category([1, 2, 3], listed=PLANS), errors=6)
    verdict = build("error_rate", {"min_samples": 1, "threshold": 0.01}).observe(now, None)
    assert verdict.status == "firing"
    assert ranked(verdict, now, None) is None
