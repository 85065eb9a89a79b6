"""A whole fleet on a virtual clock: everything that happens in it follows from one integer.

Each move is drawn from the seed: events come, chunks are fetched, tasks go on from one write to the
next, workers crash between two writes or stall and wake up late, partitions move, clocks jump. In the
end everything comes to rest, and `invariants` looks at what the topics hold.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random

from inputs import LATENESS_MS, PANE_MS, T0, Producer, Sent, watched, watched_otherwise
from virtual_broker import VirtualBroker
from virtual_desk import GROUP_WAIT_MS, DeskWorker
from virtual_workers import JudgeWorker, ProfileWorker, VirtualWorker

from streams import judge
from streams.backlog import Limits
from streams.stages.fleet import Fleet
from streams.stages.rows import MIN_COMPACTION_LAG_MS
from streams.writes import Record

#: So few events cut a model's bins, that schedules see layouts change.
WARM_UP_EVENTS = 25
FAULTS = ("crash",) * 5 + (
    "stall", "stall", "late", "late", "wake", "rebalance", "jump", "again", "edit", "compact", "compact",
)  # fmt: skip
#: While an owner does, for half a compaction lag it may write nothing.
REST_MS = MIN_COMPACTION_LAG_MS // 2


@dataclass
class Group:
    """The workers of one stage, and who owns what."""

    kind: type[VirtualWorker]
    partitions: int
    members: list[VirtualWorker] = field(default_factory=list)
    stalled: list[VirtualWorker] = field(default_factory=list)
    unsettled: bool = True
    started: int = 0


class World:
    """One schedule.

    Parameters
    ----------
    seed
        All there is to it.
    trace
        Told every move in a line, where somebody wants to read them.
    """

    def __init__(self, seed: int, trace: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self.random = random = Random(seed)
        self.trace = trace
        self.broker = VirtualBroker()
        self.sent: list[Sent] = []
        self.at_ms = T0 + random.randrange(PANE_MS)
        self.wall_ms = self.at_ms
        self.wrong: list[str] = []
        self.late: list[list[Record]] = []
        self.moves = 0
        self.latest_ms = self.wall_ms
        # The desk's timers are to run, without any source partition falling idle meanwhile.
        self.desk_ms = 0
        self.live = random.random() < 0.4
        models = tuple(random.sample(["churn", "fraud", "nobody"], random.choice([1, 1, 2, 3])))
        self.producer = Producer(Random(random.random()), models, prompt=self.live)
        self.fleet = Fleet(
            brokers="", redis_url="", models=watched(), worker="virtual",
            source_partitions=random.choice([1, 2, 2, 3]), profile_partitions=random.choice([1, 1, 2]),
            backlog=Limits(behind_ms=4_000, for_ms=0),
        )  # fmt: skip
        self.groups = [
            Group(ProfileWorker, self.fleet.source_partitions),
            Group(JudgeWorker, self.fleet.profile_partitions),
            Group(DeskWorker, 1),
        ]
        self._pace_ms = 50 if self.live else random.choice([100, 300, 1_000, 3_000])
        self._faults = random.choice([0.05, 0.2, 0.4])
        for group in self.groups:
            for _ in range(random.choice([1, 2, 2, 3])):
                self._start(group)

    def run(self) -> None:
        """Live through the schedule, and come to rest."""
        with _short_warm_up():
            self._open()
            for _ in range(self.random.choice([20, 30, 30, 40, 40, 60, 120])):
                self.moves += 1
                if self.random.random() < self._faults:
                    self._fault()
                else:
                    self._go_on()
            self._come_to_rest()

    @property
    def profilers(self) -> list[ProfileWorker]:
        """The workers of stage 1 that are not stalled."""
        return [one for one in self.groups[0].members if isinstance(one, ProfileWorker)]

    @property
    def desks(self) -> list[DeskWorker]:
        """The workers of stage 3; one owns the desk."""
        return [one for one in self.groups[2].members if isinstance(one, DeskWorker)]

    @property
    def judges(self) -> list[JudgeWorker]:
        """The workers of stage 2 that are not stalled."""
        return [one for one in self.groups[1].members if isinstance(one, JudgeWorker)]

    def say(self, text: str) -> None:
        """Tell the trace."""
        if self.trace is not None:
            self.trace(f"{self.moves:4} {text}")

    # What goes on.

    def _go_on(self) -> None:
        # Workers' clocks may be wrong by any amount, but none runs faster than the broker's.
        step_ms = self.random.randrange(50)
        self.wall_ms += step_ms
        self.at_ms += step_ms
        self.broker.steady_ms += step_ms
        luck = self.random.random()
        if self.live and luck > 0.95:
            self._be_quiet()
            return
        if luck > 0.7:
            self._pass_on()
            return
        if luck < 0.25:
            self._produce(self.random.randint(1, 6))
            return
        group = self.random.choice(self.groups)
        group.unsettled |= any(one.superseded for one in group.members)
        if group.unsettled and self.random.random() < 0.5:
            self._rebalance(group)
        worker = self.random.choice([*group.members, *group.stalled])
        if luck < 0.5 and worker.owned:
            self._fetch(worker, self.random.choice([1, 3, 10, 1000]))
        elif luck < 0.55:
            worker.commit()
            self.say(f"{worker.name} commits")
        elif luck < 0.58 and isinstance(worker, ProfileWorker | JudgeWorker):
            worker.follower.follow(self.random.choice([1, None]))
        else:
            for _ in range(self.random.choice([1, 1, 2, 4, 50])):
                worker.work()
            self.say(f"{worker.name} works{'' if worker.task is None else ' and pauses'}")

    def _pass_on(self) -> None:
        """Have one stage read all there is, and write some or all of it: the others stand where they are."""
        group = self.random.choice(self.groups)
        for worker in group.members:
            for partition in sorted(worker.owned):
                worker.fetch(partition, 1000)
            if self.random.random() < 0.5:
                worker.finish()
            for _ in range(self.random.randint(0, 4)):
                worker.work()
            if self.random.random() < 0.5:
                worker.commit()
        self.desk_ms += self.random.randrange(2 * GROUP_WAIT_MS)
        self.say(f"{', '.join(one.name for one in group.members)} take all there is")

    def _open(self) -> None:
        """Let every source partition speak of every model first: how long the judge waits for that is no law."""
        for group in self.groups:
            self._rebalance(group)
        self._send_last()
        self._catch_up()

    def _send_last(self) -> None:
        for partition in range(self.fleet.source_partitions):
            for model in self.producer.models:
                self._append(partition, *self.producer.last(model, self.at_ms))

    def _produce(self, count: int) -> None:
        for _ in range(count):
            self.at_ms += self.random.randrange(2 * self._pace_ms)
            partition = self.random.randrange(self.fleet.source_partitions)
            self._append(partition, *self.producer.make(self.at_ms))
        self.say(f"{count} events come")

    def _be_quiet(self) -> None:
        """Let time go on while nothing, or only one partition, has events; first all is read that came.

        What is read late may be of panes that closed without a partition that was idle; here nothing is.
        """
        left_behind = self.random.random() < 0.5
        for group in self.groups:
            for worker in list(group.stalled):
                # One of stage 1 may be stopped in the middle of a flush, and write the rest of it when all is over.
                if not left_behind or worker.task is None or isinstance(worker, DeskWorker):
                    self._wake(group, worker)
        # What a judge reads late lies in order all the same.
        self._catch_up(self.groups[: self.random.choice([1, 3])])
        busy = self.random.choice([None, *range(self.fleet.source_partitions)])
        steps, step_ms = self.random.choice([3, 6, 20]), self.random.choice([1_000, 4_000, 20_000])
        self.say(f"{steps * step_ms // 1000} s go by; events come to partition {busy}")
        for _ in range(steps):
            self.at_ms += step_ms
            self.wall_ms += step_ms
            self.broker.steady_ms += step_ms
            if busy is not None:
                self._append(busy, *self.producer.make(self.at_ms))
                self._catch_up(self.groups[: self.random.choice([1, 3])])
            for group in self.groups:
                for worker in group.members:
                    for _ in range(self.random.choice([0, 1, 20])):
                        worker.work()
        self._hold_up()
        if self.random.random() < 0.5:
            self._haunt()

    def _hold_up(self) -> None:
        for _ in range(self.random.choice([0, 1, 3])):
            partition = self.random.randrange(self.fleet.source_partitions)
            self._append(partition, *self.producer.held_up(self.at_ms))

    def _haunt(self) -> None:
        """Have one of stage 1 or 2 go on with its writes after others have taken what came meanwhile."""
        group = self.random.choice(self.groups[:2])
        busy = [one for one in group.members if one.task is not None]
        if not busy or len(group.stalled) == 2:
            return
        ghost = self.random.choice(busy)
        self._stall(group, ghost)
        for _ in range(2):
            self._catch_up([group])
            if self.random.random() < 0.7:
                self._hold_up()
            for _ in range(self.random.choice([0, 2, 4, 8])):
                if ghost.task is not None:
                    ghost.work()
            self.say(f"{ghost.name} goes on")
            if self.random.random() < 0.3:
                group.stalled.remove(ghost)
                self.say(f"{ghost.name} is gone before it hears of the others")
                self._compact()
                return
            self._rebalance(group)

    def _catch_up(self, groups: Sequence[Group] | None = None) -> None:
        for group in self.groups if groups is None else groups:
            if group.unsettled or any(one.superseded for one in group.members):
                self._rebalance(group)
            for worker in group.members:
                self._drain(worker)

    def _append(
        self, partition: int, model: str, value: bytes | None, event: dict[str, object] | None
    ) -> None:
        topic = self.fleet.topics.predictions.name
        offset = self.broker.append(Record(topic, partition, None, value), self.at_ms)
        self.sent.append(Sent(partition, offset, self.at_ms, model, event))

    def _fetch(self, worker: VirtualWorker, count: int) -> None:
        partition = self.random.choice(sorted(worker.owned))
        start = worker.position[partition]
        found = worker.fetch(partition, count)
        if found:
            self.say(f"{worker.name} takes {start}..{start + found - 1} of partition {partition}")

    # What goes wrong.

    def _fault(self) -> None:
        group = self.random.choice(self.groups)
        match self.random.choice(FAULTS):
            case "crash":
                self._crash(group)
            case "stall":
                self._stall(group)
            case "wake":
                if group.stalled:
                    self._wake(group, self.random.choice(group.stalled))
            case "rebalance":
                self._rebalance(group)
            case "jump":
                jump_ms = self.random.choice([-3_600_000, -5_000, 3_600_000 if self.live else 500])
                self.latest_ms = max(self.latest_ms, self.wall_ms, self.wall_ms + jump_ms)
                self.wall_ms += jump_ms
                self.say(f"the workers' clocks jump by {jump_ms / 1000:g} s")
            case "late":
                self._arrive_late()
            case "again":
                self._send_again()
            case "edit":
                self._edit_a_monitor()
            case "compact":
                self._compact()

    def _start(self, group: Group) -> VirtualWorker:
        group.started += 1
        name = f"{group.kind.__name__[:-6].lower()}/{group.started}"
        skew_ms = self.random.choice([0, 0, -700, 700])
        worker = group.kind(
            name, self.fleet, self.broker, Random(self.random.random()),
            lambda: self.wall_ms + skew_ms + (self.desk_ms if group.kind is DeskWorker else 0),
            self.wrong.append,
        )  # fmt: skip
        group.members.append(worker)
        group.unsettled = True
        return worker

    def _crash(self, group: Group) -> None:
        """End a worker where it is; what it was sending may arrive, or arrive late, or not."""
        workers = [*group.members, *group.stalled]
        busy = [one for one in workers if one.task is not None]
        worker = self.random.choice(busy if busy and self.random.random() < 0.8 else workers)
        (group.stalled if worker.stalled else group.members).remove(worker)
        under_way = [record for lane in worker.lanes.values() for record in lane]
        self.say(f"{worker.name} crashes{' with writes under way' if under_way else ''}")
        if under_way and self.random.random() < 0.6:
            self.late.append(under_way)
        if not group.members or self.random.random() < 0.7:
            self._start(group)
        group.unsettled = True

    def _stall(self, group: Group, worker: VirtualWorker | None = None) -> None:
        """Leave a worker behind: its partitions go to others, and it does not know."""
        if len(group.stalled) < 2:
            worker = worker or self.random.choice(group.members)
            group.members.remove(worker)
            group.stalled.append(worker)
            worker.stalled = True
            # Others get its partitions when it has been silent for so long.
            self.broker.steady_ms += int(1000 * self.fleet.session_timeout_s)
            self.say(f"{worker.name} stalls")
            if not group.members:
                self._start(group)
            self._rebalance(group)

    def _wake(self, group: Group, worker: VirtualWorker) -> None:
        """Let a stalled worker learn that it was left behind: it flushes, is refused, and begins anew."""
        if self.random.random() < 0.7:
            worker.finish()
        worker.commit()
        worker.revoked()
        worker.stalled = False
        group.stalled.remove(worker)
        group.members.append(worker)
        group.unsettled = True
        self.say(f"{worker.name} finds that it was left behind")

    def _rebalance(self, group: Group) -> None:
        """Have all flush and let go, then own anew; a worker may crash over it."""
        self._let_go(group)
        owners = {worker.name: set[int]() for worker in group.members}
        for partition in range(group.partitions):
            owners[self.random.choice(group.members).name].add(partition)
        for worker in group.members:
            worker.assigned(frozenset(owners[worker.name]))
        group.unsettled = False
        self.say(f"partitions are assigned: {owners}")

    def _let_go(self, group: Group) -> None:
        for worker in list(group.members):
            worker.finish()
            worker.commit()
            worker.revoked()

    def _arrive_late(self) -> None:
        if self.late:
            records = self.late.pop(self.random.randrange(len(self.late)))
            for record in records:
                self.broker.append(record, self.wall_ms)
            self.say(f"{len(records)} records of a worker that is gone arrive")

    def _send_again(self) -> None:
        """Send stage 1's records once more, in any order."""
        topic = self.fleet.topics.profiles.name
        partition = self.random.randrange(self.fleet.profile_partitions)
        entries = self.broker.read(topic, partition)
        for entry in self.random.sample(entries, min(len(entries), self.random.randint(1, 20))):
            self.broker.append(Record(topic, partition, entry.key, entry.value), self.wall_ms)
        self.say(f"old records of {topic} {partition} are sent again")

    def _compact(self) -> None:
        """Let more than the compaction lag go by, in which owners write twice at least, and rows be compacted."""
        if self.live:
            self._catch_up()
        for _ in range(2):
            self.at_ms += REST_MS
            self.wall_ms += REST_MS
            self.broker.steady_ms += REST_MS
            for group in self.groups[:2]:
                if group.unsettled:
                    self._rebalance(group)
                for worker in group.members:
                    worker.finish()
        self.broker.steady_ms += 1
        for changelog in ("profile-rows", "judge-rows"):
            self.broker.compact(changelog, MIN_COMPACTION_LAG_MS)
        self.say("a minute goes by, and the rows of stages 1 and 2 are compacted")

    def _edit_a_monitor(self) -> None:
        """Have judges start with other columns of a model, write that down, and start with the ones before."""
        group = self.groups[1]
        self._let_go(group)
        fleet = replace(self.fleet, models=watched_otherwise())
        editor = JudgeWorker(
            "judge/edited", fleet, self.broker, self.random, lambda: self.wall_ms, self.wrong.append
        )
        editor.assigned(frozenset(range(group.partitions)))
        editor.keep("churn")
        self.say("the monitor of churn is edited, and edited back")
        self._rebalance(group)

    # The end.

    def _come_to_rest(self) -> None:
        """End all faults, let event time pass everything there is, and let everybody finish."""
        while self.late:
            self._arrive_late()
        for group in self.groups:
            for worker in list(group.stalled):
                self._wake(group, worker)
            self._rebalance(group)
        newest_ms = max([self.at_ms, *(one.event["ts"] for one in self.sent if one.event is not None)])
        self.at_ms = self.end_ms = newest_ms + max(LATENESS_MS.values()) + 2 * PANE_MS
        self.say("an event of every model comes to every partition, long after all others")
        self._send_last()
        self._catch_up()
        for group in self.groups:
            self._rebalance(group)
        self._catch_up()
        # Until every timer has run, whenever it was set: clocks may have been an hour ahead, several times.
        self.wall_ms = self.latest_ms
        for _ in range(10):
            self.wall_ms += 600_000
            for worker in self.desks:
                worker.finish()

    def _drain(self, worker: VirtualWorker) -> None:
        for partition in sorted(worker.owned):
            while worker.fetch(partition, 1000):
                pass
        worker.finish()
        worker.finish()
        worker.commit()


@contextmanager
def _short_warm_up() -> Iterator[None]:
    before, judge.WARM_UP_EVENTS = judge.WARM_UP_EVENTS, WARM_UP_EVENTS
    try:
        yield
    finally:
        judge.WARM_UP_EVENTS = before
