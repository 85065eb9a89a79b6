"""How far the mean attributions of a healthy reference swing from span to span, beyond sampling."""

from collections.abc import Sequence

import numpy as np

from detectors.attributions import Attributions, Floats
from detectors.swing import LEAST_SPANS, Swing, swing_of_levels

#: The mean of a span of fewer events says nothing.
LEAST_EVENTS = 50
#: Standard errors by which spans must lie further away than sampling explains.
_CLEARLY = 4.0

#: Of each feature the swings of the mean size and of the mean, as `Attributions.means` has them.
Swings = tuple[tuple[Swing, ...], tuple[Swing, ...]]


def attribution_swings(reference: Attributions, events: int, alpha: float) -> Swings | None:
    """Return how far each mean swings from the whole reference's; None where sampling explains all there is.

    Parameters
    ----------
    events
        Events of the window with attributions: swings shorter than it are levelled out in it.
    alpha
        Probability that one mean of a healthy window may lie beyond its limit.
    """
    found = [
        levels for spans in _as_long(reference, events) if (levels := _levels(reference, spans)) is not None
    ]
    if not found:
        return None
    features = range(len(reference.names))
    sizes, means = (
        tuple(swing_of_levels([one[:, kind, at] for one in found], alpha) for at in features)
        for kind in range(2)
    )
    return sizes, means


def _as_long(reference: Attributions, events: int) -> Sequence[Floats]:
    """Return the spans; those of the longest length joined in runs of about so many events if they have fewer."""
    held = [spans for spans in reference.spans if len(spans)]
    if not held:
        return ()
    longest = max(held, key=_middling)
    joined = round(events / max(_middling(longest), 1.0))
    if joined < 2:
        return held
    whole = longest[len(longest) % joined :]
    return (whole.reshape(-1, joined, whole.shape[1]).sum(axis=1),)


def _middling(spans: Floats) -> float:
    return float(np.median(spans[:, 0]))


def _levels(reference: Attributions, spans: Floats) -> Floats | None:
    """Return how far spans' means lie from the whole's, shape ``(spans, 2, F)``; 0 where sampling explains it.

    They are shrunk so that their mean square is that of the true ones.
    """
    told = spans[spans[:, 0] >= LEAST_EVENTS]
    if len(told) < LEAST_SPANS:
        return None
    n = told[:, 0][:, None, None]
    squares = (told[:, 1:].reshape(len(told), 2, -1) / n - reference.means()) ** 2
    noise = reference.variances()
    surplus = (n * squares).sum(axis=0) - len(told) * noise
    is_clear = surplus > _CLEARLY * noise * np.sqrt(2.0 * len(told))
    if not is_clear.any():
        return None
    true = surplus / n.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = np.sqrt(squares * np.where(is_clear, true / (true + noise / n), 0.0))
    return np.asarray(np.where(is_clear, levels, 0.0))
