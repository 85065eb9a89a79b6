"""Workers and receivers fail: no notification is lost, and none is told twice without the mark."""

import asyncio
from collections import Counter
from itertools import pairwise

from aiohttp import web
from desks import TIMEOUT_S, Desks, Receiver, holds, says

from alerts.epoch import epoch_of


async def test_an_owner_that_is_killed_is_followed_and_each_notification_arrives_once(
    desks: Desks, receiver: Receiver
) -> None:
    first = await desks.fleet("desk", "desk/2", "desk/3")
    await desks.send("firing", "a", "b")
    await desks.told("+a", "+b")
    await desks.kill(first)
    await desks.send("firing", "c")
    await desks.send("resolved", "a")
    assert await desks.owner_after(first) != first
    await desks.told("+c", "-a")
    await desks.send("resolved", "b", "c")
    await desks.told("-b", "-c")
    assert Counter(receiver.words) == Counter(["+a", "+b", "+c", "-a", "-b", "-c"])


async def test_a_receiver_that_is_down_refuses_hangs_or_breaks_is_told_in_the_end(
    desks: Desks, receiver: Receiver
) -> None:
    await desks.fleet("desk")

    await receiver.down()
    await desks.send("firing", "down")
    await desks.until(lambda: desks.log().count("cannot be reached") > 1, "the desk has tried twice")
    await receiver.up()
    await desks.told("+down")

    receiver.moods.append(says(429, **{"Retry-After": "3"}))
    await desks.send("firing", "busy")
    await desks.told("+busy", "+busy")

    receiver.moods.append(holds)
    await desks.send("firing", "hung")
    await desks.told("+hung", "+hung?")

    receiver.moods.append(says(503))
    await desks.send("firing", "broken")
    await desks.told("+broken", "+broken?")

    await desks.send("resolved", "down", "busy", "hung", "broken")
    await desks.told("-down", "-busy", "-hung", "-broken")
    assert {name: receiver.of(name) for name in ("down", "busy", "hung", "broken")} == {
        "down": ["+down", "-down"],
        "busy": ["+busy", "+busy", "-busy"],
        "hung": ["+hung", "+hung?", "-hung"],
        "broken": ["+broken", "+broken?", "-broken"],
    }
    waits = {
        before.words: after.at_s - before.at_s
        for before, after in pairwise(receiver.told)
        if before.key == after.key
    }
    assert waits["+busy"] >= 3
    assert waits["+hung"] >= TIMEOUT_S


async def test_killed_between_a_send_and_its_ledger_row_it_is_told_once_more_with_the_mark(
    desks: Desks, receiver: Receiver
) -> None:
    async def kills() -> web.Response:
        await desks.kill("desk")
        return web.Response()

    await desks.fleet("desk")
    for name in ("+a", "-a"):
        receiver.moods.append(kills)
        await desks.send("firing" if name == "+a" else "resolved", "a")
        await desks.until(lambda name=name: name in receiver.words, "the worker is killed while it sends")
        await desks.start("desk")
        await desks.told(name, f"{name}?")
    await desks.stop("desk")
    await desks.start("desk")
    await desks.send("firing", "b")
    await desks.told("+b")
    assert receiver.words == ["+a", "+a?", "-a", "-a?", "+b"]
    tries = [one.key for one in receiver.told]
    assert tries[0] == tries[1] != tries[2] == tries[3]


async def test_an_owner_that_is_stopped_while_it_sends_learns_what_came_of_it(
    desks: Desks, receiver: Receiver
) -> None:
    stopping = asyncio.Event()

    async def answers_once_it_stops() -> web.Response:
        stopping.set()
        await asyncio.sleep(1)
        return web.Response()

    owner = await desks.fleet("desk", "desk/2")
    receiver.moods.append(answers_once_it_stops)
    await desks.send("firing", "a")
    await stopping.wait()
    await desks.stop(owner)
    await desks.owner_after(owner)
    await desks.send("firing", "b")
    await desks.send("resolved", "a")
    await desks.told("+b", "-a")
    assert Counter(receiver.words) == Counter(["+a", "+b", "-a"])


async def test_an_owner_that_was_stalled_sends_nothing_and_changes_nothing(
    desks: Desks, receiver: Receiver
) -> None:
    stalled = await desks.fleet("desk", "desk/2")

    async def stalls() -> web.Response:
        desks.stall(stalled)
        return web.Response()

    await desks.send("firing", "a")
    await desks.told("+a")
    receiver.moods.append(stalls)
    await desks.send("firing", "b")
    follower = await desks.owner_after(stalled)
    await desks.told("+b", "+b?")
    await desks.send("firing", "c")
    await desks.send("resolved", "a")
    await desks.told("+c", "-a")

    # The stalled one finds that *b* was taken, and writes so.
    past = await desks.past()
    before = len(await desks.records(desks.topics.desk.name))
    desks.wake(stalled)

    async def late_rows() -> bool:
        records = (await desks.records(desks.topics.desk.name))[before:]
        return any(epoch_of((one.key or b"").decode()) < past.highest for one in records)

    await desks.until(late_rows, "the stalled owner writes what it thinks holds")
    await desks.send("firing", "d")
    await desks.told("+d")

    await desks.kill(follower)
    await desks.owner_after(follower)
    await desks.send("resolved", "b", "c", "d")
    await desks.told("-b", "-c", "-d")
    assert Counter(receiver.words) == Counter(["+a", "-a", "+b", "+b?", "-b", "+c", "-c", "+d", "-d"])
