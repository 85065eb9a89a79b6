"""Outcomes on the wire: as they travel from the join to the judge."""

from streams.joins.outcomes import Outcomes
from streams.wire import OutcomeRow

_MOST = 1 << 62


def outcome_row(fence: int, one: Outcomes) -> OutcomeRow:
    """Return outcomes as they travel."""
    tally = [(key, count if -_MOST < count < _MOST else _as_bytes(count)) for key, count in one.tally.items()]
    return OutcomeRow(fence, one.end_ms, one.rate, one.final, tally)


def outcomes_of(start_ms: int, row: OutcomeRow) -> Outcomes:
    """Return outcomes that have travelled."""
    tally = {
        key: count if isinstance(count, int) else int.from_bytes(count, "big", signed=True)
        for key, count in row.tally
    }
    return Outcomes(start_ms, row.end_ms, tally, row.rate, row.final)


def _as_bytes(count: int) -> bytes:
    return count.to_bytes(count.bit_length() // 8 + 1, "big", signed=True)
