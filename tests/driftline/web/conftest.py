"""A fleet in a real store, written from the models of `streams.views` as the workers write it."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from redis import Redis

from driftline.web import create_app
from streams.views import (
    AlertRow,
    Bin,
    ColumnView,
    ModelSummary,
    ModelView,
    PaneColumn,
    PaneRow,
    VerdictRow,
    WindowView,
    WorkerRow,
    rfc3339,
)

NOW_MS = 1_795_424_400_000
PANE_MS = 10_000
HOSTILE = '<script>alert("x")</script>\' onload=\u202eevil&amp;'


class Seed:
    """Writes a projection."""

    def __init__(self, redis: "Redis", now_ms: int = NOW_MS) -> None:
        self.redis = redis
        self.now_ms = now_ms

    def summary(self, model: str = "churn", **values: Any) -> ModelSummary:
        row = ModelSummary(
            **{
                "model": model,
                "team": "growth",
                "state": "ok",
                "versions": ["1.4.2"],
                "events_per_second": 120.4,
                "error_rate": 0.002,
                "invalid_rate": 0.0003,
                "latency_p99_ms": 213.0,
                "last_event_ms": self.now_ms - 2000,
                "updated_ms": self.now_ms - 1000,
            }
            | values
        )
        self.redis.hset("driftline:models", model, row.model_dump_json())
        return row

    def view(self, summary: ModelSummary, *windows: WindowView) -> None:
        view = ModelView(summary=summary, windows=list(windows))
        self.redis.set(f"driftline:model:{summary.model}", view.model_dump_json())

    def window(self, version: str = "", segment: str = "", **values: Any) -> WindowView:
        return WindowView(
            **{
                "version": version,
                "segment": segment,
                "start_ms": self.now_ms - 300_000,
                "end_ms": self.now_ms,
                "events": 36_120,
                "invalid": 11,
                "late": 4,
                "errors": 70,
                "duplicates": 3,
                "events_per_second": 120.4,
            }
            | values
        )

    def pane(self, model: str, ago: int = 1, **values: Any) -> PaneRow:
        """Write the pane that ended ``ago - 1`` panes before now."""
        end_ms = self.now_ms - (ago - 1) * PANE_MS
        row = PaneRow(
            **{
                "start": rfc3339(end_ms - PANE_MS),
                "end": rfc3339(end_ms),
                "version": "1.4.2",
                "events": 1200,
                "invalid": 0,
                "late": 0,
                "features": {"age": PaneColumn(count=1200, missing=0, mean=41.2)},
                "latency_ms": PaneColumn(count=1200, missing=0, p50=40.0, p95=120.0, p99=210.0),
            }
            | values
        )
        self.redis.zadd(f"driftline:model:{model}:panes", {row.model_dump_json(): end_ms})
        return row

    def verdict(self, model: str, detector: str = "psi", feature: str = "age", **values: Any) -> VerdictRow:
        row = VerdictRow(
            **{
                "at": rfc3339(self.now_ms),
                "model": model,
                "version": "",
                "detector": detector,
                "kind": "FeatureDrift",
                "feature": feature,
                "segment": "",
                "status": "ok",
                "score": 0.05,
                "threshold": 0.2,
                "firing": False,
                "samples": 36_120,
                "sentence": f"{feature} is as it was: PSI 0.05",
            }
            | values
        )
        field = "|".join((row.detector, row.feature, row.version, row.segment))
        self.redis.hset(f"driftline:model:{model}:verdicts", field, row.model_dump_json())
        return row

    def alert(self, model: str, **values: Any) -> AlertRow:
        labels = {"alertname": "FeatureDrift", "model": model, "feature": "age", "severity": "warning"}
        labels |= values.pop("labels", {})
        row = AlertRow(
            **{
                "at": rfc3339(self.now_ms),
                "status": "firing",
                "labels": labels,
                "annotations": {"summary": f"{labels['feature']} has moved: PSI 0.31 > 0.2"},
                "startsAt": rfc3339(self.now_ms - 480_000),
            }
            | values
        )
        field = "|".join(f"{name}={value}" for name, value in sorted(labels.items()))
        self.redis.hset(f"driftline:model:{model}:alerts", field, row.model_dump_json())
        return row

    def fleet_alert(self, **values: Any) -> AlertRow:
        """Write an alert of no model."""
        row = AlertRow(
            **{
                "at": rfc3339(self.now_ms),
                "status": "firing",
                "labels": {"alertname": "Backlog", "component": "driftline", "severity": "critical"},
                "annotations": {"summary": "Driftline is behind: 1,234 records wait"},
                "startsAt": rfc3339(self.now_ms - 480_000),
            }
            | values
        )
        self.redis.hset("driftline:alerts", "1", row.model_dump_json())
        return row

    def worker(self, stage: str, **values: Any) -> WorkerRow:
        row = WorkerRow(
            **{
                "worker": f"{stage}-1",
                "stage": stage,
                "at_ms": self.now_ms - 3000,
                "partitions": 8,
                "lag": 0,
                "caught_up": True,
            }
            | values
        )
        self.redis.hset("driftline:workers", row.worker, row.model_dump_json())
        return row

    def number(self, name: str, *, shift: float = 0.0, bins: int = 10, **values: Any) -> ColumnView:
        edges = [20 + 5 * i for i in range(1, bins)]
        labels = [f"< {edges[0]}", *(f"{a} to {a + 5}" for a in edges[:-1]), f"≥ {edges[-1]}"]
        normal = [2.718 ** (-(((i - bins * 0.45) / (bins * 0.2)) ** 2)) for i in range(bins)]
        moved = [2.718 ** (-(((i - bins * (0.45 + shift)) / (bins * 0.2)) ** 2)) + 0.01 for i in range(bins)]
        return ColumnView(
            **{
                "name": name,
                "kind": "number",
                "count": 35_900,
                "missing": 220,
                "out_of_range": 0,
                "mean": 41.23 + 50 * shift,
                "minimum": 18.0,
                "maximum": 93.0,
                "p50": 40.5 + 50 * shift,
                "p95": 66.0,
                "p99": 78.1,
                "reference_mean": 41.2,
                "reference_missing_rate": 0.005,
                "bins": [
                    Bin(label=label, current=c / sum(moved), reference=r / sum(normal))
                    for label, c, r in zip(labels, moved, normal, strict=True)
                ],
            }
            | values
        )

    def category(self, name: str, shares: dict[str, tuple[float, float]], **values: Any) -> ColumnView:
        return ColumnView(
            **{
                "name": name,
                "kind": "category",
                "count": 36_120,
                "missing": 0,
                "out_of_range": 0,
                "distinct": len(shares),
                "bins": [Bin(label=each, current=c, reference=r) for each, (c, r) in shares.items()],
            }
            | values
        )

    def whole_model(self, model: str = "churn") -> None:
        """Write a model with everything: two versions, a segment, drift in one feature, alerts."""
        draw = random.Random(7)
        summary = self.summary(model, state="firing", firing=2, versions=["1.4.1", "1.4.2"])
        plan = {"free": (0.52, 0.6), "pro": (0.33, 0.31), "team": (0.1, 0.09), "(other)": (0.05, 0.0)}
        features = [
            self.number("tenure_months", bins=12),
            self.number("age", shift=0.2),
            self.category("plan", plan, unlisted={"trial-2026": 1771, "enterprise": 31}),
            self.number("balance", count=33_000, missing=3120, reference_missing_rate=0.01, out_of_range=14),
        ]
        prediction = [self.number("prediction", shift=0.05, bins=20)]
        self.view(
            summary,
            self.window(features=features, prediction=prediction, unexpected={"utm_source": 120}),
            self.window("1.4.1", features=features[:1], prediction=prediction),
            self.window("1.4.2", features=features, prediction=prediction),
            self.window("", "country=DE", events=300, not_judged="300 of 500 events seen in 7 d"),
        )
        for ago in range(180, 0, -1):
            wave = 1100 + 200 * ((ago // 20) % 3) + draw.randrange(120)
            slow = 2.4 if ago < 40 else 1.0
            latency = PaneColumn(
                count=wave,
                missing=0,
                p50=40 + draw.random() * 4,
                p95=120 * slow,
                p99=210 * slow + draw.random() * 60,
            )
            self.pane(
                model,
                ago,
                version="1.4.2",
                events=wave,
                errors=draw.randrange(4) + (30 if ago < 30 else 0),
                invalid=draw.randrange(3),
                late=draw.randrange(9) if ago % 40 < 5 else 0,
                latency_ms=latency,
            )
            self.pane(model, ago, version="1.4.1", events=60)
        self.verdict(
            model,
            "psi",
            "age",
            status="firing",
            firing=True,
            score=0.31,
            sentence="age has moved: PSI 0.31 > 0.2; mean 51.2, was 41.2",
        )
        self.verdict(
            model,
            "latency",
            "latency_ms",
            status="firing",
            firing=True,
            score=730.0,
            threshold=500.0,
            kind="LatencyHigh",
            sentence="p99 latency 730 ms > 500 ms for 5 min",
        )
        self.verdict(
            model, "missing", "balance", score=3.1, threshold=4.2, sentence="balance missing 8.6%, was 1%"
        )
        self.verdict(model, "psi", "plan", score=0.11, sentence="plan is near its reference: PSI 0.11")
        self.verdict(
            model, "new_categories", "plan", score=0.8, threshold=1.0, sentence="2 unlisted categories"
        )
        self.verdict(model, "psi", "tenure_months", score=0.01)
        self.verdict(model, "psi", "prediction", score=0.07)
        self.verdict(
            model,
            "mean_shift",
            "prediction",
            status="insufficient",
            score=0.0,
            threshold=5.0,
            samples=312,
            sentence="needs 500 values, has 312",
        )
        self.alert(model)
        self.alert(
            model,
            labels={"alertname": "LatencyHigh", "feature": "", "severity": "critical", "version": "1.4.2"},
            annotations={
                "summary": f"{model} 1.4.2: p99 latency 730 ms > 500 ms for 5 min",
                "description": "Half of the slow requests come from one version. Check the database.",
            },
        )
        self.alert(
            model,
            status="resolved",
            labels={"alertname": "MissingValues", "feature": "balance"},
            annotations={"summary": "balance missing in 22% of events, was 1%"},
            endsAt=rfc3339(self.now_ms - 60_000),
        )


@pytest.fixture
def redis_url(store: str) -> str:
    """A database of these tests' own in the shared store."""
    return f"{store.rstrip('/')}/7"


@pytest.fixture
def seed(redis_url: str) -> Iterator[Seed]:
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()
        yield Seed(redis)


@pytest.fixture
async def browse(redis_url: str, seed: Seed) -> AsyncIterator[Callable[..., Awaitable[httpx.Response]]]:
    """Asks the app over a seeded store."""
    app = create_app(redis_url=redis_url, metrics=lambda: b"driftline_up 1\n", now_ms=lambda: NOW_MS)
    async with Visit(app) as client:
        yield client.get


class Visit:
    """A client whose app starts and stops with it."""

    def __init__(self, app: FastAPI) -> None:
        self._life = app.router.lifespan_context(app)
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=True), base_url="http://driftline"
        )

    async def __aenter__(self) -> httpx.AsyncClient:
        await self._life.__aenter__()
        return await self._client.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        await self._client.__aexit__(*error)
        await self._life.__aexit__(*error)


@pytest.fixture
def visit() -> Callable[[FastAPI], Visit]:
    return Visit
