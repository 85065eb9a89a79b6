"""A receiver of Alertmanager's webhook that writes down what it is told."""

from typing import Any, Self

from aiohttp import web

HOST = "127.0.0.1"


class Webhook:
    """Answers 200 and keeps the payloads."""

    def __init__(self) -> None:
        self.payloads: list[dict[str, Any]] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, 0)
        await site.start()
        assert site._server is not None
        self.url = f"http://{HOST}:{site._server.sockets[0].getsockname()[1]}/hook"  # type: ignore[attr-defined]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.payloads.append(await request.json())
        return web.Response()

    def statuses(self, model: str, version: str = "1") -> list[str]:
        """Return the statuses a model's group was told with, in order."""
        return [one["status"] for one in self.of(model, version)]

    def of(self, model: str, version: str = "1") -> list[dict[str, Any]]:
        """Return what was told of a model's version, in order."""
        wanted = {"model": model, "version": version}
        return [one for one in self.payloads if wanted.items() <= one["groupLabels"].items()]
