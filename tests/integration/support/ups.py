"""`driftline up --data` as a person runs it: started, stopped with Ctrl-C, and started again."""

import asyncio
import json
import os
import re
import signal
import sys
import urllib.request
from asyncio.subprocess import Process
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from driftline.lifeline import die_with_parent

DEADLINE_S = 120.0


class Up:
    """One machine's `driftline up`, with a folder that outlives it.

    Parameters
    ----------
    home
        Holds ``monitors/``, ``alerting.yml`` and, once it runs, ``data/``.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._log = home / "up.log"
        self._process: Process | None = None

    async def start(self) -> str:
        """Start it, and return its broker's address."""
        self._log.unlink(missing_ok=True)
        paths = {"--data": "data", "--monitors": "monitors", "--alerting": "alerting.yml"}
        options = [word for name, path in paths.items() for word in (name, str(self.home / path))]
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "driftline", "up", "--port", "0", *options,
                env=os.environ | {"COLUMNS": "200"}, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=die_with_parent(os.getpid()),
            )  # fmt: skip
        await self.until(lambda: "records restored" in self.log(), "it has restored its data")
        found = re.search(r"broker: (\S+)", self.log())
        assert found is not None
        return found[1]

    async def web(self) -> str:
        """Return where its pages are, once they are there."""
        await self.until(lambda: "web:" in self.log(), "the web face listens")
        found = re.search(r"web: +(\S+)", self.log())
        assert found is not None
        return found[1]

    async def stop(self) -> None:
        """Stop it with Ctrl-C; it must end well."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        async with asyncio.timeout(DEADLINE_S):
            assert await self._process.wait() == 0, self.log()

    async def kill(self) -> None:
        """``kill -9``, if it runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def until(self, condition: Callable[[], object], says: str) -> None:
        """Wait until a condition is true."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not condition():
                    assert self._process is not None
                    assert self._process.returncode is None, self.log()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"not within {DEADLINE_S:g} s: {says}\n{self.log()}") from None

    def panes(self, model: str) -> int:
        """Return how many closed panes of a model the journal holds."""
        files = (self.home / "data").glob("*.panes.jsonl")
        lines = (line for file in files for line in file.read_text().splitlines() if line.endswith("]"))
        return sum(json.loads(b64decode(json.loads(line)[2]))["model"] == model for line in lines)

    def kept(self, topic: str) -> int:
        """Return how many lines the journal has for a topic."""
        path = self.home / "data" / f"{topic}.jsonl"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def models(self) -> list[dict[str, Any]]:
        """Return the models its API lists; none while nobody answers."""
        found = re.search(r"web: +(\S+)", self.log())
        if found is None:
            return []
        try:
            with urllib.request.urlopen(f"{found[1]}/api/v1/models", timeout=5) as answer:
                listed: list[dict[str, Any]] = json.load(answer)
        except OSError:
            return []
        return listed

    def log(self) -> str:
        """Return what it printed since it was started."""
        return self._log.read_text(errors="replace")
