"""Runs the web front inside an event loop that is already running."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from driftline.web.errors import CannotListen, WebError


async def serve(
    app: FastAPI,
    listener: socket.socket,
    stop: asyncio.Event,
    *,
    bound: Callable[[int], None] | None = None,
) -> None:
    """Serve `app` until `stop` is set; requests under way get five seconds to finish.

    Signals stay with the caller, and so does logging.

    Parameters
    ----------
    app
        What to serve.
    listener
        From `listen`; it is closed at the end.
    stop
        Ends serving when set.
    bound
        Called once with the port, when requests are being answered.

    Raises
    ------
    WebError
        The app refused to start.
    """
    with listener:
        server = _Server(
            uvicorn.Config(
                app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5
            )
        )
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        stopping = asyncio.ensure_future(stop.wait())
        started = asyncio.ensure_future(server.up.wait())
        try:
            await asyncio.wait({serving, stopping, started}, return_when=asyncio.FIRST_COMPLETED)
            if bound is not None and started.done():
                bound(listener.getsockname()[1])
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            server.should_exit = True
            started.cancel()
            stopping.cancel()
            await serving


class _Server(uvicorn.Server):
    """Says when it is up, and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit as error:
            # uvicorn would end the whole process, workers and all.
            raise WebError("the web front did not start; its log says why") from error
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int, *, remedy: str = "choose another with --port") -> socket.socket:
    """Take an address, before anything is started that would have to be stopped if it is taken.

    Parameters
    ----------
    host
        Address or name to listen on.
    port
        TCP port; 0 takes a free one.
    remedy
        What the message advises.

    Raises
    ------
    CannotListen
        The address is in use or not of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        # Of a taken address, Python's own words name it once more.
        is_taken = error.errno == errno.EADDRINUSE
        reason = os.strerror(errno.EADDRINUSE) if is_taken else error.strerror or error
        raise CannotListen(f"cannot listen on {host}:{port}: {reason}; {remedy}") from error
