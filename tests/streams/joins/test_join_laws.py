"""Laws of the join: order, repeats and restarts change nothing, and what is held is bounded."""

import random
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.outcomes.metrics import metrics
from detectors.outcomes.task import UNUSABLE, Task
from streams.joins.join import ODDITIES, JoinCheckpoint, JoinFlush, PartitionJoin
from streams.joins.model_join import OutcomeGroup, PairKey
from streams.joins.outcomes import LABELS, PREDICTIONS, Outcomes, together
from streams.joins.pair import Pair
from streams.joins.plan import JoinPlan, join_plan
from streams.joins.records import JoinRecord, Labelled, Predicted, encode, place
from streams.monitor import Monitor

HOUR_MS = 3_600_000
PLAN = JoinPlan("churn", Task("score"), horizon_ms=24 * HOUR_MS, pane_ms=HOUR_MS)

times = st.integers(0, 10 * HOUR_MS)
ids = st.sampled_from("abcdefgh")
sources = st.tuples(st.integers(0, 2), st.integers(0, 1000))


def predicted(
    id: str, at_ms: int, source: tuple[int, int] = (0, 0), score: float = 0.9, **more: Any
) -> Predicted:
    about = {"version": "1", "segments": ()} | more
    return Predicted("churn", id, source, at_ms, at_ms, prediction=score, **about)


def labelled(id: str, at_ms: int, source: tuple[int, int] = (0, 0), label: Any = True) -> Labelled:
    return Labelled("churn", id, source, at_ms, at_ms, label)


#: What lies at a source is one record: the same partition and offset always hold the same.
predictions = st.builds(
    lambda id, at, source, version: predicted(
        id, at, source, source[1] / 1000, version=version, segments=("plan=pro",) if at % 2 else ()
    ),
    ids, times, sources, st.sampled_from(["1", "2"]),
)  # fmt: skip
labels = st.builds(lambda id, at, source: labelled(id, at, source, source[1] % 3 == 0), ids, times, sources)
records = st.lists(
    st.one_of(predictions, labels), max_size=40, unique_by=lambda one: (type(one).__name__, one.source)
)


def begun(writes: Iterable[Any], halves: int) -> list[Any]:
    """Return what of a step is done: nothing, every other write, or all of it."""
    found = list(writes)
    return found if halves > 1 else found[1::2] if halves == 1 else []


class World:
    """A joins partition, its rows in Kafka, and what readers hold of its outcomes."""

    def __init__(self, plan: JoinPlan = PLAN) -> None:
        self.plan = plan
        self.log: list[bytes] = []
        self.rows: dict[tuple[str, PairKey], bytes] = {}
        self.checkpoint: bytes | None = None
        self.shown: dict[OutcomeGroup, Outcomes] = {}
        self.join = self._started()

    def _started(self) -> PartitionJoin:
        join = PartitionJoin({"churn": self.plan})
        found = [(m, k.id, msgspec.msgpack.decode(row, type=Pair)) for (m, k), row in self.rows.items()]
        held = self.checkpoint and msgspec.msgpack.decode(self.checkpoint, type=JoinCheckpoint)
        join.restore(held or JoinCheckpoint(0, {}), found)
        return join

    def send(self, *found: JoinRecord) -> None:
        self.log += map(encode, found)

    def read(self, to: int | None = None) -> None:
        start = self.join.next_offset
        end = len(self.log) if to is None else to
        self.join.take(self.log[start:end], range(start, end))

    def flush(self, halves: int = 8) -> None:
        """Write, or break off after so many half steps of four; a step that is half done wrote every other."""
        flush: JoinFlush = self.join.flush()
        for group, one in begun(flush.outcomes.items(), halves):
            self.shown[group[1]] = one
        for key, pair in begun(flush.held.items(), halves - 2):
            self.rows[key] = msgspec.msgpack.encode(pair)
        for one in begun([flush.checkpoint], halves - 4):
            self.checkpoint = msgspec.msgpack.encode(one)
        for gone in begun(flush.let_go, halves - 6):
            self.rows.pop(gone, None)

    def crash(self) -> None:
        """Begin anew from what was written; nobody has read anything that was not."""
        self.join = self._started()

    def run(self, *found: JoinRecord) -> "World":
        self.send(*found)
        self.read()
        self.flush()
        return self

    @property
    def outcomes(self) -> Mapping[OutcomeGroup, Outcomes]:
        return self.join.models["churn"].outcomes()

    @property
    def counts(self) -> Mapping[str, int]:
        return self.join.models["churn"].counts


@settings(max_examples=200)
@given(found=records, again=st.lists(st.integers(0, 59), max_size=20), seed=st.integers(0, 2**32))
def test_any_order_and_any_repeats_give_the_same_outcomes(
    found: list[JoinRecord], again: list[int], seed: int
) -> None:
    shuffled = found + [found[at] for at in again if at < len(found)]
    random.Random(seed).shuffle(shuffled)
    assert World().run(*shuffled).outcomes == World().run(*found).outcomes


@settings(max_examples=200)
@given(
    found=records,
    spread=st.sampled_from([1, 20]),
    most_ids=st.sampled_from([3, 1000]),
    crashes=st.lists(st.tuples(st.integers(1, 8), st.integers(0, 8), st.booleans()), max_size=8),
)
def test_a_restart_anywhere_goes_on_as_if_nothing_had_happened(
    found: list[JoinRecord], spread: int, most_ids: int, crashes: list[tuple[int, int, bool]]
) -> None:
    """Spread over ten days, pairs are let go and born again meanwhile."""
    plan = JoinPlan("churn", Task("score"), 24 * HOUR_MS, HOUR_MS, most_ids=most_ids)
    found = [
        msgspec.structs.replace(one, ts_ms=one.ts_ms * spread, record_ms=one.record_ms * spread)
        for one in found
    ]
    calm, world = World(plan).run(*found), World(plan)
    world.send(*found)
    for further, halves, crash in crashes:
        world.read(min(world.join.next_offset + further, len(world.log)))
        world.flush(halves if crash else 8)
        if crash:
            world.crash()
    world.read()
    world.flush()
    assert world.outcomes == calm.outcomes
    assert world.counts == calm.counts
    assert world.rows.keys() == calm.rows.keys()
    told = {group: one for group, one in world.shown.items() if one.tally}
    assert told == {group: one for group, one in calm.shown.items() if one.tally}


@settings(max_examples=100)
@given(found=records, seed=st.integers(0, 2**32))
def test_with_too_many_ids_a_sample_is_left_that_is_the_same_in_any_order(
    found: list[JoinRecord], seed: int
) -> None:
    plan = JoinPlan("churn", Task("score"), 24 * HOUR_MS, HOUR_MS, most_ids=3)
    shuffled = found.copy()
    random.Random(seed).shuffle(shuffled)
    world, other = World(plan).run(*found), World(plan).run(*shuffled)
    assert world.outcomes == other.outcomes
    held = world.join.models["churn"]
    assert len(held.pairs) <= 3
    assert all(place("churn", id)[1] < held.rate for id in held.pairs)
    assert len(world.rows) == len(held.pairs)


def test_what_is_held_stays_bounded_however_long_it_goes_on() -> None:
    world = World(JoinPlan("churn", Task("score"), 2 * HOUR_MS, HOUR_MS, most_ids=50))
    most = 0
    for step in range(3_000):
        at_ms = step * 60_000
        world.run(predicted(f"p{step}", at_ms, (0, step)), labelled(f"l{step}", at_ms, (0, step)))
        join = world.join.models["churn"]
        most = max(most, len(join.pairs))
        assert len(world.rows) == len(join.pairs)
        assert len(join.outcomes()) <= 4
    assert most <= 51
    assert world.join.models["churn"].rate < 1


def test_the_first_prediction_counts_and_the_latest_label() -> None:
    world = World().run(
        predicted("a", 5_000, (1, 7), 0.2),
        predicted("a", 4_000, (0, 9), 0.9),
        labelled("a", 6_000, (0, 1), False),
        labelled("a", 9_000, (0, 2), True),
        labelled("a", 7_000, (0, 3), False),
    )
    (outcomes,) = world.outcomes.values()
    assert outcomes.tally[("pair", "positive", "positive")] == 1
    assert outcomes.tally[("n",)] == 1
    assert world.counts == {"duplicate_predictions": 1, "contradictory_labels": 2}


def test_a_label_that_comes_first_waits_for_its_prediction() -> None:
    world = World().run(labelled("a", 6_000))
    assert not world.outcomes
    world.run(predicted("a", 5_000))
    assert [one.tally[LABELS] for one in world.outcomes.values()] == [1]
    assert world.counts == {"early_labels": 1}


def test_the_same_record_sent_again_after_a_crash_is_nothing_odd() -> None:
    sent = [predicted("a", 5_000), labelled("a", 6_000)]
    assert World().run(*sent, *sent).counts == {}


def test_outcomes_lie_in_the_pane_of_the_prediction_and_become_final_with_the_horizon() -> None:
    world = World().run(
        predicted("a", HOUR_MS + 1, (0, 1), segments=("plan=pro",)),
        labelled("a", 9 * HOUR_MS),
        predicted("b", HOUR_MS + 2, (0, 2)),
    )
    group = OutcomeGroup("1", "", HOUR_MS)
    assert set(world.outcomes) == {group, OutcomeGroup("1", "plan=pro", HOUR_MS)}
    assert world.shown[group].maturity == 0.5
    assert world.shown[group].is_provisional(0.8)
    assert not world.shown[OutcomeGroup("1", "plan=pro", HOUR_MS)].is_provisional(0.8)
    world.run(predicted("z", 26 * HOUR_MS, (0, 3)))
    assert world.shown[group].final
    assert not world.shown[group].is_provisional(0.8)
    assert set(world.outcomes) == {OutcomeGroup("1", "", 26 * HOUR_MS)}
    assert world.counts == {"unlabelled_predictions": 1}


def test_what_comes_after_the_horizon_is_counted_and_not_joined() -> None:
    world = World().run(
        labelled("lonely", 0),
        predicted("now", 40 * HOUR_MS),
        predicted("old", HOUR_MS, (0, 5)),
        labelled("old", HOUR_MS, (0, 5)),
    )
    assert world.counts == {"unknown_labels": 1, "late_predictions": 1, "late_labels": 1}
    assert set(world.join.models["churn"].pairs) == {"now"}


def test_every_oddity_has_its_words() -> None:
    world = World(JoinPlan("churn", Task("score"), HOUR_MS, HOUR_MS, most_ids=1))
    world.run(predicted("a", 0, (0, 1)), predicted("b", 0, (0, 2)), predicted("c", 0, (0, 3)))
    assert set(world.counts) == {"given_up_ids"}
    assert world.counts.keys() <= ODDITIES.keys()


def test_a_producer_whose_clock_is_ahead_makes_nobody_late() -> None:
    ahead = msgspec.structs.replace(predicted("a", 1_000 * HOUR_MS), record_ms=HOUR_MS)
    world = World().run(ahead, predicted("b", HOUR_MS, (0, 1)))
    assert world.counts == {}


def test_a_label_nobody_can_read_is_counted_in_its_pane() -> None:
    world = World().run(predicted("a", 0), labelled("a", 1, label="perhaps"))
    (outcomes,) = world.outcomes.values()
    assert outcomes.tally == {PREDICTIONS: 1, LABELS: 1, UNUSABLE: 1}
    assert world.counts == {"unusable_labels": 1}
    world.run(labelled("a", 2, (0, 1), True))
    (outcomes,) = world.outcomes.values()
    assert outcomes.tally[("n",)] == 1
    assert UNUSABLE not in outcomes.tally
    assert world.counts == {"contradictory_labels": 1}


def test_labels_nobody_can_read_stay_counted_past_the_horizon_and_over_a_restart() -> None:
    world = World().run(predicted("a", 0, segments=("plan=pro",)), labelled("a", 1, label="perhaps"))
    world.run(predicted("z", 40 * HOUR_MS, (0, 3)))
    assert OutcomeGroup("1", "", 0) not in world.outcomes
    assert world.counts == {"unusable_labels": 1}
    world.crash()
    assert world.counts == {"unusable_labels": 1}


def test_a_sample_takes_the_same_ids_of_predictions_and_labels() -> None:
    world = World(JoinPlan("churn", Task("score"), 24 * HOUR_MS, HOUR_MS, sample=0.25))
    for number in range(400):
        world.send(predicted(f"id-{number}", 0, (0, number)), labelled(f"id-{number}", 1, (0, number)))
    world.read()
    (outcomes,) = world.outcomes.values()
    assert outcomes.rate == 0.25
    assert 60 < outcomes.tally[PREDICTIONS] == outcomes.tally[LABELS] < 140


def test_panes_add_up_to_the_metrics_of_all_their_predictions() -> None:
    world = World()
    for number in range(200):
        score = number / 200
        at_ms = number * HOUR_MS // 20
        world.send(
            predicted(f"{number}", at_ms, (0, number), score),
            labelled(f"{number}", at_ms, (0, number), number % 3 > 0),
        )
    world.read()
    whole = together(world.outcomes.values())
    assert whole is not None
    assert len(world.outcomes) == 10
    assert (whole.start_ms, whole.end_ms) == (0, 10 * HOUR_MS)
    task = Task("score")
    rows = [task.outcome(number / 200, number % 3 > 0) for number in range(200)]
    alone: dict[tuple[str, ...], int] = {}
    for row in rows:
        for key, count in row.items():
            alone[key] = alone.get(key, 0) + count
    assert metrics(task, whole.tally) == metrics(task, alone)
    assert together([]) is None


def test_a_monitor_says_how_its_labels_are_joined() -> None:
    monitor = Monitor.model_validate(
        {"model": "churn", "labels": {"horizon": "2d", "pane": "10m", "sample": 0.5, "positive": "churned"}}
    )
    plan = join_plan(monitor)
    assert plan == JoinPlan(
        "churn", Task("score", positive="churned"), 2 * 24 * HOUR_MS, 600_000, sample=0.5, most_ids=100_000
    )
    assert join_plan(Monitor.model_validate({"model": "churn"})) is None


@pytest.mark.parametrize("missing", ["a", "b"])
def test_records_of_models_without_a_plan_are_passed_over(missing: str) -> None:
    join = PartitionJoin({})
    join.take([encode(predicted(missing, 0)), None], [0, 1])
    assert join.next_offset == 2
    assert not join.flush().outcomes
