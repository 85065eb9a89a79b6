"""The command to read the alerting file again: all of it, or nothing."""

from collections.abc import Callable
from typing import Any

from alerts.command import Reload
from alerts.config import Config, parse
from alerts.desk import Desk
from alerts.errors import ConfigRefused
from alerts.outcome import Sent

ASK = Reload(id="reload-1")


def config(receiver: str) -> Config:
    receivers = [{"name": name, "log_configs": [{}]} for name in ("ops", "data")]
    return parse({"route": {"receiver": receiver, "group_by": ["model"]}, "receivers": receivers})


def refusing() -> Config:
    raise ConfigRefused("alerting.yml:3: route.receiver: no receiver named 'nobody'")


def reloaded(world: Any, load: Callable[[], Config] | None) -> tuple[Any, Any]:
    desk = world(config("ops"))
    desk.upsert("firing", "a")
    answer = desk.desk.command(ASK, 10_000, load=load)
    (delivery,) = desk.desk.tick(30_000)
    return answer, delivery.integration.receiver


def test_what_waits_in_a_group_goes_to_its_new_receiver_when_it_was_due_anyway(world: Any) -> None:
    answer, receiver = reloaded(world, lambda: config("data"))
    assert (answer.code, receiver) == ("done", "data")


def test_a_file_with_a_mistake_changes_nothing_and_the_answer_names_it(world: Any) -> None:
    answer, receiver = reloaded(world, refusing)
    assert (answer.code, receiver) == ("refused", "ops")
    assert answer.sentence.startswith("alerting.yml:3: route.receiver")


def test_a_desk_without_a_file_says_so(world: Any) -> None:
    answer, receiver = reloaded(world, None)
    assert (answer.code, receiver) == ("refused", "ops")
    assert "DRIFTLINE_ALERTING" in answer.sentence


def test_a_command_that_is_read_again_reads_no_file() -> None:
    desk = Desk.restore(config("ops"), {}, 0)
    first = desk.command(ASK, 0, load=lambda: config("data"))
    assert desk.command(ASK, 0, load=refusing) == first
    assert desk.config == config("data")


def test_what_is_out_while_another_config_is_taken_up_may_be_settled_and_is_told_once(world: Any) -> None:
    desk = world(config("ops"))
    desk.upsert("firing", "a")
    (delivery,) = desk.desk.tick(30_000)
    desk.desk.command(ASK, 30_001, load=lambda: config("ops"))
    desk.desk.settled(delivery.id, Sent(), 30_002)
    assert desk.desk.tick(400_000) == []
