"""Small, lasting shifts of a feature, by evidence that adds up from pane to pane."""

import math
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from detectors.accumulation import Accumulation
from detectors.alternatives import Bank, bank_of
from detectors.base import Detector, Evidence, Params, Verdict
from detectors.comparison import Comparison, Shortfall, compare, shortage
from detectors.divergence import shares
from detectors.sentence import quantity, shorten
from detectors.shift_words import Shift, clock, direction_labels, exponent, said
from detectors.tally import Tally, tally_of
from detectors.tilt import directions_of
from detectors.wander import wander
from detectors.window import Column, Window

#: Below this a reference's shares are too uncertain for small shifts.
LEAST_REFERENCE_ROWS = 1_000
#: Scores beyond this tell no more.
_HIGHEST_SCORE = 300.0


class LastingShiftParams(Params):
    """Parameters of the evidence for lasting shifts."""

    threshold: float = Field(
        default=7.0,
        ge=1.0,
        le=100.0,
        description="log10 of the panes from one false alarm to the next, in the mean; "
        "follows from `false_alarms` unless given",
    )
    min_effect: float = Field(
        default=0.05,
        ge=0.005,
        le=1.0,
        description="smallest shift that matters (standard deviations); smaller ones never add up",
    )


class LastingShift(Detector[LastingShiftParams]):
    """Fires when a feature's distribution has shifted for good; small shifts after a while, large ones at once.

    Each pane's events are counted in the reference's bins, missing values in one of their own, and held
    against a bank of shifts (`alternatives`): of the location and scale of a number, of each bin's or
    category's share, of missing values; up and down, in sizes from ``min_effect``. ``score`` is log10 of the
    evidence for them, weighted, as it adds up over the panes (`accumulation`). While the column keeps
    within its usual bounds, it takes ``10 ** threshold`` panes or more in the mean until the score first
    passes the threshold, whatever the panes' sizes and however often one looks. So ``threshold`` is the
    false alarms one accepts, per pane, and there is nothing to tune for it.

    Within bounds is: ``min_effect`` around the reference; what the reference's own size leaves uncertain; and
    what its spans show to be normal, as a daily rhythm (`wander`). The guarantee is for events
    that are independent given their pane's distribution.

    References
    ----------
    Shin, J., Ramdas, A. and Rinaldo, A. (2022), E-detectors: a nonparametric framework for sequential change
    detection, arXiv:2203.03532.
    Pollak, M. (1985), Optimal detection of a change in distribution, Annals of Statistics 13(1).
    """

    name = "lasting_shift"
    kind = "FeatureDrift"
    targets = frozenset({"number", "category"})
    params_class = LastingShiftParams
    default = True
    needs_reference = True

    def __init__(self, params: LastingShiftParams, column: str = "") -> None:
        super().__init__(params, column)
        self._bank: Bank | None = None
        self._tally: Tally | None = None
        self._seen: tuple[Any, ...] = ()
        self._fingerprint = ""
        self._sums: Accumulation | None = None
        self._mixture = -math.inf
        self._leads = (0, 0)
        self._rows = 0
        self._last_end_ms: int | None = None

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Add the newest pane's evidence, and judge what it has come to."""
        name = shorten(self.column)
        if window.pane is None:
            return self.insufficient(0, f"{name}: {shortage(0, self.params.min_samples, 'event')}")
        found = compare(window.pane, reference, self.column, 0)
        if isinstance(found, Shortfall):
            return self.insufficient(found.samples, found.reason)
        if found.reference.rows < LEAST_REFERENCE_ROWS:
            reason = shortage(found.reference.rows, LEAST_REFERENCE_ROWS, "event")
            return self.insufficient(found.samples, f"{name}: {reason} in the reference")
        bank, tally = self._prepare(found.reference)
        if self._last_end_ms is None or window.pane.end_ms > self._last_end_ms:
            self._last_end_ms = window.pane.end_ms
            self._take(bank, tally.counts(found.current), window.pane.start_ms)
        if self._rows < self.params.min_samples:
            return self.insufficient(
                self._rows, f"{name}: {shortage(self._rows, self.params.min_samples, 'event')}"
            )
        whole = window.column(self.column) or found.current
        return self._judge(Comparison(whole, found.reference), window.end_ms)

    def snapshot(self) -> Any:
        """Return the evidence so far."""
        if self._sums is None:
            return None
        return {
            "fingerprint": self._fingerprint,
            "sums": self._sums.snapshot(),
            "mixture": max(self._mixture, -1e9),
            "leads": list(self._leads),
            "rows": self._rows,
            "last_end_ms": self._last_end_ms,
        }

    def restore(self, snapshot: Mapping[str, Any] | None) -> None:
        """Take up the evidence; it is dropped if the bins or sizes turn out to be others."""
        if snapshot is None:
            return
        self._fingerprint = snapshot["fingerprint"]
        self._sums = Accumulation.restored(snapshot["sums"])
        self._mixture = snapshot["mixture"]
        side, direction = snapshot["leads"]
        self._leads = (side, direction)
        self._rows = snapshot["rows"]
        self._last_end_ms = snapshot["last_end_ms"]

    def _prepare(self, reference: Column) -> tuple[Bank, Tally]:
        """Return the bank of this reference; other bins begin the evidence anew."""
        seen = (reference.bins, reference.missing, reference.spans, reference.labels)
        if self._bank is None or self._tally is None or not _same(seen, self._seen):
            self._seen = seen
            self._tally = tally_of(reference)
            directions = directions_of(self._tally.counts(reference), is_number=reference.kind == "number")
            self._bank = bank_of(
                directions,
                min_effect=self.params.min_effect,
                wander=wander(directions, self._tally.spans(reference)),
                rows=reference.rows,
            )
        sizes = self._bank.sizes.shape[2]
        fingerprint = _fingerprint(reference, self._tally, sizes)
        if self._sums is None or fingerprint != self._fingerprint:
            self._sums = Accumulation.empty(len(self._bank.directions), sizes)
            self._fingerprint, self._rows, self._mixture = fingerprint, 0, -math.inf
        return self._bank, self._tally

    def _take(self, bank: Bank, counts: NDArray[np.int64], start_ms: int) -> None:
        rows = int(counts.sum())
        if not rows or self._sums is None:
            return
        increments, sums = bank.increments(counts.astype(np.float64))
        limit = self.params.threshold * math.log(10)
        self._mixture, self._leads = self._sums.add(
            increments, bank.weights, limit, start_ms=start_ms, rows=rows, sums=sums
        )
        self._rows += rows

    def _judge(self, found: Comparison, now_ms: int) -> Verdict:
        assert self._sums is not None and self._bank is not None and self._tally is not None
        score = float(np.clip(self._mixture / math.log(10), 0.0, _HIGHEST_SCORE))
        side, direction = self._leads
        rows, since_ms = int(self._sums.rows[side, direction]), int(self._sums.since_ms[side, direction])
        is_firing = score > self.params.threshold
        shift = Shift(
            self._bank.directions,
            direction,
            float(self._sums.scores[side, direction]) / max(rows, 1),
        )
        told = said(shift, found, self._tally.labels) if is_firing else "no lasting shift"
        evidence = exponent(score, self.params.threshold)
        sentence = (
            f"{shorten(self.column)}: {told}; evidence {evidence} over {quantity(rows, 'event')} "
            f"since {clock(since_ms, now_ms)}"
        )
        current, reference = (tuple(shares(counts).tolist()) for counts in found.counts)
        details = {
            "since_ms": since_ms,
            "events": rows,
            "direction": direction_labels(self._bank.directions, self._tally.labels)[direction],
            "effect": shift.effect,
            "margin": float(self._bank.margins[side, direction]),
        }
        return self.verdict(
            score, rows, Evidence(sentence, score, found.current.labels, reference, current, details)
        )


def _same(mine: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
    return len(mine) == len(theirs) and all(
        one is other or np.array_equal(one, other) for one, other in zip(mine, theirs, strict=True)
    )


def _fingerprint(reference: Column, tally: Tally, sizes: int) -> str:
    """Return what must not change for evidence to go on adding up."""
    told = repr((reference.kind, tally.labels, reference.edges.tolist(), sizes))
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
