"""Vanished categories: gone or nearly, of notable share, and improbable by chance."""

from dataclasses import replace

import numpy as np
import pytest
from detector_windows import category, make, window

USUAL = window(category([6000, 3800, 200]))


def test_a_category_that_is_gone_fires_by_name() -> None:
    verdict = make("vanished_categories").observe(window(category([1900, 1100, 0])), USUAL)
    assert verdict.status == "firing"
    assert verdict.score == pytest.approx(0.02)
    assert verdict.evidence.sentence == "plan: 2 % of the reference gone over 3,000 events, now 0 %: team"


def test_one_nearly_gone_fires_and_one_halved_does_not() -> None:
    assert make("vanished_categories").observe(window(category([2900, 90, 10])), USUAL).status == "firing"
    halved = make("vanished_categories").observe(window(category([2400, 570, 30])), USUAL)
    assert (halved.score, halved.status) == (0.0, "ok")


def test_a_rare_category_may_stay_away() -> None:
    usual = window(category([6000, 3810, 190]))
    assert make("vanished_categories").observe(window(category([60_000, 40_000, 0])), usual).status == "ok"


def test_absence_that_chance_explains_stays_ok() -> None:
    verdict = make("vanished_categories").observe(window(category([300, 200, 0])), USUAL)
    assert (verdict.score, verdict.status) == (0.0, "ok")


def test_values_outside_the_list_are_no_category_to_miss() -> None:
    usual = window(category([5000, 3000, 1000], legacy=1000))
    assert make("vanished_categories").observe(window(category([1600, 1100, 300])), usual).status == "ok"


def test_a_category_that_comes_and_goes_in_the_reference_is_not_gone_when_it_ebbs() -> None:
    rng = np.random.default_rng(31)
    share = 0.03 * (1 + np.sin(np.arange(400) / 30)) ** 2 / 1.5
    steady = 0.3 + 0.01 * rng.normal(size=400)
    spans = np.array(
        [[*rng.multinomial(2_000, [1 - a - b, b, a]), 0, 0] for a, b in zip(share, steady, strict=True)]
    )
    whole = category(spans.sum(axis=0)[:3].tolist())
    still, swinging = window(whole), window(replace(whole, spans=(spans,)))
    ebb = window(category([2100, 900, 0]))
    assert make("vanished_categories").observe(ebb, still).status == "firing"
    assert make("vanished_categories").observe(ebb, swinging).status == "ok"
    gone = window(category([2950, 0, 50]))
    verdict = make("vanished_categories").observe(gone, swinging)
    assert (verdict.status, list(verdict.evidence.details["categories"])) == ("firing", ["pro"])
