"""Duplicates as profiles count them, judged: chance does not fire, ids sent again do."""

import numpy as np
import pytest
from prediction_events import monitor

from detectors.duplicates import STANDARD_ERROR
from detectors.registry import build
from detectors.window import Window
from streams import sketch
from streams.layout import compile_layout
from streams.profile import ID_REGISTER_BITS, Profile
from streams.window import window_of

LAYOUT = compile_layout(monitor(features={}))


def seen(ids: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> Window:
    profile = Profile(LAYOUT, events=ids.size)
    sketch.observe_hashes(profile.ids, sketch.mixed(ids), ID_REGISTER_BITS)
    return window_of(profile, version="", segment="", start_ms=0, end_ms=1)


def test_the_detector_knows_the_error_of_the_sketch() -> None:
    assert STANDARD_ERROR == 1.04 / 2 ** (ID_REGISTER_BITS / 2)


@pytest.mark.parametrize("events", [600, 5000, 9000, 11_000, 14_000, 30_000, 100_000])
def test_ids_that_are_all_different_do_not_fire(events: int) -> None:
    rng = np.random.default_rng(events)
    detector = build("duplicates", {"threshold": 0.0})
    reference = seen(rng.integers(0, 2**63, 20_000).astype(np.uint64))
    for _ in range(60):
        window = seen(rng.integers(0, 2**63, events).astype(np.uint64))
        assert detector.observe(window, reference).status == "ok"
        assert detector.observe(window, None).status == "ok"


@pytest.mark.parametrize("events", [600, 11_000, 100_000])
def test_ids_sent_again_fire(events: int) -> None:
    ids = np.random.default_rng(0).integers(0, 2**63, events).astype(np.uint64)
    again = np.concatenate([ids, ids[: events // 4]])
    verdict = build("duplicates", {}).observe(seen(again), seen(ids))
    assert verdict.status == "firing"
    assert verdict.score == pytest.approx(0.2, abs=0.06)
