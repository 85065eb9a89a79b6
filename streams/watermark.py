"""Event time of one model in one source partition: watermark, lateness, and what idleness means.

The watermark is the newest event time, capped at the broker's time of its record, less the allowed
lateness; it never goes back. An event is late when its whole pane lies before the watermark that held
when it came. Folding reads no clock, so that reprocessing decides alike; only `extrapolate`, for
partitions where nothing comes any more, knows the wall clock.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

NEVER_MS = -(1 << 62)
FUTURE_MS = 5 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of a batch's ``n`` rows.

    ``future`` and ``late`` are masks, ``pane_start_ms`` each row's pane, all of shape ``(n,)``;
    ``watermark_ms``, ``newest_ms`` and ``last_record_ms``, shape ``(n + 1,)``, are the clock's before each
    row and, last, after all.
    """

    future: NDArray[np.bool_]
    late: NDArray[np.bool_]
    pane_start_ms: NDArray[np.int64]
    watermark_ms: NDArray[np.int64]
    newest_ms: NDArray[np.int64]
    last_record_ms: NDArray[np.int64]

    def before(self, row: int) -> "Clock":
        """Return the clock as it stood before a row, its versions left out."""
        return Clock(int(self.watermark_ms[row]), int(self.newest_ms[row]), int(self.last_record_ms[row]))


class Clock(msgspec.Struct):
    """Event time of one model in one source partition; epoch milliseconds.

    ``recorded_ms`` is the watermark as records alone have moved it: what it has passed is closed for whoever
    reads them, whatever the wall clock showed.
    """

    watermark_ms: int = NEVER_MS
    newest_ms: int = NEVER_MS
    last_record_ms: int = NEVER_MS
    versions: dict[str, int] = {}
    recorded_ms: int = NEVER_MS

    def begin(self, record_ms: int) -> None:
        """Start by the broker's time, where the first record of a model has no event time to trust.

        The watermark stays where it is: good events may be of any age.
        """
        if self.newest_ms == NEVER_MS:
            self.newest_ms = self.last_record_ms = record_ms

    def arrive(
        self, ts_ms: NDArray[np.int64], record_ms: NDArray[np.int64], *, pane_ms: int, lateness_ms: int
    ) -> Arrival:
        """Judge rows in arrival order, each against the watermark before it, and move the clock on.

        Parameters
        ----------
        ts_ms, record_ms
            Event times and the broker's times of their records, shape ``(n,)``.
        """
        future = ts_ms > record_ms + FUTURE_MS
        if future[:1].any():
            self.begin(int(record_ms[0]))
        pace = np.where(future, NEVER_MS, np.minimum(ts_ms, record_ms) - lateness_ms)
        watermark = np.maximum.accumulate(np.concatenate(([self.watermark_ms], pace)))
        pane_start = ts_ms // pane_ms * pane_ms
        late = ~future & (pane_start + pane_ms <= watermark[:-1])
        self.watermark_ms = int(watermark[-1])
        self.recorded_ms = max(self.recorded_ms, int(pace.max(initial=NEVER_MS)))
        good = ~future
        newest = _running(self.newest_ms, ts_ms, good)
        last_record = _running(self.last_record_ms, record_ms, good)
        self.newest_ms, self.last_record_ms = int(newest[-1]), int(last_record[-1])
        return Arrival(future, late, pane_start, watermark, newest, last_record)

    def reached(self, record_ms: int, lateness_ms: int) -> int:
        """Return the watermark as a record with no event time to trust comes: gone on at the broker's pace.

        After a quiet spell that is where the wall clock would have moved it, or further: so it follows from
        the records alone, whoever looks at them, and is of no pane that closed meanwhile.
        """
        if self.newest_ms == NEVER_MS:
            return record_ms - lateness_ms
        quiet_ms = max(record_ms - self.last_record_ms, 0)
        return max(self.watermark_ms, min(self.newest_ms, self.last_record_ms) + quiet_ms - lateness_ms)

    def extrapolate(self, quiet_ms: int, lateness_ms: int) -> None:
        """Let event time go on at the speed of the wall clock, for a partition quiet for ``quiet_ms``."""
        if self.newest_ms != NEVER_MS:
            # Capped like every watermark: the newest event may be ahead of its time, those to come are not.
            self.watermark_ms = self.reached(self.last_record_ms + quiet_ms, lateness_ms)


def _running(before_ms: int, times_ms: NDArray[np.int64], counted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the newest time before each row and after all, of those that count; shape ``(n + 1,)``."""
    return np.maximum.accumulate(np.concatenate(([before_ms], np.where(counted, times_ms, NEVER_MS))))
