"""The demo in virtual time: each incident fires its alert and resolves, and quiet time fires nothing."""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from alerts.alert import AlertUpsert
from alerts.config import parse
from detectors.registry import DETECTORS
from driftline import demo
from driftline.configfile import YamlFile
from driftline.demo.production import announcements
from driftline.demo.timetable import CYCLE_S, TIMETABLE, Incident, active, events_due
from driftline.demo.traffic import Traffic
from driftline.monitors import load_folder
from streams.bench import Bench
from streams.judge import ModelJudge
from streams.profiler import Profiler
from streams.wire import PartKey, decode_part

RATE_PER_SECOND = 200
STEP_S = 0.25
PARTITIONS = 2
START_MS = 1_790_000_000_000
RESOLUTION_S = 25.0


@dataclass
class Told:
    """An alert's life, in seconds since the demo began."""

    kind: str
    column: str
    fired_s: float
    resolved_s: float | None = None


@dataclass
class VirtualPipeline:
    """Stages 1 and 2 without Kafka, at the pace of a virtual clock."""

    folder: Path
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        demo.prepare(self.folder, START_MS)
        watched = load_folder(self.folder)["credit"]
        self.profiler = Profiler({"credit": (watched.monitor, watched.layout)})
        self.judge = ModelJudge(watched.monitor, watched.layout, reference_file=watched.reference)
        self.offsets = [0] * PARTITIONS

    def run(self, until_s: float) -> list[Told]:
        traffic, sent = Traffic(seed=5), 0
        for step in range(1, int(until_s / STEP_S)):
            elapsed_s = step * STEP_S
            due = events_due(elapsed_s, RATE_PER_SECOND)
            now_ms = START_MS + int(1000 * elapsed_s)
            if due > sent:
                self._deliver([v for _, v in traffic.events(due - sent, elapsed_s, now_ms)], now_ms)
            sent = due
            if step % 4 == 0:
                self._flush(now_ms, elapsed_s)
            if step % 20 == 0:
                self._hear(self.judge.tick(now_ms).alerts, elapsed_s)
        return self.told

    def _deliver(self, values: list[bytes], now_ms: int) -> None:
        for partition in range(PARTITIONS):
            mine = values[partition::PARTITIONS]
            first = self.offsets[partition]
            self.offsets[partition] += len(mine)
            offsets = np.arange(first, self.offsets[partition], dtype=np.int64)
            self.profiler.fold_records(partition, mine, offsets, np.full(len(mine), now_ms))

    def _flush(self, now_ms: int, elapsed_s: float) -> None:
        for partition in self.profiler.partitions:
            flush = self.profiler.flush(partition, now_ms, caught_up=True)
            for key, raw_parts in flush.profiles:
                for number, raw in enumerate(raw_parts):
                    self.judge.inbox.put(PartKey(key, number), decode_part(raw))
            for about, heartbeat in flush.heartbeats:
                self.judge.inbox.heard(about.partition, heartbeat)
        self._hear(self.judge.close().alerts, elapsed_s)

    def _hear(self, upserts: list[AlertUpsert], elapsed_s: float) -> None:
        for upsert in upserts:
            kind, column = upsert.labels["alertname"], upsert.labels.get("feature", "")
            open_one = next(
                (t for t in self.told if (t.kind, t.column, t.resolved_s) == (kind, column, None)), None
            )
            if open_one is None:
                self.told.append(Told(kind, column, elapsed_s))
            elif upsert.status == "resolved":
                open_one.resolved_s = elapsed_s


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[Told]:
    """Return the alerts of one cycle and of the first incident of the next."""
    return VirtualPipeline(tmp_path_factory.mktemp("monitors")).run(CYCLE_S + 75)


@pytest.mark.parametrize("incident", TIMETABLE, ids=lambda incident: incident.name)
def test_each_incident_fires_its_alert_and_it_resolves_again(incident: Incident, told: list[Told]) -> None:
    about = [one for one in told if (one.kind, one.column) == (incident.kind, incident.column)]
    assert about, f"no {incident.kind} on {incident.column!r}"
    assert incident.begins_s < about[0].fired_s < incident.ends_s
    assert about[0].resolved_s is not None
    assert incident.ends_s < about[0].resolved_s < incident.ends_s + RESOLUTION_S


def test_every_alert_belongs_to_its_incident_and_quiet_time_fires_nothing(told: list[Told]) -> None:
    caused = {(kind, one.column) for one in TIMETABLE for kind in (one.kind, *one.also)}
    assert [one for one in told if (one.kind, one.column) not in caused] == []
    assert all(any(one.kind in (i.kind, *i.also) for i in active(one.fired_s)) for one in told)


def test_the_cycle_repeats_and_its_alerts_with_it(told: list[Told]) -> None:
    first, again = (one.fired_s for one in told if one.column == "income")
    assert again - first == pytest.approx(CYCLE_S, abs=4.0)


def test_the_first_alert_fires_within_a_minute(told: list[Told]) -> None:
    assert told[0].fired_s < 40.0


def test_every_alert_kind_its_monitor_can_raise_is_shown(tmp_path: Path) -> None:
    demo.prepare(tmp_path, START_MS)
    bench = Bench(load_folder(tmp_path)["credit"].monitor)
    kinds = {DETECTORS[name].kind for name, _ in bench.watched}
    assert sorted(incident.kind for incident in TIMETABLE) == sorted(kinds)


def test_incidents_follow_one_another_within_the_cycle() -> None:
    edges = [edge for one in TIMETABLE for edge in (one.begins_s, one.ends_s)]
    assert edges == sorted(edges)
    assert edges[0] >= 20.0
    assert edges[-1] < CYCLE_S


def test_traffic_keeps_its_rate_whatever_the_steps() -> None:
    steps = [events_due(second / 7, 400) for second in range(7 * 900)]
    assert all(before <= after for before, after in pairwise(steps))
    assert events_due(20.0, 400) == 8_000
    assert events_due(378.0, 400) - events_due(356.0, 400) == 0
    assert events_due(340.0, 400) - events_due(330.0, 400) == 16_000
    assert events_due(CYCLE_S + 20.0, 400) == events_due(CYCLE_S, 400) + 8_000


def test_the_same_seed_gives_the_same_events() -> None:
    first, second = (Traffic(seed=3).events(50, 25.0, START_MS) for _ in range(2))
    assert first == second
    assert first != Traffic(seed=4).events(50, 25.0, START_MS)


def test_ids_do_not_repeat() -> None:
    traffic = Traffic(seed=3)
    keys = [key for second in range(5) for key, _ in traffic.events(200, second, START_MS + 1000 * second)]
    assert len(set(keys)) == 1000


def test_an_incident_is_announced_when_it_begins_and_when_it_ends() -> None:
    begins = announcements(96.0, (), active(96.0))
    assert begins == ["01:36 incident: a partner sends applications: a new channel (watch NewCategories)"]
    ends = announcements(111.0, active(100.0), ())
    assert ends == ["01:51 over: a partner sends applications: a new channel (NewCategories resolves soon)"]


def test_the_demo_tells_the_terminal_within_seconds() -> None:
    config = parse(YamlFile(demo.ALERTING).data)
    assert [receiver.name for receiver in config.receivers] == ["log"]
    assert (config.route.group_wait_ms or 30_000) <= 5_000
