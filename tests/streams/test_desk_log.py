"""Owners of the desk's topic, one after the other and side by side, on a real broker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from brokers import Broker
from clients import create_topic, stage_app

from streams.stages.desk_log import DeskLog, SupersededError
from streams.stages.sender import Sender

SURE_FOR_S = 3.0
NewOwner = Callable[[], DeskLog]


class Clock:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def new_owner(broker: Broker, prefix: str, clock: Clock) -> AsyncIterator[NewOwner]:
    """Return what makes workers that may own one desk."""
    topic = await create_topic(broker.bootstrap, f"{prefix}-desk", config={"cleanup.policy": "compact"})
    app: Any = stage_app(prefix, broker)
    await app.producer.start()
    yield lambda: DeskLog(Sender(app), broker.bootstrap, topic, sure_for_s=SURE_FOR_S, monotonic_s=clock)
    await app.producer.stop()


async def take_over(log: DeskLog, **changes: bytes) -> dict[str, bytes]:
    """Let somebody own the desk, and return the state they found; ``changes`` are theirs."""
    past = await log.claim()
    await log.succeed(past, past.state | changes)
    return past.state


async def write_until_superseded(log: DeskLog) -> dict[str, bytes]:
    """Return what was confirmed without an error."""
    written: dict[str, bytes] = {}
    try:
        for number in range(1000):
            await log.write({f"ledger/{number}": b"SENDING"})
            written[f"ledger/{number}"] = b"SENDING"
    except SupersededError:
        return written
    raise AssertionError("a thousand writes, and nobody said that another owner came")


async def test_the_next_owner_has_the_state_and_a_higher_epoch(new_owner: NewOwner) -> None:
    first, second = new_owner(), new_owner()
    assert await take_over(first) == {}
    await first.write({f"alert/{number}": b"row" for number in range(50)})
    await first.write({"alert/7": None, "alert/8": b"newer"})
    found = await take_over(second)
    assert found == {f"alert/{n}": b"newer" if n == 8 else b"row" for n in range(50) if n != 7}
    assert (first.epoch < second.epoch, len(second)) == (True, 49)


async def test_a_superseded_owner_is_told_so_and_neither_its_rows_nor_its_deletes_count(
    new_owner: NewOwner,
) -> None:
    stalled, owner, third = new_owner(), new_owner(), new_owner()
    await take_over(stalled, a=b"old", b=b"old")
    await take_over(owner)
    await owner.write({"a": b"new"})
    with pytest.raises(SupersededError, match="as epoch"):
        await stalled.write({"a": b"late", "b": None, "c": b"late"})
    assert await take_over(third) == {"a": b"new", "b": b"old"}


async def test_late_rows_of_a_superseded_owner_do_not_end_its_successor(new_owner: NewOwner) -> None:
    stalled, owner = new_owner(), new_owner()
    await take_over(stalled)
    await take_over(owner)
    with pytest.raises(SupersededError):
        await stalled.write({"a": b"late"})
    await owner.write({"a": b"new"})
    assert await take_over(new_owner()) == {"a": b"new"}


async def test_a_row_confirmed_before_the_claim_is_seen_however_late_it_came(new_owner: NewOwner) -> None:
    first, second = new_owner(), new_owner()
    await take_over(first)
    claiming = asyncio.create_task(second.claim())
    written = await write_until_superseded(first)
    # What was confirmed may have been sent by the first: the second must know of it.
    assert written.items() <= (await claiming).state.items()


async def test_who_is_sure_asks_nobody_and_who_is_not_is_told_the_truth(
    new_owner: NewOwner, clock: Clock
) -> None:
    first, second = new_owner(), new_owner()
    await take_over(first)
    clock.now_s += SURE_FOR_S + 1
    await first.make_sure()
    await take_over(second)
    await first.make_sure()  # within the time no other worker can have got the desk by a stall
    clock.now_s += SURE_FOR_S + 1
    with pytest.raises(SupersededError):
        await first.make_sure()
    await second.make_sure()


async def test_claims_at_the_same_time_win_different_epochs(new_owner: NewOwner) -> None:
    owners = [new_owner() for _ in range(4)]
    await asyncio.gather(*(owner.claim() for owner in owners))
    assert len({owner.epoch for owner in owners}) == len(owners)


async def test_a_takeover_that_was_cut_short_changes_nothing(new_owner: NewOwner) -> None:
    await take_over(new_owner(), a=b"row")
    cut_short = new_owner()
    await cut_short.claim()
    await cut_short.write({"a": b"half", "b": b"half"})
    assert await take_over(new_owner()) == {"a": b"row"}
