"""How far the correlations of a healthy reference swing from span to span, beyond sampling."""

from dataclasses import replace

import numpy as np

from detectors.pairs import Counts, Pairs, correlations, parted
from detectors.swing import LEAST_SPANS, Swing, swing_of_levels

#: A span's correlation of fewer rows says nothing.
_LEAST_ROWS = 50
#: Standard errors by which spans must lie further away than sampling explains.
_CLEARLY = 4.0


def pair_swings(reference: Pairs, rows: int, alpha: float) -> tuple[Swing, ...]:
    """Return how far each pair's ``atanh r`` swings from the whole reference's, in the order of the pairs.

    Parameters
    ----------
    rows
        Rows of the window: swings shorter than it are levelled out in it.
    alpha
        Probability that any pair's healthy window may lie beyond its limit; the pairs share it alike.
    """
    found = [
        swing
        for spans in _as_long(reference, rows)
        for swing in (_levels(replace(reference, spans=(spans,))),)
        if swing is not None
    ]
    pairs = len(reference.of_pairs.rows)
    return tuple(swing_of_levels([one[:, place] for one in found], alpha / pairs) for place in range(pairs))


def _as_long(reference: Pairs, rows: int) -> tuple[Counts, ...]:
    """Return the spans; those of the longest length joined in runs of about so many rows if they have fewer."""
    held = [spans for spans in reference.spans if len(spans)]
    if not held:
        return ()
    longest = max(held, key=lambda spans: _middling(reference, spans))
    joined = round(rows / max(_middling(reference, longest), 1.0))
    if joined < 2:
        return tuple(held)
    whole = longest[len(longest) % joined :]
    return (whole.reshape(-1, joined, whole.shape[1]).sum(axis=1),)


def _middling(reference: Pairs, spans: Counts) -> float:
    return float(np.median(parted(spans, len(reference.names))[1][:, 0, 0]))


def _levels(reference: Pairs) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    """Return how far spans' ``atanh r`` lie from the whole's, shape ``(spans, pairs)``; 0 where sampling explains it.

    They are shrunk so that their mean square is that of the true ones.
    """
    usual = reference.of_pairs
    now = correlations(*parted(reference.spans[0], len(reference.names)))
    is_told = (now.rows >= _LEAST_ROWS) & np.isfinite(now.values) & np.isfinite(usual.values)
    n = np.where(is_told, now.rows, 0)
    squares = np.where(is_told, (now.fisher - usual.fisher) ** 2, 0.0)
    excess = np.nan_to_num(usual.excess, nan=1.0)
    spans = is_told.sum(axis=0)
    surplus = (n * squares).sum(axis=0) - spans * excess
    is_clear = (spans >= LEAST_SPANS) & (surplus > _CLEARLY * excess * np.sqrt(2.0 * np.maximum(spans, 1)))
    if not is_clear.any():
        return None
    true = surplus / np.maximum(n.sum(axis=0), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = np.sqrt(squares * np.where(n > 0, true / (true + excess / np.maximum(n, 1)), 0.0))
    return np.where(is_clear, levels, 0.0)
