"""Puts the web front together: routers, layers, and what is said when something is missing."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI

from driftline.web import alert_plots, api_v1, failures, health, pages, receipts, runbooks
from driftline.web.context import Context, environment, load_static
from driftline.web.middleware import PublicPath, QuotedNames, SecurityHeaders
from driftline.web.pulse import Pulse
from driftline.web.store import Store
from streams.connections import StoreAddress


def create_app(
    *,
    redis_url: StoreAddress | str,
    public_url: str | None = None,
    metrics: Callable[[], bytes] | None = None,
    topic: str = "driftline.predictions",
    brokers: str = "localhost:9092",
    routers: Sequence[APIRouter] = (),
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    timeout_s: float = 2.0,
) -> FastAPI:
    """Return the dashboard and API over the projection in Redis.

    Parameters
    ----------
    redis_url
        Where the projection is, and how one is let in; nothing is ever written there.
    public_url
        Where people reach this front. Its path, if any, is put before every link; requests are
        answered with and without it, since some proxies strip it.
    metrics
        Returns the Prometheus exposition; without it there is no ``/metrics``.
    topic, brokers
        Shown to those who have no events yet.
    routers
        Further routers, for instance the Alertmanager API.
    now_ms
        Wall clock, epoch ms.
    timeout_s
        Longest wait for Redis.
    """
    store = Store(redis_url, timeout_s=timeout_s)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await store.close()

    app = FastAPI(
        title="Driftline",
        summary="What Driftline knows about your models.",
        description=api_v1.DESCRIPTION,
        version="1",
        openapi_url="/api/v1/openapi.json",
        # FastAPI's own pages load their assets from elsewhere; `/api` takes their place.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    static = load_static()
    app.state.context = Context(
        store=store,
        pulse=Pulse(store),
        now_ms=now_ms,
        topic=topic,
        brokers=brokers,
        templates=environment(static),
        static=static,
    )
    for router in (
        api_v1.router,
        alert_plots.router,
        health.router(metrics),
        runbooks.router,
        *routers,
        pages.router,
        receipts.router,
    ):
        app.include_router(router)
    failures.install(app)
    app.add_middleware(QuotedNames)
    app.add_middleware(PublicPath, prefix=urlsplit(public_url or "").path.rstrip("/"))
    app.add_middleware(SecurityHeaders)
    return app
