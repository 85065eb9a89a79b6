"""What drives predictions, through the real stages: a flip of ranks is told once, a healthy stream not at all."""

import json
from pathlib import Path
from typing import Any

from fleet_of_stages import Pipeline
from numpy.random import default_rng
from traffic import FEATURES, Traffic
from webhook import Webhook

from driftline.monitors import load_monitor
from driftline.reference_build import build
from monitors import CHURN
from streams import reference

CALM, FLIPPED = (2.0, 1.0, 0.5), (0.2, 1.0, 4.0)
WANTED = {"alertname": "AttributionDrift", "model": "churn"}


def _give_reference(home: Path) -> None:
    """Have churn held against a file of calm attributions, built as its owner would."""
    random = default_rng(3)
    events = [
        {
            "id": str(row), "model": "churn", "ts": row, "prediction": float(random.random()),
            "features": {"age": int(random.integers(10, 90)), "plan": "free", "visits": int(random.poisson(4))},
            "attributions": {
                name: float(random.uniform(-most, most))
                for name, most in zip(FEATURES["churn"], CALM, strict=True)
            },
        }
        for row in range(3_000)
    ]  # fmt: skip
    data, declared = home / "past.jsonl", home / "monitors" / "churn.yaml"
    data.write_text("\n".join(map(json.dumps, events)))
    declared.write_text(CHURN.replace("{trailing: 7d}", "{file: churn.reference.json}"))
    found = build([data], load_monitor(declared)[1])
    declared.with_name("churn.reference.json").write_bytes(reference.dump(found))


async def _verdicts(pipeline: Pipeline, status: str) -> list[dict[str, Any]]:
    found = [json.loads(one.value) for one in await pipeline.records(pipeline.topics.verdicts.name)]
    return [one for one in found if one["detector"] == "attribution_drift" and one["status"] == status]


def _told(webhook: Webhook) -> list[tuple[str, str]]:
    """Return version and status of every message about attributions, in order."""
    return [
        (one["groupLabels"]["version"], one["status"])
        for one in webhook.payloads
        if WANTED.items() <= one["groupLabels"].items()
    ]


async def test_a_flip_of_ranks_is_told_once_and_a_healthy_stream_is_not(
    pipeline: Pipeline, webhook: Webhook
) -> None:
    _give_reference(pipeline.home)
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        traffic.contributions = CALM
        await traffic.panes_of(30)
        await pipeline.start()

        async def judged() -> bool:
            return len(await _verdicts(pipeline, "ok")) > 40

        async with traffic.flowing():
            await pipeline.until(judged, "attributions are held against the reference", every_s=1.0)
            assert _told(webhook) == []
            assert await _verdicts(pipeline, "firing") == []
            traffic.contributions = FLIPPED
            await pipeline.until(
                lambda: {version for version, _ in _told(webhook)} == {"1", "2"},
                "both versions' flips are told",
            )
            begun = traffic.panes
            await pipeline.until(lambda: traffic.panes > begun + 8, "it goes on for longer than a window")
            assert sorted(_told(webhook)) == [("1", "firing"), ("2", "firing")]
            traffic.contributions = CALM
            await pipeline.until(lambda: len(_told(webhook)) > 3, "both are told to be over")
    assert sorted(_told(webhook)) == [
        ("1", "firing"), ("1", "resolved"), ("2", "firing"), ("2", "resolved"),
    ]  # fmt: skip
    said = {
        alert["annotations"]["summary"]
        for payload in webhook.payloads
        if WANTED.items() <= payload["groupLabels"].items()
        for alert in payload["alerts"]
    }
    assert any("visits" in sentence and "age" in sentence for sentence in said)
    ranks = [
        one["evidence"]["details"]["features"]["age"]["rank"]
        for one in await _verdicts(pipeline, "firing")
        if not one["segment"]
    ]
    assert [1, 3] in ranks
