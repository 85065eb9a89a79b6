"""Correlation drift: flips fire and are named, what single features do does not."""

import json
from dataclasses import replace

import numpy as np
import pytest
from detector_windows import correlated, paired, window

from detectors.cause.inquiry import Cause, inquire
from detectors.cause.scene import Place, Scene
from detectors.correlation_drift import CorrelationDrift, CorrelationDriftParams
from detectors.pairs import Pairs
from detectors.registry import build
from detectors.sentence import figure
from detectors.window import Window


def _window(pairs: Pairs | None) -> Window:
    events = 0 if pairs is None else int(pairs.gram[0, 0])
    return replace(window(events=events), pairs=pairs)


def _drawn(seed: int, size: int, *given: float, shift: float = 0.0) -> Window:
    return _window(paired(correlated(np.random.default_rng(seed), size, *given, shift=shift)))


def _with_spans(spans: list[Pairs]) -> Pairs:
    rows = np.array([np.concatenate((one.counts.reshape(-1), one.gram.reshape(-1))) for one in spans])
    counts, gram = sum(one.counts for one in spans), sum(one.gram for one in spans)
    return Pairs(spans[0].names, np.asarray(counts), np.asarray(gram), (rows,))


REFERENCE = _drawn(1, 20_000, 0.7, 0.0, -0.4)


def test_a_flip_fires_and_names_the_pair_and_its_features() -> None:
    verdict = build("correlation_drift", {}).observe(_drawn(2, 1_000, -0.7, 0.0, -0.4), REFERENCE)
    assert verdict.status == "firing"
    assert verdict.kind == "MultivariateDrift"
    assert verdict.score > 1.2
    assert "f0 and f1: correlation 0.6" in verdict.evidence.sentence
    pairs = verdict.evidence.details["pairs"]
    assert pairs[0]["features"] == ["f0", "f1"]
    assert {"f0", "f1"} <= set(list(verdict.evidence.details["features"])[:3])


def test_a_feature_that_goes_its_own_way_leads_the_features() -> None:
    rng = np.random.default_rng(3)
    values = correlated(rng, 20_000, 0.8, 0.8, 0.8)
    usual = _window(paired(values))
    parted = correlated(rng, 2_000, 0.8, 0.8, 0.8)
    parted[:, 2] = rng.normal(size=2_000)
    verdict = build("correlation_drift", {}).observe(_window(paired(parted)), usual)
    assert verdict.status == "firing"
    assert next(iter(verdict.evidence.details["features"])) == "f2"
    assert "2 further pairs" in verdict.evidence.sentence


def _told(now: Window, usual: Window) -> Cause:
    verdict = build("correlation_drift", {}).observe(now, usual)
    assert verdict.status == "firing"
    found = inquire(verdict, Place("", "", ""), Scene(), now, usual)
    assert found is not None
    return found


def test_the_cause_names_pairs_with_direction_and_share_of_what_changed_by_hand() -> None:
    now = _drawn(2, 4_000, -0.7, 0.5, -0.4)
    cause = _told(now, REFERENCE)
    verdict = build("correlation_drift", {}).observe(now, REFERENCE)
    drivers = cause.told["drivers"]
    first = drivers[0]
    assert (first["what"], first["direction"]) == ("f0~f1", "down")
    assert {one["what"]: one["direction"] for one in drivers} == {
        "f0~f1": "down", "f0~f2": "up", "f1~f2": "down", "f1~f3": "up", "f2~f3": "down",
    }  # fmt: skip
    assert first["reference"] == verdict.evidence.details["pairs"][0]["correlation"][0] > 0.6
    # The limit is the given one at these many rows, so that it falls out of the parts.
    assert verdict.threshold == 0.2
    squares = [(one["current"] - one["reference"]) ** 2 for one in drivers]
    assert [one["share"] for one in drivers] == pytest.approx(
        [one / sum(squares) for one in squares], abs=0.001
    )
    assert cause.sentence.startswith(
        f"f0~f1 {figure(first['reference'], 2)} → {figure(first['current'], 2)} ("
    )
    assert f"% of the shift); {drivers[1]['what']} " in cause.sentence
    assert "; features: f1 4" in cause.sentence


def test_a_feature_at_the_wrong_events_is_the_likely_cause_and_one_pair_has_none() -> None:
    rng = np.random.default_rng(3)
    usual = _window(paired(correlated(rng, 20_000, 0.8, 0.8, 0.8)))
    parted = correlated(rng, 2_000, 0.8, 0.8, 0.8)
    parted[:, 2] = rng.permutation(parted[:, 2])
    cause = _told(_window(paired(parted)), usual)
    assert cause.told["likely"]["origin"] == "column"
    assert "likely values of 'f2' at the wrong events" in cause.sentence
    assert cause.sentence.endswith("it is in all 3 pairs that changed")
    assert cause.told["features"][0] == {
        "what": "f2", "share": 0.5, "direction": "", "reference": None, "current": None,
    }  # fmt: skip
    verdict = build("correlation_drift", {}).observe(_window(paired(parted)), usual)
    zeros = inquire(verdict, Place("", "", ""), Scene(zeros={("", "")}), _window(paired(parted)), usual)
    assert zeros is not None
    assert zeros.told["likely"]["origin"] == "zeros"
    alone = _told(_drawn(2, 1_000, -0.7), _drawn(1, 20_000, 0.7))
    assert [one["what"] for one in alone.told["drivers"]] == ["f0~f1"]
    assert "likely" not in alone.told
    assert alone.sentence.endswith("(100 % of the shift)")


def test_shifts_of_single_features_are_left_to_others() -> None:
    verdict = build("correlation_drift", {}).observe(_drawn(4, 2_000, 0.7, 0.0, -0.4, shift=0.5), REFERENCE)
    assert verdict.status == "ok"


def test_noise_passes_the_threshold_as_seldom_as_alpha_says() -> None:
    detector = build("correlation_drift", {"alpha": 0.02, "threshold": 0.01, "min_samples": 100})
    fired = sum(
        detector.observe(_drawn(100 + seed, 300, 0.7, 0.0, -0.4), REFERENCE).status == "firing"
        for seed in range(600)
    )
    assert fired <= 0.02 * 600 + 3 * np.sqrt(0.02 * 600)


@pytest.mark.parametrize("size", [500, 20_000])
def test_the_threshold_follows_the_samples_down_to_the_given_one(size: int) -> None:
    verdict = build("correlation_drift", {}).observe(_drawn(5, size, 0.7, 0.0, -0.4), REFERENCE)
    assert (verdict.threshold > 0.2) == (size == 500)
    assert verdict.threshold >= 0.2


def _swinging(seed: int, spans: int) -> list[Pairs]:
    rng = np.random.default_rng(seed)
    return [paired(correlated(rng, 1_000, 0.5 + 0.3 * float(np.sin(place)))) for place in range(spans)]


def test_what_the_reference_swings_itself_is_usual() -> None:
    spans = _swinging(6, 60)
    plain = _with_spans(spans)
    blind = replace(plain, spans=())
    swung = _window(spans[np.argmax([one.of_pairs.values[0] for one in spans])])
    assert build("correlation_drift", {}).observe(swung, _window(blind)).status == "firing"
    assert build("correlation_drift", {}).observe(swung, _window(plain)).status == "ok"
    flipped = _drawn(7, 1_000, -0.9)
    assert build("correlation_drift", {}).observe(flipped, _window(plain)).status == "firing"


def test_sampling_alone_does_not_pass_for_a_swing() -> None:
    rng = np.random.default_rng(8)
    spans = [paired(correlated(rng, 400, 0.5, 0.1)) for _ in range(60)]
    told = _with_spans(spans)
    current = _drawn(9, 1_000, 0.5, 0.1)
    with_spans = build("correlation_drift", {}).observe(current, _window(told))
    without = build("correlation_drift", {}).observe(current, _window(replace(told, spans=())))
    assert with_spans.threshold == without.threshold


def test_a_drifted_window_holds_back_what_a_trailing_reference_takes_for_a_swing_also_over_a_restart() -> (
    None
):
    rng = np.random.default_rng(10)
    healthy = [paired(correlated(rng, 1_000, 0.7)) for _ in range(40)]
    drifted = [paired(correlated(rng, 1_000, -0.7)) for _ in range(3)]
    detector = CorrelationDrift(CorrelationDriftParams())
    assert detector.observe(_window(drifted[0]), _window(_with_spans(healthy))).status == "firing"
    restored = CorrelationDrift(CorrelationDriftParams())
    restored.restore(json.loads(json.dumps(detector.snapshot())))
    swallowed = _window(_with_spans(healthy + drifted))
    assert CorrelationDrift(CorrelationDriftParams()).observe(_window(drifted[2]), swallowed).status == "ok"
    assert restored.observe(_window(drifted[2]), swallowed).status == "firing"
    assert detector.observe(_window(drifted[2]), swallowed) == restored.observe(
        _window(drifted[2]), swallowed
    )


def test_a_pair_without_variation_or_rows_is_not_judged_and_the_rest_is() -> None:
    values = correlated(np.random.default_rng(11), 1_000, -0.7, 0.0, -0.4)
    values[:, 1] = 0.3
    values[100:, 3] = np.nan
    verdict = build("correlation_drift", {}).observe(_window(paired(values)), REFERENCE)
    assert verdict.status == "ok"
    assert verdict.evidence.sentence.startswith("f0 and f2")


@pytest.mark.parametrize(
    ("current", "usual", "said"),
    [
        (_window(None), REFERENCE, "0 of 500 events"),
        (replace(_window(None), events=900), REFERENCE, "none were counted"),
        (_drawn(12, 900, 0.5), None, "no reference"),
        (_drawn(12, 900, 0.5), _window(None), "build it again"),
        (_drawn(12, 900, 0.5), _window(paired(correlated(np.random.default_rng(1), 900, 0.5), names=("a", "b"))),
         "has not counted these pairs"),
        (_window(paired(np.zeros((900, 2)))), REFERENCE, "no pair varies"),
    ],
)  # fmt: skip
def test_what_is_lacking_is_said(current: Window, usual: Window | None, said: str) -> None:
    verdict = build("correlation_drift", {}).observe(current, usual)
    assert verdict.status == "insufficient"
    assert said in verdict.evidence.sentence
