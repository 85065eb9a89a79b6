"""A pair: what is known of one id. Predictions and labels of an id may come in any order, and repeatedly."""

from collections import Counter

import msgspec

from streams.joins.records import JoinRecord, Labelled, Predicted


class Pair(msgspec.Struct, array_like=True):
    """The first prediction of an id and its latest label.

    Both are extremes: the prediction of the lowest source partition and offset, the label of the highest
    ``ts`` (then source). So any order and any repeats of the same records come to the same pair.

    ``born`` and ``fence`` are the first and the last offset of ``driftline.joins`` taken in; ``odd`` counts
    what was odd about it.
    """

    born: int
    fence: int = -1
    prediction: Predicted | None = None
    label: Labelled | None = None
    odd: dict[str, int] = {}

    @property
    def at_ms(self) -> int:
        """Event time the pair is kept by: that of the prediction, or of the label that waits for it."""
        known = self.prediction or self.label
        return 0 if known is None else known.ts_ms

    def take(self, record: JoinRecord, offset: int) -> "Pair":
        """Return the pair with another record of its id, which lies at an offset above the fence."""
        odd = Counter(self.odd)
        pair = Pair(self.born, offset, self.prediction, self.label)
        if isinstance(record, Predicted):
            pair.prediction = _first(self.prediction, record, odd)
            if self.prediction is None and self.label is not None:
                odd["early_labels"] += 1
        else:
            pair.label = _latest(self.label, record, odd)
        pair.odd = dict(odd)
        return pair

    def is_same_outcome(self, other: "Pair") -> bool:
        """Return whether prediction and label are the same."""
        return self.prediction == other.prediction and self.label == other.label


def _first(held: Predicted | None, found: Predicted, odd: "Counter[str]") -> Predicted:
    if held is None:
        return found
    # The very same record comes twice when stage 1 sends again after a crash: that is nothing odd.
    if found.source != held.source:
        odd["duplicate_predictions"] += 1
    return min(held, found, key=lambda one: one.source)


def _latest(held: Labelled | None, found: Labelled, odd: "Counter[str]") -> Labelled:
    if held is None:
        return found
    if found.source != held.source:
        odd["duplicate_labels" if found.label == held.label else "contradictory_labels"] += 1
    return max(held, found, key=lambda one: (one.ts_ms, one.source))
