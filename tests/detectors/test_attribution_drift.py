"""Attribution drift: other features drive the predictions, and are named; what chance does is none."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from detector_windows import attributed, contributions, window
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.attribution_drift import AttributionDrift, AttributionDriftParams
from detectors.attributions import Attributions, ndcg, ranks
from detectors.registry import build
from detectors.window import Window

SCALES = (1.0, 0.6, 0.45, 0.3, 0.1)
NAMES = ("income", "age", "city", "plan", "tenure")

gains = st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e3)), min_size=1, max_size=8)


def _window(held: Attributions | None, events: int | None = None) -> Window:
    count = events if events is not None else 0 if held is None else held.events
    return replace(window(events=count), attributions=held)


def _drawn(seed: int, size: int, *scales: float, mean: float = 0.2) -> Window:
    values = contributions(np.random.default_rng(seed), size, *scales, mean=mean)
    return _window(attributed(values, names=NAMES[: len(scales)]))


REFERENCE = _drawn(1, 20_000, *SCALES)


def _published_ndcg(gain: dict[str, float], ranking: list[str]) -> float:
    """DCG as Järvelin and Kekäläinen write it, recursively, in the form with log2(1 + rank)."""

    def dcg(names: list[str]) -> float:
        return gain[names[-1]] / math.log2(1 + len(names)) + dcg(names[:-1]) if names else 0.0

    return dcg(ranking) / dcg(sorted(gain, key=lambda name: -gain[name]))


@given(usual=gains, data=st.data())
def test_ndcg_is_that_of_the_definition(usual: list[float], data: Any) -> None:
    order = data.draw(st.permutations(range(len(usual))))
    places = np.array([order.index(at) + 1 for at in range(len(usual))])
    found = ndcg(np.array(usual), places)
    if any(usual):
        named = {str(at): gain for at, gain in enumerate(usual)}
        assert found == pytest.approx(_published_ndcg(named, [str(at) for at in order]), rel=1e-12)
    else:
        assert found == 1.0


def test_ndcg_of_a_worked_example() -> None:
    wanted = (2 + 3 / math.log2(3) + 1 / 2) / (3 + 2 / math.log2(3) + 1 / 2)
    assert ndcg(np.array([3.0, 2.0, 1.0]), np.array([2, 1, 3])) == pytest.approx(wanted, rel=1e-12)
    assert wanted == pytest.approx(0.9225, abs=1e-4)


@given(usual=gains, data=st.data())
def test_ranks_are_by_size_and_ties_stand_as_before(usual: list[float], data: Any) -> None:
    now = data.draw(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=len(usual), max_size=len(usual)))
    before = ranks(np.array(usual))
    after = ranks(np.array(now), np.array(usual))
    assert sorted(after.tolist()) == list(range(1, len(usual) + 1))
    for one in range(len(usual)):
        for other in range(len(usual)):
            if now[one] > now[other] or (now[one] == now[other] and usual[one] > usual[other]):
                assert after[one] < after[other]
    assert ranks(np.array(usual), np.array(usual)).tolist() == before.tolist()


def test_a_rank_flip_fires_and_names_the_features_with_their_ranks() -> None:
    flipped = _drawn(2, 1_000, 0.3, 0.6, 0.45, 1.0, 0.1)
    verdict = build("attribution_drift", {"value_threshold": 50}).observe(flipped, REFERENCE)
    assert verdict.status == "firing"
    assert verdict.kind == "AttributionDrift"
    said = verdict.evidence.sentence
    assert "income 1st → 4th" in said
    assert "plan 4th → 1st" in said
    assert "nDCG 0." in said
    assert set(list(verdict.evidence.details["features"])[:2]) == {"income", "plan"}
    assert verdict.evidence.details["features"]["income"]["rank"] == [1, 4]
    assert sum(verdict.evidence.reference) == pytest.approx(1.0)
    sizes = [
        float(np.abs(contributions(np.random.default_rng(1), 20_000, *SCALES)[:, at]).mean())
        for at in range(5)
    ]
    wanted = _published_ndcg(
        dict(zip(NAMES, sizes, strict=True)), ["plan", "age", "city", "income", "tenure"]
    )
    assert verdict.score == pytest.approx(1 - wanted, abs=1e-9)


def test_neighbours_that_change_places_are_no_alert() -> None:
    swapped = _drawn(3, 5_000, 0.95, 0.6, 0.3, 0.45, 0.1)
    verdict = build("attribution_drift", {}).observe(swapped, REFERENCE)
    assert verdict.status == "ok"
    assert "plan (4th → 3rd) mean size 0.242 → 0.379" in verdict.evidence.sentence


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda values: values * 2.5, "income mean size"),
        (lambda values: values * [-1, 1, 1, 1, 1], "income mean 0.6"),
        (lambda values: values * 0, "income mean size 0.938 → 0"),
    ],
    ids=["another scale", "another sign", "all zero"],
)  # fmt: skip
def test_values_that_change_under_the_same_ranks_fire(change: Any, said: str) -> None:
    usual = contributions(np.random.default_rng(4), 20_000, *SCALES, mean=0.6)
    now = change(contributions(np.random.default_rng(5), 1_000, *SCALES, mean=0.6))
    verdict = build("attribution_drift", {}).observe(
        _window(attributed(now, names=NAMES)), _window(attributed(usual, names=NAMES))
    )
    assert verdict.status == "firing"
    assert verdict.evidence.details["way"] == "value"
    assert said in verdict.evidence.sentence


def test_the_change_of_values_is_as_defined() -> None:
    usual = np.random.default_rng(6).normal(0.5, 1.0, size=(4_000, 3))
    now = np.random.default_rng(7).normal(0.8, 1.0, size=(900, 3)) * [1, -1, 2]
    verdict = build("attribution_drift", {}).observe(_window(attributed(now)), _window(attributed(usual)))
    total, moved = 0.0, 0.0
    for feature in range(3):
        before, after = usual[:, feature].tolist(), now[:, feature].tolist()
        sizes = [sum(map(abs, side)) / len(side) for side in (before, after)]
        means = [sum(side) / len(side) for side in (before, after)]
        total += sizes[0]
        moved += max(abs(sizes[1] - sizes[0]), abs(means[1] - means[0]))
    assert verdict.evidence.details["change"] == pytest.approx(moved / total, rel=1e-9)
    assert verdict.status == "firing"


def _heavy(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    common = rng.normal(size=(size, 1))
    return np.asarray((common + rng.standard_t(4, size=(size, 6))) * [0.5, 0.5, 0.5, 0.45, 0.45, 0.4])


@pytest.mark.parametrize("size", [100, 1_000])
@pytest.mark.parametrize("draw", [lambda rng, n: contributions(rng, n, 1.0, 0.98, 0.96, 0.5), _heavy])
def test_chance_passes_the_threshold_as_seldom_as_alpha_says(draw: Any, size: int) -> None:
    detector = build("attribution_drift", {"alpha": 0.05, "threshold": 0.001, "value_threshold": 0.01})
    fired = 0
    for seed in range(300):
        rng = np.random.default_rng([seed, size])
        usual, now = attributed(draw(rng, 2_000)), attributed(draw(rng, size))
        fired += detector.observe(_window(now), _window(usual)).status == "firing"
    assert fired <= 0.05 * 300 + 3 * math.sqrt(0.05 * 300)


def test_the_threshold_falls_with_samples_and_never_below_the_practical_effect() -> None:
    flipped = (0.3, 0.6, 0.45, 1.0, 0.1)
    few, many = (
        build("attribution_drift", {"value_threshold": 50}).observe(_drawn(8, size, *flipped), REFERENCE)
        for size in (100, 50_000)
    )
    assert few.threshold > many.threshold == 0.1
    strict = build("attribution_drift", {"value_threshold": 50, "threshold": 0.5})
    assert strict.observe(_drawn(8, 50_000, *flipped), REFERENCE).status == "ok"


def test_one_wild_event_is_no_drift() -> None:
    values = contributions(np.random.default_rng(9), 1_000, *SCALES)
    values[17, 4] = 1e9
    verdict = build("attribution_drift", {}).observe(_window(attributed(values, names=NAMES)), REFERENCE)
    assert verdict.status == "ok"


def test_features_are_held_against_each_other_by_name() -> None:
    usual = REFERENCE.attributions
    assert usual is not None
    turned = usual.only(NAMES[::-1])
    detector = build("attribution_drift", {})
    same = detector.observe(_drawn(10, 2_000, *SCALES), _window(turned))
    assert same.status == "ok"
    assert same.score == detector.observe(_drawn(10, 2_000, *SCALES), REFERENCE).score


@pytest.mark.parametrize(
    ("current", "usual", "said"),
    [
        (_window(None, 900), REFERENCE, "0 of 100 events"),
        (_drawn(11, 60, *SCALES), REFERENCE, "60 of 100 events"),
        (_drawn(11, 900, *SCALES), None, "no reference"),
        (_drawn(11, 900, *SCALES), _window(None, 900), "build it again"),
        (_drawn(11, 900, *SCALES), _drawn(12, 50, *SCALES), "the reference has 50 of 200 events"),
        (_drawn(11, 900, *SCALES), _window(attributed(np.zeros((900, 5)), names=NAMES)), "are 0"),
    ],
)  # fmt: skip
def test_what_is_lacking_is_said(current: Window, usual: Window | None, said: str) -> None:
    verdict = build("attribution_drift", {}).observe(current, usual)
    assert verdict.status == "insufficient"
    assert said in verdict.evidence.sentence


def test_it_is_idle_where_neither_side_has_attributions_alone() -> None:
    detector = build("attribution_drift", {})
    without, held = _window(None, 900), _drawn(13, 900, *SCALES)
    assert detector.is_idle(without, without)
    assert detector.is_idle(without, None)
    assert not detector.is_idle(held, without)
    assert not detector.is_idle(without, held)


def _with_spans(parts: Sequence[NDArray[np.float64]]) -> Window:
    whole = attributed(np.concatenate(parts), names=NAMES)
    rows = [np.concatenate(([len(one)], np.abs(one).sum(axis=0), one.sum(axis=0))) for one in parts]
    return _window(replace(whole, spans=(np.array(rows),)))


def _without_spans(held: Window) -> Window:
    assert held.attributions is not None
    return _window(replace(held.attributions, spans=()))


def _day(seed: int, spans: int, swing: float) -> list[NDArray[np.float64]]:
    """Spans of 400 events in which income counts for more and less, as by the hour of the day."""
    rng = np.random.default_rng(seed)
    wave = 1 + swing * np.sin(np.arange(spans) * 2 * np.pi / 24)
    return [contributions(rng, 400, *SCALES) * [height, 1, 1, 1, 1] for height in wave]


def test_what_the_reference_swings_itself_is_usual() -> None:
    day = _day(20, 96, 0.9)
    usual = _with_spans(day)
    crest = contributions(np.random.default_rng(21), 2_000, *SCALES) * [1.9, 1, 1, 1, 1]
    held = _window(attributed(crest, names=NAMES))
    assert build("attribution_drift", {}).observe(held, _without_spans(usual)).status == "firing"
    assert build("attribution_drift", {}).observe(held, usual).status == "ok"
    flipped = _drawn(22, 2_000, 0.3, 0.6, 0.45, 3.0, 0.1)
    verdict = build("attribution_drift", {}).observe(flipped, usual)
    assert verdict.status == "firing"
    assert "plan (4th → 1st)" in verdict.evidence.sentence


def test_sampling_alone_does_not_pass_for_a_swing() -> None:
    usual = _with_spans(_day(23, 60, 0.0))
    current = _drawn(24, 1_000, *SCALES)
    with_spans, without = (
        build("attribution_drift", {}).observe(current, one) for one in (usual, _without_spans(usual))
    )
    assert with_spans.threshold == without.threshold


def test_features_picked_by_name_keep_their_spans() -> None:
    held = _with_spans(_day(25, 10, 0.5)).attributions
    assert held is not None
    (rows,) = held.only(("plan", "income")).spans
    (every,) = held.spans
    np.testing.assert_array_equal(rows, every[:, [0, 4, 1, 9, 6]])


def test_a_drifted_window_holds_back_what_a_trailing_reference_takes_for_a_swing_also_over_a_restart() -> (
    None
):
    healthy = _day(26, 40, 0.0)
    drifted = [
        contributions(np.random.default_rng(27 + at), 400, 0.1, 0.6, 0.45, 3.0, 0.1) for at in range(3)
    ]
    now = _window(attributed(drifted[0], names=NAMES))
    swallowed = _with_spans(healthy + drifted)
    detector, restored, fresh = (AttributionDrift(AttributionDriftParams()) for _ in range(3))
    assert detector.observe(now, _with_spans(healthy)).status == "firing"
    restored.restore(json.loads(json.dumps(detector.snapshot())))
    assert fresh.observe(now, swallowed).status == "ok"
    assert restored.observe(now, swallowed).status == "firing"
    assert detector.observe(now, swallowed) == restored.observe(now, swallowed)
    calm = _window(attributed(healthy[0], names=NAMES))
    restored.observe(calm, swallowed)
    assert restored.snapshot() is None


def test_swings_that_are_held_back_are_taken_up_again_to_the_bit() -> None:
    usual = _with_spans(_day(30, 96, 0.9))
    turned = _drawn(31, 2_000, 0.3, 0.6, 0.45, 2.2, 0.1)
    live, restored = (AttributionDrift(AttributionDriftParams()) for _ in range(2))
    live.observe(turned, usual)
    snapshot = json.loads(json.dumps(live.snapshot()))
    assert [place for place, *_ in snapshot["swings"][0]] == [0]  # income alone swings
    restored.restore(snapshot)
    assert restored.snapshot() == live.snapshot()
    still = _without_spans(usual)
    assert restored.observe(turned, still) == live.observe(turned, usual)
