"""The counts of the panes so far, finer the newer, to tell when a shift began.

Spans of 1, 2, 4, … panes, two or three of each, the newest the shortest: a few dozen spans for a year.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.packed import pack, unpack
from detectors.tilt import Floats

#: More than these are not kept apart; the oldest are counted together.
SPANS_KEPT = 32


@dataclass(slots=True)
class Trail:
    """Consecutive spans, oldest first: where each starts (epoch ms), its panes, and its counts."""

    starts_ms: list[int] = field(default_factory=list)
    panes: list[int] = field(default_factory=list)
    counts: list[NDArray[np.int64]] = field(default_factory=list)
    # What the counts are in a snapshot, "" until asked for: most spans are the same from pane to pane.
    _texts: list[str] = field(default_factory=list, repr=False, compare=False)

    def add(self, start_ms: int, counts: NDArray[np.int64]) -> None:
        """Add a pane newer than all before it."""
        self.starts_ms.append(start_ms)
        self.panes.append(1)
        self.counts.append(counts)
        self._texts.append("")
        at = len(self.panes) - 4
        # Four of a length make one of twice that and two; that may make four of the next length.
        while at >= 0 and self.panes[at] == self.panes[at + 3]:
            self._join(at)
            at -= 2
        if len(self.panes) > SPANS_KEPT:
            self._join(0)

    def since(self, gains: Floats) -> tuple[int, NDArray[np.int64]]:
        """Return where the sum of gains up to now is largest: its start (epoch ms), and the counts since.

        Parameters
        ----------
        gains
            What each span speaks for the shift, shape ``(spans,)``.
        """
        backwards = np.cumsum(gains[::-1])[::-1]
        # Of equals the newest.
        at = len(backwards) - 1 - int(np.argmax(backwards[::-1]))
        return self.starts_ms[at], np.sum(self.counts[at:], axis=0)

    def snapshot(self) -> dict[str, Any]:
        """Return the spans as JSON-able data."""
        self._texts = [text or pack(counts) for text, counts in zip(self._texts, self.counts, strict=True)]
        return {"starts_ms": self.starts_ms, "panes": self.panes, "counts": self._texts}

    @classmethod
    def restored(cls, snapshot: Mapping[str, Any]) -> "Trail":
        """Return the spans of a `snapshot`."""
        starts_ms, panes = list(snapshot["starts_ms"]), list(snapshot["panes"])
        texts: str | list[str] = snapshot["counts"]
        if isinstance(texts, str):  # as it was when all spans were compressed together
            counts = list(unpack(texts, "<i8").astype(np.int64).reshape(len(panes), -1))
            return cls(starts_ms, panes, counts, [""] * len(panes))
        return cls(starts_ms, panes, [unpack(text).astype(np.int64) for text in texts], list(texts))

    def _join(self, at: int) -> None:
        self.panes[at : at + 2] = [self.panes[at] + self.panes[at + 1]]
        self.counts[at : at + 2] = [self.counts[at] + self.counts[at + 1]]
        self._texts[at : at + 2] = [""]
        del self.starts_ms[at + 1]
