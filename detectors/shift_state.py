"""What a detector of lasting shifts holds panes against, and what it keeps between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from detectors.accumulation import Accumulation
from detectors.alternatives import Alternative, Bank, bank_of
from detectors.tally import Tally, tally_of
from detectors.tilt import directions_of
from detectors.trail import Trail
from detectors.wander import wander
from detectors.window import Column, Window


@dataclass(frozen=True, slots=True)
class Rule:
    """How panes are counted and what they are held against, by one reference."""

    reference: Column
    tally: Tally
    bank: Bank
    fingerprint: str

    @classmethod
    def of(cls, reference: Column, min_effect: float) -> "Rule":
        """Return the rule of a reference; ``min_effect`` in standard deviations."""
        tally = tally_of(reference)
        directions = directions_of(tally.counts(reference), is_number=reference.kind == "number")
        usual = wander(directions, tally.spans(reference))
        bank = bank_of(directions, min_effect=min_effect, wander=usual, rows=reference.rows)
        told = repr((reference.kind, tally.labels, reference.edges.tolist(), bank.sizes.shape))
        digest = blake2b(told.encode("utf-8", "surrogatepass"), digest_size=6)
        return cls(reference, tally, bank, digest.hexdigest())

    def is_for(self, reference: Column) -> bool:
        """Return whether a reference, made anew for each pane, still says the same."""
        held = self.reference
        return held is reference or (
            held.missing == reference.missing
            and held.labels == reference.labels
            and np.array_equal(held.edges, reference.edges)
            and np.array_equal(held.bins, reference.bins)
            and np.array_equal(held.spans, reference.spans)
        )


@dataclass(slots=True)
class State:
    """What is kept between panes; ``mixture`` is the logarithm of the evidence, ``leads`` who has most of it."""

    fingerprint: str
    sums: Accumulation
    trail: Trail
    mixture: float = 0.0
    leads: Alternative = (0, 0, 0)
    rows: int = 0
    last_end_ms: int | None = None

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
        }

    def take(self, rule: Rule, column: Column, pane: Window, log_limit: float) -> None:
        """Add a pane's evidence; ``log_limit`` is the logarithm of the threshold."""
        self.last_end_ms = pane.end_ms
        counts = rule.tally.counts(column)
        rows = int(counts.sum())
        if rows:
            self.mixture, self.leads = self.sums.add(
                rule.bank.increments(counts), np.log(rule.bank.weights), log_limit
            )
            self.trail.add(pane.start_ms, counts)
            self.rows += rows
