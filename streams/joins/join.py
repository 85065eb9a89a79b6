"""The join of one partition of ``driftline.joins``, pure: records in, pairs and outcomes out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from streams.joins.model_join import JoinClock, ModelJoin, OutcomeGroup, PairKey
from streams.joins.outcomes import Outcomes
from streams.joins.pair import Pair
from streams.joins.plan import JoinPlan
from streams.joins.records import decode

#: What may be odd about predictions and labels, by the name it is counted under.
ODDITIES: Mapping[str, str] = {
    "early_labels": "Labels that came before their prediction, and waited for it.",
    "duplicate_predictions": "Further predictions of an id that has one; the first one counts.",
    "duplicate_labels": "Further labels of an id that say the same.",
    "contradictory_labels": "Further labels of an id that say something else; the latest counts.",
    "unusable_labels": "Labels that cannot be held against their prediction: one of the two is not of its kind.",
    "late_predictions": "Predictions older than the horizon; they are not joined.",
    "late_labels": "Labels older than the horizon; they are not joined.",
    "unknown_labels": "Labels whose prediction did not come within the horizon.",
    "unlabelled_predictions": "Predictions whose label did not come within the horizon.",
    "given_up_ids": "Ids that were let go when the rate was halved, for there were too many.",
}


class JoinCheckpoint(msgspec.Struct):
    """Where a joins partition stands: the next offset to read, and the clocks of its models."""

    next_offset: int
    clocks: dict[str, JoinClock]


@dataclass(frozen=True, slots=True)
class JoinFlush:
    """What a flush writes: outcomes, pairs held, the checkpoint, and then what was let go.

    In this order: pairs that are written do not say again what they took back from a pane; a pair ahead
    of its checkpoint is known by its offsets; one that was deleted before it would be missed.
    """

    outcomes: dict[tuple[str, OutcomeGroup], Outcomes]
    held: dict[tuple[str, PairKey], Pair]
    checkpoint: JoinCheckpoint
    let_go: list[tuple[str, PairKey]]


class PartitionJoin:
    """The joins of all models within one partition.

    Parameters
    ----------
    plans
        By model; records of other models are passed over.
    """

    def __init__(self, plans: Mapping[str, JoinPlan]) -> None:
        self.next_offset = 0
        self.models = {model: ModelJoin(plan) for model, plan in plans.items()}

    def restore(self, checkpoint: JoinCheckpoint, pairs: Iterable[tuple[str, str, Pair]]) -> None:
        """Go on from a checkpoint and the pairs (model, id, pair) written so far."""
        self.next_offset = checkpoint.next_offset
        held: dict[str, list[tuple[str, Pair]]] = {}
        for model, id, pair in pairs:
            held.setdefault(model, []).append((id, pair))
        for model, join in self.models.items():
            restored = ModelJoin(join.plan, checkpoint.clocks.get(model))
            restored.restore(held.get(model, ()), checkpoint.next_offset)
            self.models[model] = restored

    def take(self, values: Sequence[bytes | None], offsets: Sequence[int]) -> None:
        """Take in a chunk of records; offsets ascend, those below the next one expected are passed over."""
        for value, offset in zip(values, offsets, strict=True):
            if value is None or offset < self.next_offset:
                continue
            record = decode(value)
            join = self.models.get(record.model)
            if join is not None:
                join.take(record, offset)
        if offsets:
            self.next_offset = max(self.next_offset, offsets[-1] + 1)

    def flush(self) -> JoinFlush:
        """Return what is to be written, so that the join can be restored as it is now."""
        held: dict[tuple[str, PairKey], Pair] = {}
        outcomes: dict[tuple[str, OutcomeGroup], Outcomes] = {}
        let_go: list[tuple[str, PairKey]] = []
        for model, join in self.models.items():
            pairs, changed = join.take_changed()
            for key, pair in pairs.items():
                if pair is None:
                    let_go.append((model, key))
                else:
                    held[(model, key)] = pair
            outcomes |= {(model, group): one for group, one in changed.items()}
        clocks = {model: join.clock for model, join in self.models.items()}
        return JoinFlush(outcomes, held, JoinCheckpoint(self.next_offset, clocks), let_go)
