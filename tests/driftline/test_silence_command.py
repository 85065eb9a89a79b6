import json
import time

import pytest
from command_line import Ran, Run
from redis import Redis

from alerts.command import AddSilence
from alerts.silence import Silence

NEVER_MS = 2**42


@pytest.fixture
def silence(store: str, driftline: Run) -> Run:
    """Run ``driftline silence ARGUMENTS…`` on a store with two silences, one of them over."""
    with Redis.from_url(store) as redis:
        redis.flushdb()
        for name, ends_at_ms in (("one-holds", NEVER_MS), ("one-over", 1000)):
            held = Silence(
                id=name, matchers=('model="churn"', 'team!="\x1b[2J"'), starts_at_ms=0, ends_at_ms=ends_at_ms,
                created_by="ana", comment="new export", updated_at_ms=0,
            )  # fmt: skip
            redis.hset("driftline:desk:silences", name, held.model_dump_json())

    def run(*arguments: object) -> Ran:
        ran: Ran = driftline("silence", *arguments, DRIFTLINE_REDIS=store)
        return ran

    return run


def test_silences_are_listed_and_those_over_with_all(silence: Run) -> None:
    ran = silence("list")
    assert (ran.status, ran.err) == (0, "")
    assert "one-holds" in ran.out
    assert "one-over" not in ran.out
    assert "\x1b" not in ran.out
    assert [row.split()[:2] for row in silence("list", "--all").out.splitlines()[2:]] == [
        ["one-over", "expired"], ["one-holds", "active"],
    ]  # fmt: skip


def test_json_has_all_a_script_needs(silence: Run) -> None:
    (row,) = json.loads(silence("list", "--json").out)
    assert row["matchers"] == ['model="churn"', 'team!="\x1b[2J"']
    assert (row["starts"], row["by"], row["comment"]) == ("1970-01-01T00:00:00.000Z", "ana", "new export")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "model=churn", "--for", "4 hours", "-c", "x"], "is not a duration"),
        (["add", "model=churn", "--starts", "2026-11-23Tnoon", "-c", "x"], "is no time"),
        (["add", "model=churn"], "--comment"),
        (["add", "-c", "x"], "LABEL=VALUE"),
    ],
)
def test_wrong_usage_is_said(silence: Run, arguments: list[str], said: str) -> None:
    ran = silence(*arguments)
    assert ran.status == 2
    assert said in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "churn", "-c", "x"], "matchers: 'churn' is not a matcher; write label="),
        (["add", "model=~.*", "-c", "x"], "nearly all"),
        (["add", "model=churn", "-c", ""], "comment:"),
        (["add", "model=churn", "-c", "x"], "DRIFTLINE_KAFKA is not set"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_said_in_a_sentence(silence: Run, arguments: list[str], said: str) -> None:
    ran = silence(*arguments)
    assert ran.status == 1
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_extending_one_keeps_what_it_is_and_moves_its_end(
    silence: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[AddSilence] = []
    monkeypatch.setattr(
        "driftline.cli.silence.do",
        lambda each, kind: asked.extend(kind.model_validate({"id": "command-1", **one}) for one in each),
    )
    before_ms = time.time_ns() // 1_000_000
    assert silence("extend", "one-holds", "--for", "4h", "--by", "ben").status == 0
    (one,) = asked
    assert (one.silence_id, one.matchers) == ("one-holds", ('model="churn"', 'team!="\x1b[2J"'))
    assert (one.created_by, one.comment, one.starts_at_ms) == ("ben", "new export", None)
    assert 0 <= one.ends_at_ms - before_ms - 4 * 3_600_000 < 600_000


@pytest.mark.parametrize("name", ["one-over", "unknown"])
def test_only_one_that_holds_or_waits_can_be_extended(silence: Run, name: str) -> None:
    ran = silence("extend", name)
    assert ran.status == 1
    assert f"no silence '{name}' holds or waits" in ran.err
