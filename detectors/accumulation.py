"""Evidence for a lasting shift that adds up pane by pane, at whatever pane one looks.

Each alternative has a Shiryaev-Roberts sum ``M_n = e_n (M_{n-1} + 1)`` of the e-values ``e_n`` of the panes: the
likelihood ratio of a shift from each earlier pane on, all added up. While there is no shift the mean
of ``M_n`` is ``n`` at most, and so is that of a weighted mean of several. Hence it first passes ``c`` after ``c``
panes or more in the mean: whatever the panes' sizes, however often one looks (Shin, Ramdas and Rinaldo 2022,
E-detectors: a nonparametric framework for sequential change detection, theorem 2.4).

What is kept is ``log(1 + M)``, rounded down, which keeps the bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.packed import pack, unpack
from detectors.tilt import Floats

#: What is kept is a multiple of this (nats).
_STEP = 2.0**-14
#: Evidence beyond the threshold that is kept (nats). A shift that is over must be able to be over, in about
#: half the events it took to be found; one that goes on must not seem over by chance, which this
#: leaves to one dip in a thousand.
_HEADROOM = 6.9


def advance(
    kept: Floats, increments: Floats, log_weights: Floats, log_limit: float | Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the sums after a pane, the logarithm of their weighted mean, and what each contributes to it.

    All are ``(..., 2, directions, sizes)`` but the mean, which is ``(...)``: many columns, or many runs of one
    column, go on at once.

    Parameters
    ----------
    kept
        The sums before, as logarithms of ``1 + M``.
    increments
        Logarithms of the pane's e-values, by alternative.
    log_weights
        Logarithms of their weights, which sum to 1.
    log_limit
        Logarithm of the threshold ``c``.
    """
    logs = increments + kept
    weighted = log_weights + logs
    highest = weighted.max(axis=(-3, -2, -1))
    parts = np.exp(weighted - highest[..., None, None, None])
    mixture = np.asarray(highest + np.log(parts.sum(axis=(-3, -2, -1))))
    excess = np.maximum(mixture - log_limit - _HEADROOM, 0.0)[..., None, None, None]
    return np.floor(np.logaddexp(0.0, logs - excess) / _STEP) * _STEP, mixture, weighted


@dataclass(slots=True)
class Accumulation:
    """The sums of a bank's alternatives: ``log(1 + M)``, shape ``(2, directions, sizes)``."""

    kept: Floats

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> "Accumulation":
        """Return no evidence."""
        return cls(np.zeros(shape))

    def snapshot(self) -> dict[str, Any]:
        """Return the sums as JSON-able data."""
        return {"shape": list(self.kept.shape), "kept": pack((self.kept / _STEP).astype(np.int64))}

    @classmethod
    def restored(cls, snapshot: Mapping[str, Any]) -> "Accumulation":
        """Return the sums of a `snapshot`."""
        return cls(unpack(snapshot["kept"]).reshape(snapshot["shape"]) * _STEP)
