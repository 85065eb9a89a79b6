"""New categories: which are new, how many matter, and that the sentence names them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from detector_windows import category, make, window
from scipy.stats import binom

from detectors.window import Column, Window

USUAL = window(category([6000, 3000, 1000]))


def test_a_new_category_above_one_percent_fires_by_name() -> None:
    verdict = make("new_categories").observe(window(category([1800, 900, 240], gold=55, silver=5)), USUAL)
    assert verdict.status == "firing"
    assert verdict.score == pytest.approx(0.02)
    assert "in new categories: gold, silver" in verdict.evidence.sentence
    assert verdict.evidence.details["categories"] == {"gold": 55 / 3000, "silver": 5 / 3000}


def test_half_a_percent_is_a_near_miss() -> None:
    verdict = make("new_categories").observe(window(category([1800, 900, 285], gold=15)), USUAL)
    assert verdict.score == pytest.approx(0.005)
    assert verdict.status == "ok"


def test_too_few_for_a_small_reference_stays_ok() -> None:
    small = window(category([300, 150, 50]))
    verdict = make("new_categories").observe(window(category([300, 150, 41], gold=9)), small)
    assert verdict.score == pytest.approx(0.018)
    assert verdict.status == "ok"


def test_the_threshold_is_the_conditional_test_at_alpha() -> None:
    small = window(category([300, 150, 50]))
    verdict = make("new_categories").observe(window(category([300, 150, 50])), small)
    critical = round(verdict.threshold * 500)
    assert binom.sf(critical, critical + 1, 0.5) <= 1e-6 < binom.sf(critical - 1, critical, 0.5)


def test_unlisted_categories_the_reference_knows_are_not_new() -> None:
    usual = window(category([5000, 3000, 1000], legacy=1000))
    known = make("new_categories").observe(window(category([1500, 900, 300], legacy=300)), usual)
    assert (known.score, known.status) == (0.0, "ok")
    replaced = make("new_categories").observe(window(category([1500, 900, 300], gold=300)), usual)
    assert replaced.status == "firing"
    assert "gold" in replaced.evidence.sentence


def test_a_reference_with_a_capped_list_counts_the_excess_of_unlisted_values() -> None:
    capped = replace(category([5000, 3000, 1000], legacy=1000), unlisted={"legacy": 200})
    same = make("new_categories").observe(window(category([1500, 900, 300], gold=300)), window(capped))
    assert same.score == pytest.approx(0.0)
    more = make("new_categories").observe(window(category([1500, 900, 0], gold=600)), window(capped))
    assert more.score == pytest.approx(0.1)
    assert more.status == "firing"


def test_without_a_reference_the_listed_categories_are_the_known_ones() -> None:
    assert make("new_categories").observe(window(category([900, 0, 0], gold=100)), None).status == "firing"
    assert make("new_categories").observe(window(category([900, 90, 10])), None).status == "ok"


def test_while_the_layout_has_no_bins_nothing_is_new() -> None:
    warming = Column("plan", "category", count=5000, unlisted={"free": 5000})
    verdict = make("new_categories").observe(window(warming), None)
    assert verdict.status == "insufficient"
    assert "not learned yet" in verdict.evidence.sentence


def cities(rng: np.random.Generator, size: int, listed: int = 20) -> Window:
    shares = 1 / np.arange(1, 3001) ** 1.1
    counts = rng.multinomial(size, shares / shares.sum())
    rest: dict[str, Any] = {f"c{i}": int(counts[i]) for i in range(listed, 3000) if counts[i]}
    names = [f"c{i}" for i in range(listed)]
    return window(category(counts[:listed].tolist(), listed=names, **rest))


def test_a_long_tail_in_which_names_always_turn_up_stays_ok() -> None:
    rng = np.random.default_rng(0)
    for size in (500, 5000, 50_000):
        for _ in range(20):
            verdict = make("new_categories").observe(cities(rng, size), cities(rng, 2000))
            assert verdict.status == "ok", verdict.evidence.sentence


def test_one_new_name_in_a_long_tail_still_fires() -> None:
    rng = np.random.default_rng(1)
    current = cities(rng, 4000).features["plan"]
    bins = current.bins.copy()
    bins[-1] += 800
    flooded = replace(current, count=4800, bins=bins, unlisted={**current.unlisted, "Atlantis": 800})
    verdict = make("new_categories").observe(window(flooded), cities(rng, 20_000))
    assert verdict.status == "firing"
    assert "in new categories: Atlantis," in verdict.evidence.sentence


def test_an_explosion_of_names_counts_whole_though_the_reference_has_a_few_odd_ones() -> None:
    usual = window(category([6000, 3000, 1000], odd=2, rare=1))
    # The window keeps 64 names; the other 2,036 of 2,100 values are beyond them.
    kept = category([600, 300, 100], **{f"name {i}": 1 for i in range(64)})
    exploded = replace(kept, bins=np.array([600, 300, 100, 2100]), count=3100)
    verdict = make("new_categories").observe(window(exploded), usual)
    assert verdict.status == "firing"
    assert verdict.score == pytest.approx(2100 / 3100, abs=0.01)


def test_a_renamed_category_is_one_alert_with_both_facts() -> None:
    verdict = make("new_categories").observe(window(category([1800, 0, 300], gold=900)), USUAL)
    assert verdict.status == "firing"
    assert verdict.evidence.sentence.endswith(
        "of 3,000 values in new categories: gold; gone is 30 % of the reference: pro"
    )
    assert verdict.evidence.details == {"categories": {"gold": 0.3}, "gone": {"pro": pytest.approx(0.3)}}


def test_a_new_category_beside_all_the_old_ones_speaks_of_none_gone() -> None:
    verdict = make("new_categories").observe(window(category([1700, 800, 250], gold=250)), USUAL)
    assert verdict.status == "firing"
    assert "gone" not in verdict.evidence.sentence
    assert "gone" not in verdict.evidence.details
