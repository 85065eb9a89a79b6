"""The alert on Driftline itself, in virtual time: when it fires, what it says, when it is over."""

import json

import msgspec
import pytest

from alerts.alert import AlertUpsert
from streams import backlog
from streams.alerting import Links
from streams.backlog import BacklogState, Limits, Standings
from streams.watermark import NEVER_MS
from streams.wire import Heartbeat

LIMITS = Limits(behind_ms=60_000, for_ms=20_000)
LINKS = Links("https://drift.example.org")
T0 = 1_795_424_400_000


def beat(now_ms: int, *, behind_ms: int | None, waiting: int = 0) -> Heartbeat:
    until_ms = None if behind_ms is None else now_ms - behind_ms
    return Heartbeat(0, not waiting, 0, 0, now_ms, counted_until_ms=until_ms, waiting=waiting)


class Judge:
    """Ticks every five seconds."""

    def __init__(self) -> None:
        self.now_ms = T0
        self.standings = Standings()
        self.state = BacklogState()
        self.told: list[AlertUpsert] = []

    def tick(self, seconds: int, *, behind_s: float | None) -> list[str]:
        """Go on for a while, the one partition being so far behind (None: it says nothing); return what is told."""
        before = len(self.told)
        for _ in range(seconds // 5):
            self.now_ms += 5_000
            if behind_s is not None:
                waiting = 1_234 if behind_s > 1 else 0
                self.standings.take(0, beat(self.now_ms, behind_ms=round(behind_s * 1000), waiting=waiting))
            found = backlog.verdict(self.standings, self.now_ms, LIMITS)
            self.state, upserts = backlog.step(self.state, found, self.now_ms, LIMITS, LINKS)
            # As it lies in a row.
            self.state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.state), type=BacklogState)
            self.told += upserts
        return [one.status for one in self.told[before:]]


def test_it_fires_once_the_fleet_has_been_behind_for_long_enough_and_says_how_far() -> None:
    judge = Judge()
    assert judge.tick(300, behind_s=30) == []
    assert judge.tick(20, behind_s=90) == []
    assert judge.tick(5, behind_s=90) == ["firing"]
    (alert,) = judge.told
    assert alert.labels == {"alertname": "Backlog", "component": "driftline", "severity": "critical"}
    assert alert.annotations["summary"] == (
        "Driftline is behind: events are counted up to 1 min 30 s ago (90 s > 60 s); 1,234 records wait"
    )
    assert alert.annotations["runbook_url"] == "https://drift.example.org/runbooks/Backlog"
    assert json.loads(alert.annotations["evidence"])["details"]["waiting"] == 1_234


def test_a_backlog_that_is_worked_off_in_time_is_no_alert() -> None:
    judge = Judge()
    assert judge.tick(20, behind_s=900) == []
    assert judge.tick(600, behind_s=1) == []


def test_it_is_over_once_the_fleet_has_been_well_for_as_long_and_may_begin_again() -> None:
    judge = Judge()
    assert judge.tick(30, behind_s=90) == ["firing"]
    # Just below the limit is not well yet, nor is a moment.
    assert judge.tick(30, behind_s=58) == []
    assert judge.tick(15, behind_s=2) == []
    assert judge.tick(30, behind_s=58)[-1:] != ["resolved"]
    assert judge.tick(30, behind_s=2) == ["resolved"]
    assert judge.told[-1].ends_at_ms == judge.now_ms - 5_000
    assert judge.tick(30, behind_s=90) == ["firing"]
    order = [(one.pane_end_ms, one.sequence) for one in judge.told]
    assert order == sorted(set(order))


def test_while_it_lasts_it_is_told_again_every_minute_in_new_words() -> None:
    judge = Judge()
    judge.tick(30, behind_s=90)
    assert judge.tick(180, behind_s=500) == ["firing"] * 3
    assert judge.told[-1].starts_at_ms == judge.told[0].starts_at_ms
    assert "8 min 20 s ago" in judge.told[-1].annotations["summary"]


def test_a_stage_that_has_died_is_behind_too_and_the_alert_says_that_it_is_not_heard() -> None:
    judge = Judge()
    judge.tick(30, behind_s=0)
    assert judge.tick(60, behind_s=None) == []
    assert judge.tick(60, behind_s=None) == ["firing"]
    assert "as was last said of partition 0 1 min" in judge.told[-1].annotations["summary"]
    assert judge.tick(30, behind_s=0)[-1] == "resolved"


def test_the_partition_furthest_behind_counts() -> None:
    standings = Standings()
    for partition, behind_s in enumerate((1, 200, 30)):
        standings.take(partition, beat(T0, behind_ms=behind_s * 1000, waiting=10))
    found = backlog.verdict(standings, T0, LIMITS)
    assert (found.score, found.samples, found.evidence.details["partition"]) == (200, 30, 1)
    assert standings.counted_until_ms(T0) == T0 - 200_000


def test_a_worker_that_has_just_begun_takes_nothing_back_of_what_its_forerunner_said() -> None:
    standings = Standings()
    standings.take(0, beat(T0, behind_ms=5_000))
    kept = standings.take(0, Heartbeat(0, False, 0, 0, T0, counted_until_ms=NEVER_MS, waiting=9))
    assert kept is not None
    assert (kept.counted_until_ms, kept.waiting) == (T0 - 5_000, 9)
    assert standings.counted_until_ms(T0) == T0 - 5_000


@pytest.mark.parametrize("until_ms", [None, NEVER_MS])
def test_where_nobody_says_how_far_it_is_nothing_is_claimed(until_ms: int | None) -> None:
    standings = Standings()
    standings.take(0, Heartbeat(0, False, 0, 0, T0, counted_until_ms=until_ms, waiting=9))
    assert standings.counted_until_ms(T0) == T0
    assert backlog.verdict(standings, T0, LIMITS).status == "insufficient"


def test_what_a_quiet_partition_says_is_written_down_once_a_minute_and_a_change_at_once() -> None:
    standings, written = Standings(), []
    for second in range(0, 130, 10):
        now_ms = T0 + second * 1000
        if standings.take(0, beat(now_ms, behind_ms=0)):
            written.append(second)
    assert written == [0, 60, 120]
    assert standings.take(0, beat(T0 + 125_000, behind_ms=0, waiting=1)) is not None


def test_no_word_resolves_nothing() -> None:
    judge = Judge()
    judge.tick(30, behind_s=90)
    judge.standings = Standings()
    assert "resolved" not in judge.tick(600, behind_s=None)


def test_what_was_only_read_of_a_partition_claims_nothing_until_it_may_well_have_spoken() -> None:
    judge = Judge()
    judge.standings.take(0, beat(T0, behind_ms=90_000))
    judge.standings.only_read(0)
    assert judge.tick(20, behind_s=None) == []
    assert judge.state.signal.state == "inactive"
    assert judge.tick(25, behind_s=None) == ["firing"]


def test_a_partition_that_was_only_read_of_and_says_that_it_has_caught_up_is_not_behind() -> None:
    judge = Judge()
    judge.standings.take(0, beat(T0, behind_ms=90_000))
    judge.standings.only_read(0)
    judge.standings.take(1, beat(T0, behind_ms=90_000))
    judge.standings.only_read(1)
    found = backlog.verdict(judge.standings, T0 + 1_000, LIMITS)
    assert found.status == "insufficient"
    for partition in (0, 1):
        judge.standings.take(partition, beat(T0 + 2_000, behind_ms=0))
    assert backlog.verdict(judge.standings, T0 + 2_000, LIMITS).status == "ok"
