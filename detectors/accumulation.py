"""Evidence for a lasting shift that adds up pane by pane, at whatever pane one looks.

Each alternative has a Shiryaev-Roberts sum ``M_n = e_n (M_{n-1} + 1)`` of the e-values ``e_n`` of the panes: the
likelihood ratio of a shift from each earlier pane on, all added up. While there is no shift the mean
of ``M_n`` is ``n`` at most, and so is that of a weighted mean of several. Hence it first passes ``c`` after ``c``
panes or more in the mean: whatever the panes' sizes, however often one looks (Shin, Ramdas and Rinaldo 2022,
E-detectors: a nonparametric framework for sequential change detection, theorem 2.4).

What is kept is ``log(1 + M)``, rounded down, which keeps the bound.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import compress, decompress

import numpy as np
from numpy.typing import NDArray
from scipy import special

from detectors.tilt import Floats

#: What is kept is a multiple of this (nats).
_STEP = 2.0**-14
#: Evidence beyond the threshold that is kept (nats): a shift that is over must be able to be over.
_HEADROOM = 0.7


@dataclass(slots=True)
class Accumulation:
    """The sums of a bank's alternatives, and since when each direction's have been rising.

    Parameters
    ----------
    kept
        ``log(1 + M)``, shape ``(2, directions, sizes)``.
    since_ms, rows, scores
        Per side and direction, shape ``(2, directions)``: start of the pane the evidence began with, events
        since then, and the sum of their scores.
    """

    kept: Floats
    since_ms: NDArray[np.int64]
    rows: NDArray[np.int64]
    scores: Floats

    @classmethod
    def empty(cls, directions: int, sizes: int) -> "Accumulation":
        """Return no evidence."""
        sides = (2, directions)
        return cls(
            np.zeros((*sides, sizes)), np.zeros(sides, np.int64), np.zeros(sides, np.int64), np.zeros(sides)
        )

    def add(
        self, increments: Floats, weights: Floats, limit: float, *, start_ms: int, rows: int, sums: Floats
    ) -> tuple[float, tuple[int, int]]:
        """Take a pane, and return the logarithm of the mixture, and the side and direction that lead.

        Parameters
        ----------
        increments
            Logarithms of the pane's e-values.
        limit
            Logarithm of the threshold.
        start_ms, rows, sums
            The pane's start, events, and sums of the scores, shape ``(directions,)``.
        """
        begins = self.kept.max(axis=2) < np.log(2.0)
        self.since_ms = np.where(begins, start_ms, self.since_ms)
        self.rows = np.where(begins, 0, self.rows) + rows
        self.scores = np.where(begins, 0.0, self.scores) + sums
        logs = increments + self.kept
        weighted = np.log(weights) + logs
        mixture = float(special.logsumexp(weighted))
        excess = max(mixture - limit - _HEADROOM, 0.0)
        self.kept = np.floor(np.logaddexp(0.0, logs - excess) / _STEP) * _STEP
        side, direction, _ = np.unravel_index(int(np.argmax(weighted)), weighted.shape)
        return mixture, (int(side), int(direction))

    def snapshot(self) -> dict[str, Any]:
        """Return the sums as JSON-able data; what has no evidence takes no room."""
        return {
            "shape": list(self.kept.shape),
            "kept": _packed(np.rint(self.kept / _STEP).astype("<u4")),
            "since_ms": _packed(self.since_ms.astype("<i8")),
            "rows": _packed(self.rows.astype("<i8")),
            "scores": _packed(self.scores.astype("<f8")),
        }

    @classmethod
    def restored(cls, snapshot: Mapping[str, Any]) -> "Accumulation":
        """Return the sums of a `snapshot`."""
        shape = tuple(snapshot["shape"])
        return cls(
            _unpacked(snapshot["kept"], "<u4").reshape(shape) * _STEP,
            _unpacked(snapshot["since_ms"], "<i8").reshape(shape[:2]).astype(np.int64),
            _unpacked(snapshot["rows"], "<i8").reshape(shape[:2]).astype(np.int64),
            _unpacked(snapshot["scores"], "<f8").reshape(shape[:2]).astype(np.float64),
        )


def _packed(values: NDArray[Any]) -> str:
    return b64encode(compress(values.tobytes(), 6)).decode("ascii")


def _unpacked(text: str, kind: str) -> NDArray[Any]:
    return np.frombuffer(decompress(b64decode(text)), dtype=kind)
