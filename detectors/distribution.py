"""What detectors of a changed distribution share: the comparison, the usual swings, the evidence, the sentence."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

from detectors.base import Detector, Evidence, Verdict
from detectors.columns import Comparisons
from detectors.comparison import Comparison, Shortfall, compare, means
from detectors.divergence import Counts, Shares
from detectors.sentence import against, quantity, shorten
from detectors.significance import SignificanceParams
from detectors.swing import Spans, Swing, swing_of
from detectors.window import Column, Window

#: Share of the threshold from which on a window holds back what the reference takes for a swing.
_NOTEWORTHY = 0.5

D = TypeVar("D", bound=SignificanceParams)


class DistributionDetector(Detector[D], Generic[D]):
    """Compares the bins of columns in the window with those of the reference, all columns at once.

    A subclass says in `measure` how far they lie apart and which distance is worth an alert, and in
    `distances` how far spans of the reference lie from the whole, which says what is usual (`swing`).
    While a window is noteworthy, the usual is what it was before: a reference that trails would soon take a
    shift for a swing of its own.
    """

    #: The measure's name in sentences.
    measure_name: ClassVar[str]
    needs_reference = True

    def __init__(self, params: D, column: str = "") -> None:
        super().__init__(params, column)
        self._spans: tuple[Column, Spans] | None = None
        self._swing: tuple[Column, int, Swing] | None = None
        self._held: tuple[str, Swing] | None = None

    def measure(self, found: Comparisons, usual: Sequence[Swing]) -> tuple[Shares, Shares]:
        """Return the scores, and the thresholds in force at these sample sizes, shape ``(columns,)``.

        Parameters
        ----------
        usual
            How far each column's reference swings; see `swing.limits`.
        """
        raise NotImplementedError

    def distances(self, spans: Counts, reference: Column) -> Shares:
        """Return how far spans, shape ``(spans, bins)``, lie from the whole, such that distances add up."""
        raise NotImplementedError

    def usual(self, reference: Column, rows: int) -> Swing:
        """Return how far the reference swings, or how far it did before the window became noteworthy.

        ``rows`` are those of the window: swings shorter than it is are levelled out in it.
        """
        if self._held is not None and self._held[0] == reference.bins_fingerprint:
            return self._held[1]
        if self._spans is None or self._spans[0] is not reference:
            self._spans = (reference, Spans.of(reference.spans))
        spans, swing = self._spans[1], self._swing
        count = spans.count(rows)
        if swing is None or swing[1] != count or not swing[0].is_counted_as(reference):
            found = swing_of(
                lambda counts: self.distances(counts, reference),
                reference.bins, spans.as_long(rows), self.params.alpha,
            )  # fmt: skip
            swing = self._swing = (reference, count, found)
        return swing[2]

    def furthest_usual(self, reference: Column, rows: int) -> float | None:
        """Return how far the reference swings at most, in the unit of `distances`; None where it has no bins."""
        return self.usual(reference, rows).furthest if reference.bins.sum() else None

    def obstacle(self, comparison: Comparison) -> str:
        """Return why these columns cannot be measured though both have bins; empty where they can."""
        return ""

    def details(self, comparison: Comparison) -> Mapping[str, object]:
        """Return further figures for the evidence, JSON-able."""
        return {}

    @classmethod
    def observe_many(
        cls, detectors: Sequence[Self], window: Window, reference: Window | None
    ) -> list[Verdict]:
        """Judge the columns' distributions against the reference's."""
        found = [(one, one.comparable(window, reference)) for one in detectors]
        ready = [(one, pair) for one, pair in found if not isinstance(pair, Shortfall)]
        judged = iter(cls._judged(*zip(*ready, strict=True)) if ready else ())
        return [
            one.insufficient(pair.samples, pair.reason) if isinstance(pair, Shortfall) else next(judged)
            for one, pair in found
        ]

    def comparable(self, window: Window, reference: Window | None) -> Comparison | Shortfall:
        """Return the column of both sides, or why it cannot be measured."""
        found = compare(window, reference, self.column, self.params.min_samples)
        if isinstance(found, Comparison) and (obstacle := self.obstacle(found)):
            return Shortfall(found.samples, f"{shorten(self.column)}: {obstacle}")
        return found

    @classmethod
    def _judged(cls, detectors: Sequence[Self], pairs: Sequence[Comparison]) -> list[Verdict]:
        found = Comparisons(pairs)
        usual = [one.usual(pair.reference, pair.samples) for one, pair in zip(detectors, pairs, strict=True)]
        scores, thresholds = (figures.tolist() for figures in detectors[0].measure(found, usual))
        told = zip(detectors, pairs, usual, scores, thresholds, strict=True)
        return [
            one._verdict(pair, swing, score, limit, found, place)
            for place, (one, pair, swing, score, limit) in enumerate(told)
        ]

    def _verdict(
        self, pair: Comparison, usual: Swing, score: float, limit: float, found: Comparisons, place: int
    ) -> Verdict:
        is_noteworthy = score > _NOTEWORTHY * limit
        self._held = (pair.reference.bins_fingerprint, usual) if is_noteworthy else None
        evidence = Evidence.when_asked(self._evidence, pair, score, limit, found, place)
        return self.verdict(score, pair.samples, evidence, threshold=limit)

    def snapshot(self) -> Any:
        """Return the usual swing that is held back; None while the window is not noteworthy."""
        return None if self._held is None else [self._held[0], self._held[1].alpha, *self._held[1].levels]

    def restore(self, snapshot: Any) -> None:
        """Take up a `snapshot`."""
        self._held = None
        if snapshot is not None:
            fingerprint, alpha, *levels = snapshot
            self._held = (fingerprint, Swing(alpha, tuple(levels)))

    def _evidence(
        self, comparison: Comparison, score: float, limit: float, found: Comparisons, place: int
    ) -> Evidence:
        telling = found.telling_bins[place]
        figures = [
            f"{self.measure_name} {against(score, limit)} over {quantity(comparison.samples, 'event')}"
        ]
        details = {"reference_samples": comparison.reference_samples, **self.details(comparison)}
        if moved := means(comparison):
            figures.insert(0, moved)
            details["mean"] = [comparison.reference.mean, comparison.current.mean]
        return Evidence(
            sentence=f"{shorten(self.column)}: {', '.join(figures)}" + (f"; {telling}" if telling else ""),
            value=score,
            labels=comparison.current.labels,
            reference=comparison.reference.listed_shares,
            current=comparison.current.listed_shares,
            details=details,
        )
