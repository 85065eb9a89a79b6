"""What must hold for every receiver that speaks HTTP, against a server that misbehaves."""

import json
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession, web

from alerts.config import Integration, parse
from alerts.decision import Reason
from alerts.egress import Egress
from alerts.email_config import EmailConfig
from alerts.errors import EgressRefused
from alerts.notification import Notification, NotifiedAlert
from alerts.outcome import Failed, Outcome, Retry, Sent
from alerts.receiver_config import LogConfig
from alerts.receivers.gate import through
from alerts.receivers.registry import REGISTRY, make

NINE = 1_795_424_400_000
SECRET = "s3cret-0123456789abcdef012345678"
ALERT = NotifiedAlert(
    "f1", "firing", {"alertname": "Drift", "model": "churn", "severity": "critical"},
    {"summary": "age moved"}, NINE, None,
)  # fmt: skip
TOLD = Notification(
    '{}:{model="churn"}', "ops", {"model": "churn"}, (ALERT,), Reason.FIRST, "k-1",
    external_url="https://drift.example",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A receiver's config that reaches ``base``, with `SECRET` wherever it takes one, and what "taken" is."""

    kind: str
    config: Callable[[str], dict[str, Any]]
    taken: dict[str, Any]


CASES = (
    Case("webhook", lambda base: {"url": f"{base}/{SECRET}", "headers": {"X-Key": SECRET}}, {}),
    Case(
        "slack",
        lambda base: {"channel": "#ml", "token": SECRET, "api_url": f"{base}/api/"},
        {"ok": True, "channel": "C1", "ts": "1.2"},
    ),
    Case(
        "pagerduty",
        lambda base: {"url": f"{base}/v2/enqueue", "routing_key": SECRET},
        {"status": "success", "message": "Event processed", "dedup_key": "d"},
    ),
    Case(
        "alertmanager",
        lambda base: {
            "url": f"{base}/{SECRET}",
            "http_config": {"basic_auth": {"username": "u", "password": SECRET}},
        },
        {},
    ),
)


def integration(case: Case, base: str, **more: Any) -> Integration:
    section = {**case.config(base), **more}
    receivers = [{"name": "ops", f"{case.kind}_configs": [section]}]
    (place,) = parse({"route": {"receiver": "ops"}, "receivers": receivers}).integrations()["ops"]
    return place


async def send(case: Case, session: ClientSession, base: str, **more: Any) -> Outcome:
    return await make(integration(case, base, **more).config, session).send(TOLD, None)


def answer(status: int, headers: dict[str, str] | None = None) -> web.Response:
    """An answer that repeats the secret it was sent, as servers do."""
    said = {"status": "invalid", "errors": [f"{SECRET} is wrong"], "message": SECRET}
    return web.Response(
        status=status, headers=headers, body=json.dumps(said).encode(), content_type="application/json"
    )


@pytest.fixture(params=CASES, ids=lambda case: case.kind)
def case(request: pytest.FixtureRequest) -> Case:
    assert isinstance(request.param, Case)
    return request.param


def test_every_receiver_that_speaks_http_is_in_this_suite() -> None:
    cases = {type(integration(case, "http://localhost:1").config) for case in CASES}
    assert cases == set(REGISTRY) - {LogConfig, EmailConfig}


async def test_what_is_taken_is_sent(case: Case, stub: Any, session: ClientSession) -> None:
    stub.default = lambda path, body: case.taken
    assert isinstance(await send(case, session, stub.url), Sent)
    assert len(stub.requests) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "90"},
        {"Retry-After": "Mon, 23 Nov 2026 09:01:30 GMT", "Date": "Mon, 23 Nov 2026 09:00:00 GMT"},
    ],
    ids=["seconds", "date"],
)
async def test_429_waits_as_long_as_asked_and_leaves_nothing_in_doubt(
    case: Case, stub: Any, session: ClientSession, headers: dict[str, str]
) -> None:
    stub.answers = [answer(429, headers)]
    outcome = await send(case, session, stub.url)
    assert isinstance(outcome, Retry)
    assert (outcome.after_ms, outcome.maybe_delivered) == (90_000, False)
    assert len(stub.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_at_fault_may_have_taken_it(
    case: Case, stub: Any, session: ClientSession, status: int
) -> None:
    stub.answers = [answer(status, {"Retry-After": "7"})]
    outcome = await send(case, session, stub.url)
    assert isinstance(outcome, Retry)
    assert (outcome.after_ms, outcome.maybe_delivered) == (7_000, True)
    assert len(stub.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_refusal_is_for_good_and_names_a_remedy(
    case: Case, stub: Any, session: ClientSession, status: int
) -> None:
    stub.answers = [answer(status)]
    outcome = await send(case, session, stub.url)
    assert isinstance(outcome, Failed)
    assert "check" in outcome.reason
    assert len(stub.requests) == 1


async def test_a_hang_ends_at_the_timeout_and_may_have_delivered(
    case: Case, stub: Any, session: ClientSession
) -> None:
    stub.hang = True
    outcome = await send(case, session, stub.url, timeout="50ms")
    assert isinstance(outcome, Retry)
    assert outcome.maybe_delivered
    assert "within 50 ms" in outcome.reason


async def test_a_broken_connection_may_have_delivered(case: Case, stub: Any, session: ClientSession) -> None:
    stub.answers = [ConnectionResetError()]
    outcome = await send(case, session, stub.url)
    assert isinstance(outcome, Retry)
    assert outcome.maybe_delivered


async def test_a_refused_connection_has_delivered_nothing(case: Case, session: ClientSession) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        outcome = await send(case, session, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert isinstance(outcome, Retry)
    assert not outcome.maybe_delivered


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_a_private_address_is_not_followed(
    case: Case, stub: Any, session: ClientSession, status: int
) -> None:
    stub.answers = [answer(status, {"Location": f"{stub.url}/latest/meta-data"})]
    assert isinstance(await send(case, session, stub.url), Failed)
    assert [path for path, *_ in stub.requests if "meta-data" in path] == []
    assert len(stub.requests) == 1


async def test_what_the_allow_list_does_not_name_is_not_called(
    case: Case, stub: Any, session: ClientSession
) -> None:
    receiver = make(integration(case, stub.url).config, session)
    with through(Egress(("hooks.example.org", "10.0.0.0/8"))), pytest.raises(EgressRefused) as caught:
        await receiver.send(TOLD, None)
    assert stub.requests == []
    assert SECRET not in str(caught.value)


async def test_no_secret_gets_out(
    case: Case, stub: Any, session: ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    place = integration(case, stub.url, timeout="50ms")
    receiver = make(place.config, session)
    assert SECRET not in repr(place)
    answers: list[Any] = [answer(status) for status in (302, 400, 404, 429, 500)]
    stub.answers = [*answers, ConnectionResetError(), web.Response(body=b"not JSON: " + SECRET.encode())]
    outcomes = [await receiver.send(TOLD, None) for _ in stub.answers.copy()]
    stub.hang = True
    outcomes.append(await receiver.send(TOLD, None))
    assert len(outcomes) == 8
    assert all(isinstance(outcome, Retry | Failed) for outcome in outcomes[:6])
    assert SECRET not in repr(outcomes)
    assert SECRET not in "".join(
        record.getMessage() for record in caplog.records if record.name != "aiohttp.access"
    )
