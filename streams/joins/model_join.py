"""The join of one model within one joins partition, pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from detectors.outcomes.tally import Tally, add
from detectors.outcomes.task import UNUSABLE
from streams.joins.outcomes import Outcomes, contribution
from streams.joins.pair import Pair
from streams.joins.plan import JoinPlan
from streams.joins.records import JoinRecord, Predicted, place
from streams.watermark import NEVER_MS


class OutcomeGroup(NamedTuple):
    """Whose outcomes: version, segment ("" is all), and the pane's start, epoch ms."""

    version: str
    segment: str
    start_ms: int


class JoinClock(msgspec.Struct):
    """Where a model's join stands, beside its pairs.

    ``now_ms`` is event time, the newest there was, each capped at its record's broker time; ``halvings``
    says how often the rate was halved, ``counts`` what came of the ids that are not held any more.
    """

    now_ms: int = NEVER_MS
    halvings: int = 0
    counts: dict[str, int] = {}


class PairKey(NamedTuple):
    """Which pair: an id that was let go may come again, as another pair, born at a later offset."""

    id: str
    born: int


class ModelJoin:
    """Joins predictions and labels of one model.

    All that is kept are pairs and a `JoinClock`; the outcomes by pane are the sum over the pairs held, so
    that they can always be counted anew. A pair is held until its pane is older than the horizon; its pane
    is final then, and goes with it.
    """

    def __init__(self, plan: JoinPlan, clock: JoinClock | None = None) -> None:
        self.plan = plan
        self.clock = clock or JoinClock(counts={})
        self.pairs: dict[str, Pair] = {}
        self._tallies: dict[OutcomeGroup, Tally] = {}
        self._odd: Counter[str] = Counter()
        self._limit_ms = self._limit()
        self._changed: dict[PairKey, Pair | None] = {}
        self._changed_groups: set[OutcomeGroup] = set()
        self._final: dict[OutcomeGroup, Outcomes] = {}

    def restore(self, pairs: Iterable[tuple[str, Pair]], next_offset: int) -> None:
        """Take up pairs as they were written, some maybe ahead of the checkpoint.

        Those born from ``next_offset`` on will be born again, when their records are read again. Those that
        the clock has let go already were not deleted in time, and are now.
        """
        for id, pair in pairs:
            if pair.born >= next_offset:
                continue
            if pair.at_ms < self._limit_ms or not self._is_sampled(id):
                self._changed[PairKey(id, pair.born)] = None
            else:
                self._exchange(id, Pair(pair.born), pair)
        self._changed_groups = set(self._tallies)

    @property
    def rate(self) -> float:
        """Share of the ids that are joined (0 to 1)."""
        return self.plan.sample * 0.5**self.clock.halvings

    @property
    def counts(self) -> dict[str, int]:
        """What was odd so far, by name; see `streams.joins.join.ODDITIES`."""
        held = sum(one.get(UNUSABLE, 0) for group, one in self._tallies.items() if not group.segment)
        return dict(Counter(self.clock.counts) + self._odd + Counter(unusable_labels=held))

    def take(self, record: JoinRecord, offset: int) -> None:
        """Take in a record of this model, at an offset of the joins partition."""
        self._move_on(min(record.ts_ms, record.record_ms))
        if not self._is_sampled(record.id):
            return
        if record.ts_ms < self._limit_ms:
            self._count("late_predictions" if isinstance(record, Predicted) else "late_labels")
            return
        held = self.pairs.get(record.id) or Pair(offset)
        if offset <= held.fence:
            return
        pair = held.take(record, offset)
        self._exchange(record.id, held, pair)
        self._changed[PairKey(record.id, pair.born)] = pair
        if len(self.pairs) > self.plan.most_ids:
            self._halve()

    def take_changed(self) -> tuple[dict[PairKey, Pair | None], dict[OutcomeGroup, Outcomes]]:
        """Return what changed since the last call: pairs (None: let go) and outcomes (empty: taken back)."""
        pairs, groups, final = self._changed, sorted(self._changed_groups), self._final
        self._changed, self._changed_groups, self._final = {}, set(), {}
        return pairs, {group: final.get(group) or self._outcomes(group) for group in groups}

    def outcomes(self) -> dict[OutcomeGroup, Outcomes]:
        """Return the outcomes of all panes within the horizon."""
        return {group: self._outcomes(group) for group in sorted(self._tallies)}

    def _outcomes(self, group: OutcomeGroup, *, final: bool = False) -> Outcomes:
        tally = dict(self._tallies.get(group, {}))
        return Outcomes(group.start_ms, group.start_ms + self.plan.pane_ms, tally, self.rate, final)

    # Counting.

    def _exchange(self, id: str, held: Pair, pair: Pair) -> None:
        if not pair.is_same_outcome(held):
            self._add(held, -1)
            self._add(pair, 1)
        self._odd.update(pair.odd)
        self._odd.subtract(held.odd)
        self.pairs[id] = pair

    def _add(self, pair: Pair, sign: int) -> None:
        part = contribution(self.plan.task, pair)
        for group in self._groups(pair):
            tally = self._tallies.setdefault(group, {})
            add(tally, part, sign)
            if not tally:
                del self._tallies[group]
            self._changed_groups.add(group)

    def _groups(self, pair: Pair) -> Iterator[OutcomeGroup]:
        made = pair.prediction
        if made is not None:
            for segment in ("", *made.segments):
                yield OutcomeGroup(made.version, segment, self._pane_of(made.ts_ms))

    def _count(self, name: str, times: int = 1) -> None:
        self.clock.counts[name] = self.clock.counts.get(name, 0) + times

    # Letting go.

    def _move_on(self, now_ms: int) -> None:
        self.clock.now_ms = max(self.clock.now_ms, now_ms)
        limit_ms = self._limit()
        if limit_ms <= self._limit_ms:
            return
        self._limit_ms = limit_ms
        for group in [one for one in self._tallies if one.start_ms < limit_ms]:
            self._final[group] = self._outcomes(group, final=True)
            self._changed_groups.add(group)
            gone = self._tallies.pop(group)
            if not group.segment and UNUSABLE in gone:
                self._count("unusable_labels", gone[UNUSABLE])
        for id in [id for id, pair in self.pairs.items() if pair.at_ms < limit_ms]:
            pair = self._drop(id)
            if pair.prediction is None:
                self._count("unknown_labels")
            elif pair.label is None:
                self._count("unlabelled_predictions")

    def _halve(self) -> None:
        """Halve the rate until there is room, and let go of the ids that are not in the sample any more.

        What they had added to panes still open is taken back: each pane then speaks of one and the same
        sample. Labels that come early would otherwise weigh twice as much as late ones.
        """
        while len(self.pairs) > self.plan.most_ids:
            self.clock.halvings += 1
            for id in [id for id in self.pairs if not self._is_sampled(id)]:
                self._add(self._drop(id), -1)
                self._count("given_up_ids")
        self._changed_groups |= self._tallies.keys()  # their rate is another now

    def _drop(self, id: str) -> Pair:
        pair = self.pairs.pop(id)
        self._changed[PairKey(id, pair.born)] = None
        self._odd.subtract(pair.odd)
        for name, times in pair.odd.items():
            self._count(name, times)
        return pair

    def _is_sampled(self, id: str) -> bool:
        return place(self.plan.model, id)[1] < self.rate

    def _limit(self) -> int:
        """Return the start of the oldest pane within the horizon."""
        return self._pane_of(self.clock.now_ms - self.plan.horizon_ms)

    def _pane_of(self, at_ms: int) -> int:
        return at_ms // self.plan.pane_ms * self.plan.pane_ms
