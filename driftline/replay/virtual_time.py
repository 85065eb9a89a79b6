"""The pipeline in virtual time: rows in, what the judges say out, as a live fleet would have said it.

Virtual time is the newest event time of any row so far. Rows are counted slice by slice between pane
boundaries; at each boundary panes are closed and judged, and the judges are ticked, so that silence
is noticed as it would have been by the clock. What comes out does not depend on how rows were chunked.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from driftline.history.files import Chunk
from driftline.history.rows import UNKNOWN_MS
from driftline.replay.joins import VirtualJoins
from streams.alerting import Links
from streams.folding import Folded
from streams.joins.records import Labelled
from streams.judge import ModelJudge
from streams.judged import Judged
from streams.profiler import Profiler
from streams.stages.fleet import Watched

#: The source partition all rows count as.
PARTITION = 0
#: In a gap, ticks come at each pane boundary this often, then ever more rarely: by a tenth of the gap so far.
CLOSE_TICKS = 60
_RARER = 10

Emit = Callable[[str, Judged, int], None]


@dataclass(slots=True)
class Ticker:
    """When a model is ticked: at pane boundaries, a bounded number of times while it is quiet.

    Examples
    --------
    >>> ticker = Ticker(pane_ms=10)
    >>> ticker.heard(25)
    >>> list(ticker.due(50))
    [30, 40, 50]
    >>> sum(1 for _ in ticker.due(10_000_000)) < 300
    True
    """

    pane_ms: int
    heard_ms: int = 0
    next_ms: int | None = None
    quiet: int = 0

    def heard(self, now_ms: int) -> None:
        """Note that a row of the model came."""
        self.heard_ms, self.quiet = now_ms, 0
        boundary_ms = (now_ms // self.pane_ms + 1) * self.pane_ms
        self.next_ms = boundary_ms if self.next_ms is None else min(self.next_ms, boundary_ms)

    def due(self, until_ms: int) -> Iterator[int]:
        """Yield the ticks up to and with ``until_ms``; each once."""
        while self.next_ms is not None and self.next_ms <= until_ms:
            at_ms = self.next_ms
            self.quiet += 1
            panes = (at_ms - self.heard_ms) // (_RARER * self.pane_ms) if self.quiet > CLOSE_TICKS else 1
            self.next_ms = at_ms + max(panes, 1) * self.pane_ms
            yield at_ms


@dataclass(slots=True)
class Panel:
    """A judge for each model, and who is told what they say.

    Parameters
    ----------
    emit
        Told what a model's judge said, and the virtual time it said it at.
    """

    watched: Mapping[str, Watched]
    emit: Emit
    links: Links = field(default_factory=Links)
    judges: dict[str, ModelJudge] = field(init=False)

    def __post_init__(self) -> None:
        self.judges = {
            name: ModelJudge(one.monitor, one.layout, reference_file=one.reference, links=self.links)
            for name, one in self.watched.items()
        }


@dataclass(slots=True)
class VirtualTime:
    """Profiler and judges of some models, driven by the event time of what they are given.

    Parameters
    ----------
    emit
        Told what a model's judge said, and the virtual time it said it at.
    also
        Further panels that judge the same profiles; their monitors differ only in what judges read.
    labels
        What turned out to be true, in the order it became known; only the first panel judges by it.
    """

    watched: Mapping[str, Watched]
    emit: Emit
    links: Links = field(default_factory=Links)
    also: Sequence[Panel] = ()
    labels: Sequence[Labelled] = ()
    now_ms: int = UNKNOWN_MS
    profiler: Profiler = field(init=False)
    panels: list[Panel] = field(init=False)
    _tickers: dict[str, Ticker] = field(init=False, default_factory=dict)
    _panes_ms: list[int] = field(init=False)
    _joins: VirtualJoins = field(init=False)

    def __post_init__(self) -> None:
        self.profiler = Profiler({name: (one.monitor, one.layout) for name, one in self.watched.items()})
        self.panels = [Panel(self.watched, self.emit, self.links), *self.also]
        self._joins = VirtualJoins(self.watched, self.panels[0].judges, self.labels)
        self._panes_ms = sorted({one.monitor.windows.pane for one in self.watched.values()})

    def take(self, chunk: Chunk) -> Iterator[Folded]:
        """Count a chunk's rows, judging whatever becomes ready on the way."""
        clock_ms = np.maximum.accumulate(np.concatenate(([self.now_ms], chunk.ts_ms)))[1:]
        known = np.flatnonzero(clock_ms != UNKNOWN_MS)
        if not known.size:
            # Bad rows before the first time there is: no pane to count them in.
            yield Folded(bad=chunk.decoded.bad)
            return
        clock_ms[: known[0]] = clock_ms[known[0]]
        decoded = chunk.decoded
        decoded.unmonitored = {}
        for low, high in itertools.pairwise([0, *self._cuts(clock_ms), len(chunk)]):
            self._advance(int(clock_ms[low]))
            part = decoded if (low, high) == (0, len(chunk)) else decoded.between(low, high)
            for model in {*part.models, *(one.model for one in part.bad)} & self.watched.keys():
                pane_ms = self.watched[model].monitor.windows.pane
                self._tickers.setdefault(model, Ticker(pane_ms)).heard(int(clock_ms[high - 1]))
            folded = self.profiler.fold_decoded(PARTITION, part, chunk.offsets[low:high], clock_ms[low:high])
            yield folded
            self.now_ms = int(clock_ms[high - 1])
            self._joins.take(folded.predicted, self.now_ms)

    def finish(self) -> None:
        """Close and judge what is open: no more rows come."""
        if PARTITION in self.profiler.partitions:
            self.profiler.close_all()
            self._hand_over(self.now_ms)
            for model in sorted(self.watched):
                self._close(model, self.now_ms)
            for model, judged in self._joins.finish():
                self.emit(model, judged, self.now_ms)

    def _cuts(self, clock_ms: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
        """Return the rows, but the first, at which virtual time enters another pane of any model."""
        cuts: set[int] = set()
        for pane_ms in self._panes_ms:
            cuts.update((np.flatnonzero(np.diff(clock_ms // pane_ms)) + 1).tolist())
        return sorted(cuts)

    def _advance(self, to_ms: int) -> None:
        """Let virtual time go on to the time of the next row."""
        due: dict[int, list[str]] = {}
        for model in sorted(self._tickers):
            for at_ms in self._tickers[model].due(to_ms):
                due.setdefault(at_ms, []).append(model)
        for at_ms in sorted(due):
            self._hand_over(at_ms)
            for model in due[at_ms]:
                self._close(model, at_ms)
                for panel in self.panels:
                    panel.emit(model, panel.judges[model].tick(at_ms), at_ms)

    def _hand_over(self, at_ms: int) -> None:
        """Give the judges what the watermark has passed."""
        closed, beats = self.profiler.take_closed(PARTITION, at_ms)
        for panel in self.panels:
            # Judges share a profile: none changes what it holds.
            for key, profile in closed:
                panel.judges[key.model].inbox.put_whole(key, profile)
            for beat_key, beat in beats:
                panel.judges[beat_key.model].inbox.heard(PARTITION, beat)

    def _close(self, model: str, at_ms: int) -> None:
        for panel in self.panels:
            judged = panel.judges[model].close()
            if judged.layout is not None and panel is self.panels[0]:
                # Bins are cut from traffic alone, so that every panel finds the same.
                self.profiler.relayout(judged.layout[1], judged.layout[0])
            panel.emit(model, judged, at_ms)
        self.emit(model, self._joins.judged(model, at_ms), at_ms)
