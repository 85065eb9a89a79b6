"""The alerting file is edited while a desk runs: SIGHUP and a command have it read again."""

from collections.abc import AsyncIterator

import pytest
from desks import ALERTING, Desks, Receiver

from alerts.command import Reload
from driftline.commands import ask, new_id


@pytest.fixture
async def another() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.up()
    yield made
    await made.down()


async def test_an_edited_file_is_taken_up_whole_or_not_at_all_and_by_whoever_owns_the_desk_next(
    desks: Desks, receiver: Receiver, another: Receiver
) -> None:
    file = desks.home / "alerting.yml"
    first = await desks.fleet("desk")
    await desks.send("firing", "a")
    await desks.told("+a")

    file.write_text("route: {receiver: nobody}\nreceivers: [{name: hook}]\n")
    desks.hang_up(first)
    await desks.until(lambda: "alerting.yml:1" in desks.log_of(first), "the desk names the mistake")
    answer = await ask(desks.broker.bootstrap, desks.topics, Reload(id=new_id()))
    assert answer.code == "refused"
    assert "no receiver named 'nobody'" in answer.sentence
    await desks.send("firing", "b")
    await desks.told("+b")

    file.write_text(ALERTING.format(url=another.url))
    desks.hang_up(first)
    await desks.until(lambda: desks.log_of(first).count("is taken up") == 2, "the file is taken up")
    desks.receiver = another
    await desks.send("firing", "c")
    await desks.told("+c")
    await desks.kill(first)

    file.write_text(ALERTING.format(url=receiver.url))
    await desks.start("desk/2")
    await desks.owner_after(first)
    desks.receiver = receiver
    answer = await ask(desks.broker.bootstrap, desks.topics, Reload(id=new_id()))
    assert answer.code == "done"
    await desks.send("firing", "d")
    await desks.told("+d")
    # What was told under one config is not told again under the next.
    assert receiver.words == ["+a", "+b", "+d"]
    assert another.words == ["+c"]
