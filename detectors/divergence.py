"""How far two binned distributions lie apart; how far they do so by chance is said in `chance`.

Counts are two arrays of one shape ``(..., bins)``, of one column or of many: ``current`` with ``n`` events,
``reference`` with ``m``; their shares of one are ``p`` and ``q``. Columns of fewer bins than others are filled up
with bins empty on both sides, which change nothing (`columns`).

Rare bins: `pool_rare` sums those that expect fewer than 5 events in the smaller sample into one, as is
usual for the chi-square test (Cochran 1954). So a long tail of rare categories does not add up to drift,
and what chance explains is known. Pooling never raises a divergence. Zero counts: see `smoothed_shares`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Counts = NDArray[np.int64]
Shares = NDArray[np.float64]


def shares(counts: Counts) -> Shares:
    """Return counts as shares of one, over the last axis; zeros when there are none."""
    if counts.ndim == 1:  # the same, without what only many rows need
        return np.asarray(counts / max(counts.sum(), 1), dtype=np.float64)
    return np.asarray(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1), dtype=np.float64)


def expected_events(current: Counts, reference: Counts) -> Shares:
    """Return the events each bin lets expect in the smaller sample, were both of one distribution.

    Examples
    --------
    >>> expected_events(np.array([90, 10]), np.array([800, 200])).round(2).tolist()
    [80.91, 19.09]
    """
    smaller = np.minimum(current.sum(axis=-1), reference.sum(axis=-1))
    return np.asarray(shares(current + reference) * smaller[..., None])


def rare_bins(current: Counts, reference: Counts, least_expected: float) -> NDArray[np.bool_]:
    """Return which bins `pool_rare` sums: those that expect less, and the next smallest until all do not.

    It does not depend on how a bin's events split between the two sides: else bins that the window
    fills by chance would be kept and those it leaves empty pooled, which alone would make two equal
    samples differ.
    """
    expected = expected_events(current, reference)
    is_below = expected < least_expected
    if not is_below.any():
        return is_below
    order = np.argsort(expected, axis=-1, kind="stable")
    summed = np.cumsum(np.take_along_axis(expected, order, axis=-1), axis=-1)
    few = is_below.sum(axis=-1, keepdims=True)
    enough = np.maximum(few, (summed < least_expected).sum(axis=-1, keepdims=True) + 1)
    holds_any = (is_below & (expected > 0)).any(axis=-1, keepdims=True)
    rare = np.zeros(expected.shape, dtype=np.bool_)
    places = np.arange(expected.shape[-1]) < np.where(holds_any, enough, few)
    np.put_along_axis(rare, order, places, axis=-1)
    return rare


class Pooled(NamedTuple):
    """Counts whose rare bins are summed into the last, shape ``(..., bins + 1)``; what was summed is 0 in its place.

    ``bins`` are those that are left, shape ``(...)``: bins that hold events, on one side at least.
    """

    current: Counts
    reference: Counts
    bins: Counts


def pool_rare(current: Counts, reference: Counts, least_expected: float = 5.0) -> Pooled:
    """Return both sides with the rare bins summed into one last bin.

    Expected is the share of both samples together, times the events of the smaller sample. If the
    rare bins together expect too few as well, the next smallest join them.

    Examples
    --------
    >>> pooled = pool_rare(np.array([90, 9, 0, 1, 0]), np.array([800, 180, 19, 1, 0]))
    >>> pooled.current.tolist(), pooled.reference.tolist(), int(pooled.bins)
    ([90, 0, 0, 0, 0, 10], [800, 0, 0, 0, 0, 200], 2)
    """
    rare = rare_bins(current, reference, least_expected)
    now, usually = _last_summed(current, rare), _last_summed(reference, rare)
    return Pooled(now, usually, np.count_nonzero(now + usually, axis=-1))


def _last_summed(counts: Counts, rare: NDArray[np.bool_]) -> Counts:
    together = np.where(rare, counts, 0).sum(axis=-1, keepdims=True)
    return np.concatenate((np.where(rare, 0, counts), together), axis=-1)


def pool_rare_of_spans(
    spans: Counts, reference: Counts, least_expected: float = 5.0
) -> tuple[Counts, Counts]:
    """Return spans, shape ``(spans, bins)``, and the whole they are of, pooled as for a span of middling size."""
    share = float(np.median(spans.sum(axis=-1))) / max(int(reference.sum()), 1)
    rare = rare_bins(np.rint(reference * min(share, 1.0)).astype(np.int64), reference, least_expected)

    def pooled(counts: Counts) -> Counts:
        together = counts[..., rare].sum(axis=-1, keepdims=True)
        kept = counts[..., ~rare]
        return np.concatenate((kept, together), axis=-1) if reference[rare].any() else kept

    return pooled(spans), pooled(reference)


def smoothed_shares(current: Counts, reference: Counts, bins: Counts | None = None) -> tuple[Shares, Shares]:
    """Return both sides as shares of one, none zero where the other side has events.

    One event per bin is added to each side, spread as the two sides together are: ``(counts + bins * a) /
    (total + bins)`` with ``a`` the mean of both sides' shares. It moves both towards their common mean.
    ``bins`` says how many there are, shape ``(...)``, where counts are `Pooled`; else all are.

    Examples
    --------
    >>> p, q = smoothed_shares(np.array([98, 0]), np.array([49, 49]))
    >>> p.round(3).tolist(), q.round(3).tolist()
    ([0.995, 0.005], [0.505, 0.495])
    """
    p, q = shares(current), shares(reference)
    each = p.shape[-1] if bins is None else np.asarray(bins)[..., None]
    spread = (p + q) / 2 * each
    n, m = current.sum(axis=-1, keepdims=True), reference.sum(axis=-1, keepdims=True)
    return (current + spread) / (n + each), (reference + spread) / (m + each)


def population_stability_index(current: Counts, reference: Counts, bins: Counts | None = None) -> Shares:
    """Return the sum of ``(p - q) ln(p / q)`` over the bins, in nats; symmetric, 0 when equal.

    On `smoothed_shares`, by which it is never larger than the textbook's ``PSI`` on plain shares, and
    at least ``(1 - w) * (PSI - sum(|p - q|) * (ln(1 + w (r - 1) / 2) - ln(1 - w / 2)))``, with ``w = bins /
    (bins + min(n, m))`` and r the largest ratio of a bin's two shares (the textbook's is infinite where a
    bin is empty on one side only).

    Examples
    --------
    >>> float(population_stability_index(np.array([500, 500]), np.array([500, 500])))
    0.0
    """
    return symmetric_divergence(*smoothed_shares(current, reference, bins))


def symmetric_divergence(p: Shares, q: Shares) -> Shares:
    """Return the sum of ``(p - q) ln(p / q)`` over the last axis; bins empty on one side are left out."""
    ratio = np.divide(p, q, out=np.ones(np.broadcast_shapes(p.shape, q.shape)), where=(p > 0) & (q > 0))
    return np.asarray(((p - q) * np.log(ratio)).sum(axis=-1))


def jensen_shannon(p: Shares, q: Shares) -> Shares:
    """Return the square root of the Jensen-Shannon divergence, logarithms to base 2: 0 to 1.

    Zero shares need no smoothing here: ``0 log 0 = 0``, and the mean of the two sides is zero on neither.

    Examples
    --------
    >>> float(jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])))
    1.0
    """
    middle = (p + q) / 2
    nats = (special.rel_entr(p, middle).sum(axis=-1) + special.rel_entr(q, middle).sum(axis=-1)) / 2
    return np.asarray(np.sqrt(np.clip(nats / np.log(2.0), 0.0, 1.0)))


def kolmogorov_smirnov(p: Shares, q: Shares) -> Shares:
    """Return the largest distance of the two cumulative distributions at the bin edges: 0 to 1."""
    gap = np.cumsum(p, axis=-1) - np.cumsum(q, axis=-1)
    return np.asarray(np.max(np.abs(gap), axis=-1, initial=0.0))


def hellinger(p: Shares, q: Shares) -> Shares:
    """Return ``sqrt(sum((sqrt(p) - sqrt(q))**2) / 2)``: 0 to 1, symmetric; zero shares need no smoothing.

    Examples
    --------
    >>> round(float(hellinger(np.array([0.5, 0.5]), np.array([0.36, 0.64]))), 4)
    0.1003
    """
    gap = np.sqrt(p) - np.sqrt(q)
    return np.asarray(np.minimum(np.sqrt((gap * gap).sum(axis=-1) / 2), 1.0))


def total_variation(p: Shares, q: Shares) -> Shares:
    """Return ``sum(|p - q|) / 2``: the share of events that would have to change bins; 0 to 1, symmetric.

    Examples
    --------
    >>> round(float(total_variation(np.array([0.5, 0.5, 0.0]), np.array([0.4, 0.4, 0.2]))), 4)
    0.2
    """
    return np.asarray(np.abs(p - q).sum(axis=-1) / 2)


def l_infinity(p: Shares, q: Shares) -> Shares:
    """Return ``max(|p - q|)``: the share by which one bin has gained or lost most; 0 to 1, symmetric.

    Examples
    --------
    >>> round(float(l_infinity(np.array([0.5, 0.5, 0.0]), np.array([0.4, 0.4, 0.2]))), 4)
    0.2
    """
    return np.asarray(np.max(np.abs(p - q), axis=-1, initial=0.0))
