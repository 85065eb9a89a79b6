"""Small, lasting shifts of a feature, by evidence that adds up from pane to pane."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from pydantic import Field

from detectors.alternatives import Bank
from detectors.banks import Banks
from detectors.base import Detector, Evidence, Params, Verdict
from detectors.comparison import Comparison, Shortfall, compare, shortage
from detectors.sentence import quantity, shorten
from detectors.shift_state import Rule, State, add_pane
from detectors.shift_words import Shift, clock, said, strength
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


class _Place(NamedTuple):
    """A pane's column beside its reference, what it is held against, and what is kept of the panes before."""

    found: Comparison
    rule: Rule
    state: State

    @property
    def rows(self) -> int:
        """The pane's events that are counted, those without the value among them."""
        return self.found.samples + self.found.current.missing


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
        self._rule: Rule | None = None
        self._state: State | None = None
        self._banks: Banks | None = None

    @classmethod
    def observe_many(
        cls, detectors: Sequence[Self], window: Window, reference: Window | None
    ) -> list[Verdict]:
        """Add the newest pane's evidence, and judge what it has come to."""
        found = [(one, one._on_bench(window.pane, reference)) for one in detectors]
        if window.pane is not None:
            cls._take([(one, place) for one, place in found if not isinstance(place, Shortfall)], window.pane)
        return [
            one.insufficient(place.samples, place.reason)
            if isinstance(place, Shortfall)
            else one._verdict(place, window)
            for one, place in found
        ]

    def _on_bench(self, pane: Window | None, reference: Window | None) -> _Place | Shortfall:
        """Return what the pane is held against and added to, or why it cannot be."""
        name = shorten(self.column)
        if pane is None:
            return Shortfall(0, f"{name}: {shortage(0, self.params.min_samples, 'event')}")
        found = compare(pane, reference, self.column, 0)
        if isinstance(found, Shortfall):
            return found
        if found.reference.rows < LEAST_REFERENCE_ROWS:
            reason = shortage(found.reference.rows, LEAST_REFERENCE_ROWS, "event")
            return Shortfall(found.samples, f"{name}: {reason} in the reference")
        held = None if self._state is None else self._state.held
        if self._rule is None or not self._rule.is_for(found.reference, held):
            self._rule = Rule.of(found.reference, self.params.min_effect, held)
        rule, state = self._rule, self._state
        if state is None or state.fingerprint != rule.fingerprint:
            state = self._state = State.begin(rule)
        return _Place(found, rule, state)

    @classmethod
    def _take(cls, places: Sequence[tuple[Self, _Place]], pane: Window) -> None:
        """Add the pane's evidence to all columns that have not had it yet."""
        new = [place for _, place in places if place.state.is_before(pane)]
        counted = [(place, place.rule.tally.counts(place.found.current)) for place in new]
        held = [(place, counts) for place, counts in counted if place.rows]
        for place in new:
            place.state.last_end_ms = pane.end_ms
        if not held:
            return
        first = places[0][0]
        banks = first._side_by_side([place.rule.bank for place, _ in held])
        log_limit = first.params.threshold * math.log(10)
        states, counts = [place.state for place, _ in held], [counts for _, counts in held]
        for (place, own), taken in zip(held, add_pane(states, counts, banks, log_limit), strict=True):
            place.state.take(place.rule, pane, own, place.rows, taken, log_limit)

    def _side_by_side(self, banks: Sequence[Bank]) -> Banks:
        if self._banks is None or not self._banks.are(banks):
            self._banks = Banks.of(banks)
        return self._banks

    def _verdict(self, place: _Place, window: Window) -> Verdict:
        rows, least = place.state.rows, self.params.min_samples
        if rows < least:
            return self.insufficient(rows, f"{shorten(self.column)}: {shortage(rows, least, 'event')}")
        whole = window.column(self.column) or place.found.current
        return self._judge(place.rule, place.state, Comparison(whole, place.found.reference), window.end_ms)

    def snapshot(self) -> Any:
        """Return the evidence so far; None before the first pane that could be judged."""
        return None if self._state is None else self._state.snapshot()

    def restore(self, snapshot: Mapping[str, Any] | None) -> None:
        """Take up the evidence; it begins anew if the bins or sizes turn out to be others."""
        self._state = None if snapshot is None else State.restored(snapshot)

    def furthest_usual(self, reference: Column) -> tuple[float, str] | None:
        """Return how far a reference's column wanders at most (standard deviations), and in which direction.

        None where it has no bins to tell by.
        """
        if not reference.bins.sum():
            return None
        rule = Rule.of(reference, self.params.min_effect)
        by_direction = rule.usual.max(axis=0)
        place = int(np.argmax(by_direction))
        names = (*rule.bank.directions.shapes, *rule.tally.labels)
        return float(by_direction[place]), names[place]

    def _judge(self, rule: Rule, state: State, found: Comparison, now_ms: int) -> Verdict:
        score = min(max(state.mixture / math.log(10), 0.0), _HIGHEST_SCORE)
        if score <= self.params.threshold:
            rows = state.rows
            evidence = Evidence.when_asked(self._quiet, score, rows, found)
            return self.verdict(score, rows, evidence)
        strong = strength(score, self.params.threshold)
        side, direction, _ = state.leads
        since_ms, counts = state.trail.since(rule.bank.gains(np.array(state.trail.counts), state.leads))
        shift = Shift(rule.bank.directions, direction, counts, rule.tally.labels)
        sentence = (
            f"{shorten(self.column)}: {said(shift, found)}; {strong} over {quantity(shift.rows, 'event')} "
            f"since {clock(since_ms, now_ms)}"
        )
        details = {
            "since_ms": since_ms,
            "direction": shift.name,
            "effect": shift.effect,
            "margin": float(rule.bank.margins[side, direction]),
        }
        return self.verdict(score, shift.rows, Evidence(sentence, score, *_distributions(found), details))

    def _quiet(self, score: float, rows: int, found: Comparison) -> Evidence:
        strong = strength(score, self.params.threshold)
        sentence = f"{shorten(self.column)}: no lasting shift; {strong} after {quantity(rows, 'event')}"
        return Evidence(sentence, score, *_distributions(found))


def _distributions(found: Comparison) -> tuple[tuple[str, ...], tuple[float, ...], tuple[float, ...]]:
    return found.current.labels, found.reference.listed_shares, found.current.listed_shares
