"""Desk and receivers together, as their owner runs them: only the clock is virtual."""

import asyncio
from typing import Any

from aiohttp import ClientSession

from alerts.alert import AlertUpsert
from alerts.config import parse
from alerts.desk import Desk
from alerts.dispatch import Delivery
from alerts.receivers.registry import Receivers


async def test_an_incident_reaches_every_receiver_though_one_is_broken(
    stub: Any, session: ClientSession
) -> None:
    stub.default = lambda path, body: {"ok": True, "channel": "C1", "ts": "1.5"}
    config = parse(
        {
            "global": {"slack_token": "xoxb-1", "slack_api_url": f"{stub.url}/api"},
            "route": {"receiver": "ops", "group_by": ["model"]},
            "receivers": [
                {
                    "name": "ops",
                    "log_configs": [{}],
                    "webhook_configs": [{"url": f"{stub.url}/hook"}, {"url": "http://127.0.0.1:1/"}],
                    "slack_configs": [{"channel": "#ml"}],
                }
            ],
        }
    )
    at_ms = 0
    desk, receivers = Desk(config), Receivers(config, session, lambda: at_ms)

    async def send(delivery: Delivery, now_ms: int) -> None:
        desk.settled(delivery.id, await receivers.send(delivery), now_ms)

    async def tick(now_ms: int) -> list[str]:
        nonlocal at_ms
        at_ms = now_ms
        before = len(stub.requests)
        await asyncio.gather(*(send(delivery, now_ms) for delivery in desk.tick(now_ms)))
        return sorted(path for path, _, _ in stub.requests[before:])

    labels = {"alertname": "Drift", "model": "churn", "severity": "critical"}
    firing = AlertUpsert(status="firing", labels=labels, starts_at_ms=0, pane_end_ms=0, sequence=1)
    over = firing.model_copy(update={"status": "resolved", "ends_at_ms": 60_000, "sequence": 2})
    desk.upsert(firing, 0)
    assert await tick(30_000) == ["/api/chat.postMessage", "/hook"]
    assert await tick(31_000) == []
    desk.upsert(over, 60_000)
    assert await tick(330_000) == ["/api/chat.postMessage", "/api/chat.update", "/hook"]
    assert [body["status"] for path, _, body in stub.requests if path == "/hook"] == ["firing", "resolved"]
    thread = next(body["text"] for _, _, body in stub.requests if "thread_ts" in body)
    assert thread.startswith("*Resolved:* Drift · churn")
    # The address nobody listens at never took the firing alert, so there is no end to tell it either.
    assert desk.next_due_ms() is None
    assert desk.firing == frozenset()
