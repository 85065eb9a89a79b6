"""What a detector of lasting shifts holds panes against, and what it keeps between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from detectors.accumulation import Accumulation, advance
from detectors.alternatives import Alternative, Bank, bank_of
from detectors.banks import Banks
from detectors.divergence import Counts
from detectors.packed import pack, unpack
from detectors.tally import Tally, tally_of
from detectors.tilt import Floats, directions_of
from detectors.trail import Trail
from detectors.wander import wander
from detectors.window import Column, Window

#: Share of the threshold (both as logarithms) from which on evidence holds back what wandering is.
_NOTEWORTHY = 0.5


@dataclass(frozen=True, slots=True)
class Rule:
    """How panes are counted and what they are held against, by one reference.

    ``usual`` is how far that wanders (`wander`), or how far it did before there was evidence for a shift.
    """

    reference: Column
    tally: Tally
    bank: Bank
    usual: Floats
    was_held: bool
    fingerprint: str

    @classmethod
    def of(cls, reference: Column, min_effect: float, held: Floats | None = None) -> "Rule":
        """Return the rule of a reference; ``min_effect`` in standard deviations, ``held`` the ``usual`` to keep."""
        tally = tally_of(reference)
        directions = directions_of(tally.counts(reference), is_number=reference.kind == "number")
        was_held = held is not None and held.shape == (2, len(directions))
        usual = held if held is not None and was_held else wander(directions, tally.spans(reference))
        bank = bank_of(directions, min_effect=min_effect, wander=usual, rows=reference.rows)
        told = repr((reference.kind, tally.labels, reference.edges.tolist(), bank.sizes.shape))
        digest = blake2b(told.encode("utf-8", "surrogatepass"), digest_size=6)
        return cls(reference, tally, bank, usual, was_held, digest.hexdigest())

    def is_for(self, reference: Column, held: Floats | None) -> bool:
        """Return whether `of` would say the same; references of trailing panes are made anew for each pane."""
        if held is None:
            if self.was_held:
                return False
        elif not np.array_equal(held, self.usual):
            return False
        return self.reference.is_counted_as(reference)


class Taken(NamedTuple):
    """A column's evidence after a pane: the sums, the logarithm of their weighted mean, and what leads in it."""

    kept: Floats
    mixture: float
    leads: Alternative


@dataclass(slots=True)
class State:
    """What is kept between panes.

    Parameters
    ----------
    mixture, leads
        Logarithm of the evidence, and the alternative that has most of it.
    held
        While there is evidence: how far the reference wandered before. One that trails would soon take the
        shift itself for wandering.
    """

    fingerprint: str
    sums: Accumulation
    trail: Trail
    mixture: float = 0.0
    leads: Alternative = (0, 0, 0)
    rows: int = 0
    last_end_ms: int | None = None
    held: Floats | None = None

    @classmethod
    def begin(cls, rule: Rule) -> "State":
        """Return the state before the first pane."""
        return cls(rule.fingerprint, Accumulation.empty(rule.bank.sizes.shape), Trail())

    @classmethod
    def restored(cls, snapshot: Mapping[str, Any]) -> "State":
        """Return the state of a `snapshot`."""
        side, direction, size = snapshot["leads"]
        parts = {
            "sums": Accumulation.restored(snapshot["sums"]),
            "trail": Trail.restored(snapshot["trail"]),
            "leads": (side, direction, size),
            "held": None if snapshot["held"] is None else unpack(snapshot["held"], "<f8").reshape(2, -1),
        }
        return cls(**{**snapshot, **parts})

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON-able data."""
        return {
            "fingerprint": self.fingerprint,
            "sums": self.sums.snapshot(),
            "trail": self.trail.snapshot(),
            "mixture": self.mixture,
            "leads": list(self.leads),
            "rows": self.rows,
            "last_end_ms": self.last_end_ms,
            "held": None if self.held is None else pack(self.held),
        }

    def is_before(self, pane: Window) -> bool:
        """Return whether a pane is newer than all that were added."""
        return self.last_end_ms is None or pane.end_ms > self.last_end_ms

    def take(
        self, rule: Rule, pane: Window, counts: Counts, rows: int, taken: Taken, log_limit: float
    ) -> None:
        """Take up what a pane's evidence has come to; ``log_limit`` is the logarithm of the threshold.

        ``rows`` is the sum of the ``counts``.
        """
        self.sums.kept, self.mixture, self.leads = taken
        self.trail.add(pane.start_ms, counts)
        self.rows += rows
        self.held = rule.usual if self.mixture > _NOTEWORTHY * log_limit else None


def add_pane(
    states: Sequence[State], counts: Sequence[Counts], banks: Banks, log_limit: float
) -> list[Taken]:
    """Return the evidence of columns after a pane of each; ``log_limit`` is the logarithm of the threshold."""
    before = banks.joined([state.sums.kept for state in states])
    kept, mixtures, weighted = advance(before, banks.increments(counts), banks.whole.log_weights, log_limit)
    found = zip(banks.parted(kept), mixtures.tolist(), banks.leads(weighted), strict=True)
    return [Taken(*one) for one in found]
