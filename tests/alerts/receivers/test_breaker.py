"""A receiver that is down is let rest; what is for it is delayed and never dropped."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientSession, web
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.alert import AlertUpsert
from alerts.breaker import Breaker, admit, after
from alerts.config import parse
from alerts.desk import Desk
from alerts.dispatch import Delivery
from alerts.outcome import Failed, Outcome, Retry, Sent
from alerts.receivers.registry import Receivers

DOWN = Retry(0, "cannot be reached")
OUTCOMES = st.sampled_from(
    [Sent(), Failed("no"), DOWN, Retry(0, "503", True), Retry(20_000, "429"), Retry(7_000, "503", True)]
)


def tries(breaker: Breaker, outcomes: list[Outcome], now_ms: int = 0) -> Breaker:
    for outcome in outcomes:
        breaker = after(breaker, outcome, now_ms)
    return breaker


def test_four_failures_in_a_row_are_no_reason_to_rest_and_a_fifth_is() -> None:
    assert admit(tries(Breaker(), [DOWN] * 4), 0)[1] == 0
    assert admit(tries(Breaker(), [DOWN] * 5), 0)[1] == 5_000


def test_an_answer_of_any_kind_ends_the_row() -> None:
    for answer in (Sent(), Failed("no")):
        assert admit(tries(Breaker(), [*[DOWN] * 4, answer, *[DOWN] * 4]), 0)[1] == 0


def test_each_probe_that_fails_doubles_the_rest_up_to_two_minutes() -> None:
    breaker, now_ms, rests = tries(Breaker(), [DOWN] * 5), 0, []
    for _ in range(8):
        wait_ms = admit(breaker, now_ms)[1]
        rests.append(wait_ms)
        now_ms += wait_ms
        breaker, none = admit(breaker, now_ms)
        assert none == 0
        breaker = after(breaker, DOWN, now_ms)
    assert rests == [5_000, 10_000, 20_000, 40_000, 80_000, 120_000, 120_000, 120_000]


def test_one_probe_goes_at_a_time_and_one_that_never_ends_makes_way() -> None:
    breaker = tries(Breaker(), [DOWN] * 5)
    breaker, wait_ms = admit(breaker, 5_000)
    assert (wait_ms, admit(breaker, 5_001)[1], admit(breaker, 64_999)[1]) == (0, 5_000, 5_000)
    assert admit(breaker, 65_000)[1] == 0
    assert admit(after(breaker, Sent(), 6_000), 6_000)[1] == 0


def test_many_that_fail_together_count_as_one_rest() -> None:
    assert admit(tries(Breaker(), [DOWN] * 500), 0)[1] == 5_000


def test_a_wait_that_was_asked_for_holds_for_everything() -> None:
    breaker = after(Breaker(), Retry(30_000, "429"), 0)
    assert [admit(breaker, at)[1] for at in (0, 10_000, 30_000)] == [30_000, 20_000, 0]


@settings(max_examples=60)
@given(st.lists(st.tuples(OUTCOMES, st.integers(0, 300_000))))
def test_nothing_waits_for_ever(history: list[tuple[Outcome, int]]) -> None:
    breaker, now_ms = Breaker(), 0
    for outcome, pause_ms in history:
        now_ms += pause_ms
        breaker, wait_ms = admit(breaker, now_ms)
        assert 0 <= wait_ms <= 120_000
        if not wait_ms:
            breaker = after(breaker, outcome, now_ms)
    for _ in range(20):
        breaker, wait_ms = admit(breaker, now_ms)
        if not wait_ms:
            return
        now_ms += wait_ms
    raise AssertionError("a delivery was put off twenty times in a row")


def deliveries(url: str, count: int, **defaults: Any) -> tuple[Any, Iterator[Delivery]]:
    config = parse(
        {
            "global": defaults,
            "route": {"receiver": "ops", "group_wait": "0s", "group_by": ["..."]},
            "receivers": [{"name": "ops", "webhook_configs": [{"url": url}], "log_configs": [{}]}],
        }
    )
    desk = Desk(config)
    for n in range(count):
        labels = {"alertname": f"A{n}", "severity": "info"}
        desk.upsert(AlertUpsert(status="firing", labels=labels, starts_at_ms=0, pane_end_ms=0, sequence=1), 0)
    return config, (one for one in desk.tick(0) if one.integration.key == "ops/webhook/0")


async def test_a_receiver_that_is_let_rest_is_not_called_and_what_is_for_it_stays(
    stub: Any, session: ClientSession
) -> None:
    now = 0
    stub.answers = [web.Response(status=500) for _ in range(5)]
    config, waiting = deliveries(stub.url, 8)
    receivers = Receivers(config, session, lambda: now)
    for _ in range(5):
        await receivers.send(next(waiting))
    held = next(waiting)
    assert await receivers.send(held) == Retry(
        5_000, "not sent: ops/webhook/0 is let rest until 1970-01-01T00:00:05.000Z"
    )
    assert len(stub.requests) == 5
    now = 5_000
    assert await receivers.send(held) == Sent()
    assert [await receivers.send(one) for one in waiting] == [Sent(), Sent()]


@pytest.mark.parametrize(
    ("allow", "sent"),
    [(None, True), (["127.0.0.0/8"], True), (["10.0.0.0/8", "localhost"], False), ([], False)],
)
async def test_the_allow_list_of_the_file_holds_and_a_refusal_tells_no_address(
    stub: Any, session: ClientSession, allow: list[str] | None, sent: bool
) -> None:
    defaults = {} if allow is None else {"egress_allow": allow}
    config, waiting = deliveries(f"{stub.url}/t0ken", 1, **defaults)
    outcome = await Receivers(config, session).send(next(waiting))
    assert len(stub.requests) == sent
    if sent:
        assert outcome == Sent()
    else:
        assert isinstance(outcome, Failed)
        assert "global.egress_allow" in outcome.reason
        assert "t0ken" not in outcome.reason
