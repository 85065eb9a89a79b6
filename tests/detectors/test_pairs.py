"""Correlations from sums over pairs are those of the rows themselves."""

import numpy as np
import pytest
from detector_windows import EDGES, correlated, paired
from scipy import special, stats

from detectors.pairs import normal_scores


def _scores(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return normal_scores(len(EDGES) + 1)[np.searchsorted(EDGES, values, side="right")]


def test_scores_are_the_normal_quantiles_of_the_bins_middles() -> None:
    np.testing.assert_allclose(
        normal_scores(10) / 32, special.ndtri((np.arange(10) + 0.5) / 10), atol=0.5 / 32
    )
    assert normal_scores(1).tolist() == [0.0]
    assert np.abs(normal_scores(5000)).max() == 96


def test_correlations_equal_those_of_the_scores_row_by_row() -> None:
    values = correlated(np.random.default_rng(1), 4_000, 0.8, -0.5, 0.0)
    found = paired(values).of_pairs
    told = np.corrcoef(_scores(values).T)[np.triu_indices(4, 1)]
    np.testing.assert_allclose(found.values, told, atol=1e-12)
    assert found.rows.tolist() == [4_000] * 6


def test_correlations_lie_near_those_of_ranks_on_raw_data() -> None:
    values = correlated(np.random.default_rng(2), 20_000, 0.8, -0.5)
    edges = np.quantile(values[:, 0], np.arange(1, 10) / 10)
    found = paired(values, edges=edges).of_pairs.values
    ranks = stats.spearmanr(values).statistic[np.triu_indices(3, 1)]
    np.testing.assert_allclose(found, ranks, atol=0.02)


def test_rows_that_lack_one_of_the_values_do_not_count_for_the_pair() -> None:
    rng = np.random.default_rng(3)
    values = correlated(rng, 40_000, 0.8, 0.0)
    values[rng.random(40_000) < 0.4, 1] = np.nan
    found = paired(values).of_pairs
    held = ~np.isnan(values[:, 1])
    assert found.rows.tolist() == [int(held.sum()), 40_000, int(held.sum())]
    told = np.corrcoef(_scores(values[held]).T)[np.triu_indices(3, 1)]
    np.testing.assert_allclose(found.values, told, atol=0.01)


def test_a_column_that_does_not_vary_has_no_correlation() -> None:
    values = correlated(np.random.default_rng(4), 500, 0.5, 0.5)
    values[:, 2] = 0.7
    assert np.isnan(paired(values).of_pairs.values).tolist() == [False, True, True]


@pytest.mark.parametrize(
    "kind", ["independent", "0.6", "0.9", "t with 3 degrees", "two populations", "many ties"]
)
def test_the_stated_variance_covers_what_samples_show(kind: str) -> None:
    rng = np.random.default_rng(5)

    def draw(n: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        if kind == "independent":
            return correlated(rng, n, 0.0)
        if kind == "t with 3 degrees":
            return correlated(rng, n, 0.5) / np.sqrt(rng.chisquare(3, n) / 3)[:, None]
        if kind == "two populations":
            both = correlated(rng, n, 0.9)
            both[rng.random(n) < 0.5, 1] *= -1
            return both
        if kind == "many ties":
            return np.maximum(correlated(rng, n, 0.6), 0.5)
        return correlated(rng, n, float(kind))

    whole = paired(draw(200_000)).of_pairs
    moves = [paired(draw(400)).of_pairs.fisher[0] - whole.fisher[0] for _ in range(1500)]
    standardised = np.array(moves) * np.sqrt(400 / whole.excess[0])
    assert 0.75 < standardised.std() < 1.12
    assert np.mean(np.abs(standardised) > 3.29) < 0.006


def test_some_of_the_columns_are_the_same_as_they_were_among_all() -> None:
    values = correlated(np.random.default_rng(6), 900, 0.8, -0.5, 0.1)
    some = paired(values).only(["f3", "f1"])
    alone = paired(values[:, [3, 1]], names=("f3", "f1"))
    np.testing.assert_array_equal(some.gram, alone.gram)
    np.testing.assert_array_equal(some.counts, alone.counts)
