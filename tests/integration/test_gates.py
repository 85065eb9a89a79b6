"""Gated drift through all stages: a ticket while estimated performance holds, a page once it falls."""

import asyncio
from typing import Any

import lenders
from fleet_of_stages import STAGES, Pipeline
from lenders import FEATURES, MODELS
from numpy.random import default_rng
from traffic import PARTITIONS, Traffic, epoch_ms
from webhook import Webhook

from monitors import PANE_MS

PER_PANE = 120


class Serving:
    """Sends both models' predictions pane by pane; no label is ever sent."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._random = default_rng(5)
        self._ids = 0

    async def panes(self, count: int, **kind: Any) -> int:
        """Send some panes, and return when the last ends, epoch ms."""
        for _ in range(count):
            at_ms = self._traffic.start_ms + self._traffic.panes * PANE_MS
            self._traffic.panes += 1
            events = [
                (row % PARTITIONS, event)
                for model in MODELS
                for row, event in enumerate(self._events(model, at_ms, **kind))
            ]
            await self._traffic.send(events)
        return at_ms + PANE_MS

    def _events(self, model: str, at_ms: int, **kind: Any) -> list[dict[str, Any]]:
        columns = lenders.rows(self._random, model, PER_PANE, **kind)
        found = []
        for row in range(PER_PANE):
            self._ids += 1
            found.append(
                {
                    "id": f"{model}-{self._ids}", "model": model, "ts": at_ms + row * PANE_MS // PER_PANE,
                    "version": "1", "prediction": float(columns["prediction"][row]),
                    "features": {name: float(columns[name][row]) for name in FEATURES},
                }
            )  # fmt: skip
        return found


def told(webhook: Webhook, receiver: str, model: str, kind: str, feature: str) -> list[dict[str, Any]]:
    """Return the firing alerts a receiver was told of a model's column, in order."""
    return [
        alert
        for payload in webhook.payloads
        if payload["receiver"] == receiver
        for alert in payload["alerts"]
        if alert["status"] == "firing"
        and (alert["labels"]["model"], alert["labels"]["alertname"]) == (model, kind)
        and alert["labels"].get("feature") == feature
    ]


async def judged_until(pipeline: Pipeline, at_ms: int) -> None:
    """Wait until the panes before a time are judged and told."""

    async def are_closed() -> bool:
        rows = [await pipeline.panes(model) for model in MODELS]
        return all(found and epoch_ms(found[-1]["end"]) >= at_ms for found in rows)

    await pipeline.until(are_closed, "the panes are judged", every_s=0.3)


async def test_drift_is_a_ticket_while_the_estimate_holds_and_a_page_once_it_falls(
    pipeline: Pipeline, webhook: Webhook
) -> None:
    await asyncio.to_thread(lenders.place, pipeline.home, webhook.url)

    async def first(receiver: str, model: str, kind: str, feature: str, says: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = await pipeline.until(
            lambda: told(webhook, receiver, model, kind, feature), f"{model}: {says}"
        )
        return found[0]

    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        serving = Serving(traffic)
        await pipeline.start(*STAGES)
        await serving.panes(12)
        at_ms = await serving.panes(15, extra=2.0)
        tickets = {}
        for model in MODELS:
            says = "drift that costs nothing is a ticket"
            ticket = tickets[model] = await first("tickets", model, "FeatureDrift", "extra", says)
            assert ticket["labels"]["severity"] == "info"
            assert "Kept at info: estimated performance holds" in ticket["annotations"]["description"]
        await judged_until(pipeline, at_ms - 4 * PANE_MS)
        assert not [one for one in webhook.payloads if one["receiver"] == "pager"], "nobody was woken"

        await serving.panes(15, extra=2.0, harder=True)
        for model, metric in (("loans", "accuracy"), ("prices", "mae")):
            says = "the same drift pages once it costs performance"
            page = await first("pager", model, "FeatureDrift", "extra", says)
            assert page["labels"]["severity"] == "critical"
            assert "Estimated performance falls too" in page["annotations"]["description"]
            assert page["startsAt"] == tickets[model]["startsAt"], "it is the same alert"
            says = f"{metric} is estimated to have fallen, without any label"
            fallen = await first("tickets", model, "EstimatedPerformanceDrop", metric, says)
            assert f"{metric} estimated at " in fallen["annotations"]["summary"]
            because = (
                "features that moved with it: " if model == "loans" else "expected errors are raised by: "
            )
            assert because in fallen["annotations"]["cause"]
            assert "size " in fallen["annotations"]["cause"]
        await pipeline.stop()
