"""Labels in a replay: the same join, one partition of it, in virtual time."""

from collections.abc import Iterable, Mapping, Sequence

from streams.joins.model_join import ModelJoin
from streams.joins.plan import join_plan
from streams.joins.records import JoinRecord, Labelled, Predicted
from streams.joins.wire import outcome_row
from streams.judge import ModelJudge
from streams.judged import Judged
from streams.stages.fleet import Watched
from streams.wire import OutcomeKey, encode


class VirtualJoins:
    """Gives each label to its model's join when virtual time has come to it, and outcomes to the judge.

    Outcomes are judged once a pane of theirs, not at each of the many panes of the profile.

    Parameters
    ----------
    labels
        In the order they became known.
    """

    def __init__(
        self, watched: Mapping[str, Watched], judges: Mapping[str, ModelJudge], labels: Sequence[Labelled]
    ) -> None:
        plans = {model: join_plan(one.monitor) for model, one in watched.items() if labels}
        self._joins = {model: ModelJoin(plan) for model, plan in plans.items() if plan is not None}
        self._judges = judges
        self._labels = labels
        self._next_label = 0
        self._offset = 0
        self._judged_pane: dict[str, int] = {}

    def take(self, predicted: Iterable[Predicted], now_ms: int) -> None:
        """Join predictions, and the labels that have become known by now."""
        for one in predicted:
            self._join(one)
        while self._next_label < len(self._labels) and self._labels[self._next_label].ts_ms <= now_ms:
            self._join(self._labels[self._next_label])
            self._next_label += 1

    def judged(self, model: str, at_ms: int) -> Judged:
        """Return what is judged of a model's outcomes as virtual time enters another pane of them."""
        join = self._joins.get(model)
        if join is None or self._judged_pane.get(model) == at_ms // join.plan.pane_ms:
            return Judged()
        self._judged_pane[model] = at_ms // join.plan.pane_ms
        return self._judge(model, join)

    def finish(self) -> list[tuple[str, Judged]]:
        """Join what became known after the last prediction, and return what is judged of it all."""
        for one in self._labels[self._next_label :]:
            self._join(one)
        self._next_label = len(self._labels)
        return [(model, self._judge(model, join)) for model, join in sorted(self._joins.items())]

    def _join(self, record: JoinRecord) -> None:
        join = self._joins.get(record.model)
        if join is not None:
            join.take(record, self._offset)
            self._offset += 1

    def _judge(self, model: str, join: ModelJoin) -> Judged:
        judge = self._judges[model]
        _, changed = join.take_changed()
        if judge.outcomes is None or not changed:
            return Judged()
        for group, one in changed.items():
            judge.outcomes.put(OutcomeKey(0, model, *group), encode(outcome_row(self._offset, one)))
        judge.outcomes.let_go()
        return judge.judge_outcomes()
