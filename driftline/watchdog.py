"""The end of a process whose event loop is blocked: it cannot end itself from within the loop."""

import asyncio
import faulthandler
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def end_when_blocked(limit_s: float) -> AsyncIterator[None]:
    """End the process with status 1 when its event loop does not run for ``limit_s``, for the length of a block.

    Python's own watchdog does it: a thread that needs no interpreter, so that neither an endless loop nor a
    call that never returns keeps it. It writes ``Timeout`` and where each thread stands to standard error.
    """
    sign_of_life = asyncio.create_task(_give_sign_of_life(limit_s))
    try:
        yield
    finally:
        sign_of_life.cancel()
        faulthandler.cancel_dump_traceback_later()


async def _give_sign_of_life(limit_s: float) -> None:
    while True:
        faulthandler.dump_traceback_later(limit_s, exit=True)
        await asyncio.sleep(limit_s / 8)
