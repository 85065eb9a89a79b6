"""Columns that vanish or appear, and the alert kinds that speak for it."""

from dataclasses import replace

import numpy as np
import pytest
from detector_windows import category, make, number, window

from detectors.registry import DETECTORS
from detectors.window import Column, Window

ABSENT = Column("x", "number", missing=3000)
RARE = number(np.random.default_rng(0).normal(size=100), missing=9900)
USUAL = number(np.random.default_rng(1).normal(size=10_000))


def test_a_rare_column_that_is_gone_fires_though_the_missing_rate_hardly_moved() -> None:
    now, usual = window(ABSENT), window(RARE)
    assert make("missing_rate", "number").observe(now, usual).status == "ok"
    verdict = make("vanished_column", "number").observe(now, usual)
    assert verdict.status == "firing"
    assert verdict.evidence.sentence == "x: none of 3,000 events carry it (reference 1 %)"


def test_a_column_that_is_gone_is_one_alert_whichever_detector_finds_it() -> None:
    kinds = {
        verdict.kind
        for name in DETECTORS.keys() - {"expectation"}
        if "number" in DETECTORS[name].targets
        and (verdict := make(name, "number").observe(window(ABSENT), window(USUAL))).status == "firing"
    }
    assert kinds == {"MissingValues"}


@pytest.mark.parametrize("left", [1, 2000])
def test_one_event_that_carries_it_is_enough_to_be_there(left: int) -> None:
    now = window(number(np.zeros(left), missing=3000 - left))
    assert make("vanished_column", "number").observe(now, window(RARE)).score == 0.0


def test_few_events_do_not_show_that_a_rare_column_is_gone() -> None:
    now = window(replace(ABSENT, missing=600))
    assert make("vanished_column", "number").observe(now, window(RARE)).status == "ok"


def test_chance_makes_a_rare_column_vanish_no_more_often_than_alpha() -> None:
    rng = np.random.default_rng(2)
    detector = make("vanished_column", "number", alpha=0.05, threshold=0.0)
    fired = 0
    for _ in range(3000):
        held, usually = int(rng.binomial(600, 0.004)), int(rng.binomial(2000, 0.004))
        now = window(Column("x", "number", count=held, missing=600 - held))
        usual = window(Column("x", "number", count=usually, missing=2000 - usually))
        fired += detector.observe(now, usual).status == "firing"
    assert 0 < fired <= 0.05 * 3000


@pytest.mark.parametrize("column", [USUAL, category([6000, 3000, 1000], name="x")])
def test_a_column_the_reference_never_had_appears(column: Column) -> None:
    usual = Column("x", column.kind, missing=5000)
    verdict = make("appeared_column", "number").observe(window(column), window(usual))
    assert (verdict.kind, verdict.status) == ("ColumnAppeared", "firing")
    assert verdict.evidence.sentence == (
        "x: 100 % of 10,000 events carry it (reference 0 %), excess 100 % > 2 %"
    )


@pytest.mark.parametrize(
    ("now", "usual"),
    [
        (USUAL, number(np.zeros(1000), missing=4000)),
        (number(np.zeros(10), missing=9990), Column("x", "number", missing=5000)),
        (ABSENT, Column("x", "number", missing=5000)),
    ],
)
def test_what_the_reference_knows_or_next_to_nothing_carries_has_not_appeared(
    now: Column, usual: Column
) -> None:
    assert make("appeared_column", "number").observe(window(now), window(usual)).status == "ok"


@pytest.mark.parametrize("name", ["vanished_column", "appeared_column"])
@pytest.mark.parametrize("usual", [None, window(), window(Column("x", "number"))])
def test_without_rows_in_the_reference_it_is_insufficient(name: str, usual: Window | None) -> None:
    verdict = make(name, "number").observe(window(USUAL), usual)
    assert verdict.status == "insufficient"
    assert "no reference" in verdict.evidence.sentence
