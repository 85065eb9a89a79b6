"""Where the allow-list is kept: in the session that all HTTP receivers share."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from socket import AF_INET, AddressFamily

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from alerts.egress import Egress

_EVERYTHING = Egress()
#: The list that holds for what this task sends; the session outlives a reload of the config.
_EGRESS: ContextVar[Egress] = ContextVar("egress", default=_EVERYTHING)
_PROXIED: ContextVar[bool] = ContextVar("proxied", default=False)


@contextmanager
def through(egress: Egress) -> Iterator[None]:
    """Have all that is sent within this block keep to the list."""
    token = _EGRESS.set(egress)
    try:
        yield
    finally:
        _EGRESS.reset(token)


async def demand_host(host: str) -> None:
    """Ask for a host that is reached by other ways than HTTP.

    Raises
    ------
    EgressRefused
        If the list allows neither its name nor all of its addresses.
    """
    egress = _EGRESS.get()
    if egress.names(host):
        return
    found = await asyncio.get_running_loop().getaddrinfo(host, None) if egress.asks_addresses else []
    for address in {str(one[4][0]) for one in found} or {""}:
        egress.demand(host, [address])


async def keep_to_list(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Refuse a request to a host that neither its name nor its addresses can allow."""
    egress, host, proxied = _EGRESS.get(), request.url.host or "", request.proxy is not None
    _PROXIED.set(proxied)
    # Behind a proxy we never learn the host's address.
    if not egress.asks_addresses or _is_address(host) or proxied:
        egress.demand(host)
    return await handler(request)


class ListResolver(AbstractResolver):
    """Resolves names to addresses the list allows."""

    def __init__(self) -> None:
        self._within = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        """Return what is left of the addresses; a proxy's own are not asked after.

        Raises
        ------
        EgressRefused
            If nothing is left.
        """
        egress, found = _EGRESS.get(), await self._within.resolve(host, port, family)
        if _PROXIED.get():
            return found
        kept = set(egress.demand(host, (one["host"] for one in found)))
        return [one for one in found if one["host"] in kept]

    async def close(self) -> None:
        """Let go of the resolver."""
        await self._within.close()


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
