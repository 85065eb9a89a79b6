"""Silences and acks from the command line to a fleet of desks: each is taken once, and outlives its owner."""

import asyncio
import json
import os
import sys
import time
from typing import Any

import pytest
from clients import produce
from desks import Desks, Receiver

from alerts.alert import fingerprint
from alerts.command import AddSilence
from alerts.pushed import Pushed
from driftline.commands import NotTaken, ask, ask_all, new_id
from driftline.web import pushing

A, B = (fingerprint({"alertname": name, "model": "m"}) for name in "ab")


async def driftline(desks: Desks, *arguments: str) -> tuple[int, str, str]:
    """Run the command line as a person does, and return its exit code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "driftline", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=os.environ | {
            "DRIFTLINE_KAFKA": desks.broker.bootstrap, "DRIFTLINE_REDIS": desks.redis_url,
            "DRIFTLINE_TOPIC_PREFIX": desks.topics.prefix, "DRIFTLINE_LOG_LEVEL": "ERROR",
        },
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def silences(desks: Desks) -> list[dict[str, Any]]:
    status, out, err = await driftline(desks, "silence", "list", "--all", "--json")
    assert status == 0, err
    listed: list[dict[str, Any]] = json.loads(out)
    return listed


async def test_a_silence_is_added_listed_outlives_its_owner_and_is_expired(
    desks: Desks, receiver: Receiver
) -> None:
    first = await desks.fleet("desk", "desk/2")
    status, out, err = await driftline(
        desks, "silence", "add", "alertname=a", "--for", "4h", "-c", "new export", "--by", "ana"
    )
    assert (status, err) == (0, ""), (
        desks.log(),
        (await desks.past()).state.keys(),
        await desks.records(desks.topics.commands.name),
    )
    name = out.split()[1]
    await desks.until(lambda: _is_listed(desks, name, "active"), "it is listed")
    await desks.send("firing", "a", "b")
    await desks.told("+b")

    await desks.kill(first)
    await desks.owner_after(first)
    await desks.send("firing", "c")
    await desks.told("+c")
    assert receiver.of("a") == []

    status, out, err = await driftline(desks, "silence", "expire", name)
    assert (status, err, out) == (0, "", f"silence {name} ended\n")
    await desks.told("+a")
    await desks.until(lambda: _is_listed(desks, name, "expired"), "it is listed as over")
    status, _, err = await driftline(desks, "silence", "expire", name)
    assert status == 1
    assert "is over since" in err


async def _is_listed(desks: Desks, name: str, state: str) -> bool:
    found = {one["id"]: one for one in await silences(desks)}
    return name in found and (found[name]["state"], found[name]["by"]) == (state, "ana")


async def test_an_ack_is_seen_by_the_fleet_and_what_does_not_fire_has_none(desks: Desks) -> None:
    await desks.fleet("desk")
    await desks.send("firing", "a")
    await desks.told("+a")
    status, out, err = await driftline(desks, "alerts", "ack", A, "--by", "ana", "-c", "on it")
    assert (status, out, err) == (0, "1 alert acknowledged\n", "")
    held = await desks.until(lambda: _ack(desks), "the store has it")
    assert (held["by"], held["comment"], held["severity"]) == ("ana", "on it", "warning")
    status, out, err = await driftline(desks, "alerts", "ack", A, B)
    assert (status, out) == (1, "1 alert acknowledged\n")
    assert B in err


async def test_what_others_push_is_kept_by_whoever_owns_the_desk_next(
    desks: Desks, receiver: Receiver
) -> None:
    first = await desks.fleet("desk", "desk/2")
    alerts = [
        Pushed(labels={"alertname": "p", "host": f"h{number}"}, ends_at_ms=2**42) for number in range(1200)
    ]
    commands = list(pushing.commands(alerts))
    answers = await ask_all(desks.broker.bootstrap, desks.topics, commands, timeout_s=60)
    assert len(commands) > 1
    assert [(one.command_id, one.code) for one in answers] == [(one.id, "done") for one in commands]
    await desks.told("+p")
    await desks.kill(first)
    await desks.owner_after(first)
    held = {key for key in (await desks.past()).state if key.startswith("alert/")}
    assert held == {f"alert/{one.fingerprint}" for one in alerts}
    over = [one.model_copy(update={"ends_at_ms": time.time_ns() // 1_000_000}) for one in alerts]
    answers = await ask_all(desks.broker.bootstrap, desks.topics, list(pushing.commands(over)), timeout_s=60)
    assert {one.code for one in answers} == {"done"}
    await desks.told("-p")
    # What a command brings may be told before the next comes: of some that are over while others fire, too.
    *firing, last = receiver.of("p")
    assert (set(firing), last) == ({"+p"}, "-p")
    assert len(firing) < 2 * len(commands)


async def _ack(desks: Desks) -> Any:
    row = await desks.redis.hget("driftline:desk:alerts", A)
    return row and json.loads(row)["ack"]


async def test_what_the_store_lost_or_a_killed_owner_left_there_is_put_right(
    desks: Desks, receiver: Receiver
) -> None:
    first = await desks.fleet("desk")
    await desks.send("firing", "a")
    await desks.told("+a")
    await desks.until(lambda: desks.redis.hlen("driftline:desk:groups"), "the store has the group")
    await desks.redis.flushall()
    await desks.until(lambda: desks.redis.hget("driftline:desk:alerts", A), "it has the alert again")
    await desks.kill(first)
    await desks.redis.hset("driftline:desk:alerts", "left", "behind")
    await desks.start("desk/2")
    await desks.owner_after(first)
    await desks.until(lambda: _holds_only(desks, A), "only what the desk holds is there")


async def _holds_only(desks: Desks, name: str) -> bool:
    return set(await desks.redis.hgetall("driftline:desk:alerts")) == {name}


async def test_a_command_that_was_sent_while_no_desk_ran_says_so_and_nothing_bad_stops_the_desk(
    desks: Desks,
) -> None:
    asked = AddSilence(
        id=new_id(), matchers=("alertname=a",), ends_at_ms=2**42, created_by="ana", comment="early"
    )
    with pytest.raises(NotTaken, match="no desk has taken the command within 1 s"):
        await ask(desks.broker.bootstrap, desks.topics, asked, timeout_s=1)
    await produce(desks.broker.bootstrap, desks.topics.commands.name, [b"{", b'{"action": "dance"}'])
    await desks.fleet("desk")
    # It was there in time after all.
    await desks.until(lambda: _is_listed(desks, asked.id, "active"), "the desk has carried it out")
    later = asked.model_copy(update={"id": new_id()})
    assert (await ask(desks.broker.bootstrap, desks.topics, later)).code == "done"
