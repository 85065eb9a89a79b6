import asyncio
import signal
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from driftline.web import create_app, serve
from driftline.web.errors import CannotListen, WebError
from driftline.web.server import listen


async def test_it_serves_on_a_free_port_until_told_to_stop(redis_url, seed):
    seed.summary("risk/eu")
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    before = signal.getsignal(signal.SIGINT)
    serving = asyncio.create_task(
        serve(create_app(redis_url=redis_url), listen("127.0.0.1", 0), stop, bound=port.set_result)
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await port}") as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/api/v1/models/risk%2Feu")).json()["summary"]["model"] == "risk/eu"
    assert signal.getsignal(signal.SIGINT) is before
    stop.set()
    await asyncio.wait_for(serving, 10)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port.result())


async def test_cancelling_it_stops_it_cleanly(redis_url):
    port = asyncio.get_running_loop().create_future()
    app = create_app(redis_url=redis_url)
    serving = asyncio.create_task(serve(app, listen("127.0.0.1", 0), asyncio.Event(), bound=port.set_result))
    await port
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(serving, 10)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port.result())


async def test_an_app_that_does_not_start_is_an_error():
    @asynccontextmanager
    async def broken(_):
        raise RuntimeError("no")
        yield

    with pytest.raises(WebError, match="did not start"):
        await serve(FastAPI(lifespan=broken), listen("127.0.0.1", 0), asyncio.Event())


def test_a_port_in_use_is_told_with_the_remedy():
    with listen("127.0.0.1", 0) as taken, pytest.raises(CannotListen, match="--port"):
        listen("127.0.0.1", taken.getsockname()[1])
