"""The store: Redis or Valkey, and how its clients are let in."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A store and the way in.

    Parameters
    ----------
    url
        ``redis://``, ``rediss://`` (TLS) or ``unix://`` URL; it may hold a user and a password.
    username, password
        Those of the URL, where it has none.
    ca_file, cert_file, key_file
        For ``rediss://``: certificates (PEM) of who may sign the server's (the system's without one), the
        client's own and its key.
    """

    url: str = field(repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def __str__(self) -> str:
        """Return host and port, or the path of the socket: never a user or a password."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path

    @property
    def options(self) -> dict[str, Any]:
        """What redis-py takes beside the URL."""
        given = {
            "username": self.username,
            "password": self.password,
            "ssl_ca_certs": self.ca_file,
            "ssl_certfile": self.cert_file,
            "ssl_keyfile": self.key_file,
        }
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in given.items()
            if value is not None
        }


def connect(store: StoreAddress | str, *, timeout_s: float = 2.0) -> Redis:
    """Return a client that waits no longer than ``timeout_s`` for a connection, and for each answer."""
    address = StoreAddress(store) if isinstance(store, str) else store
    # One retry, at once: a pooled connection may have died while it was idle.
    client = Redis.from_url(
        address.url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1),
        **address.options,
    )
    if client.connection_pool.connection_class is SSLConnection:
        client.connection_pool.connection_class = _OverTls
    return client


class _OverTls(SSLConnection):
    """Its end is waited for: over TLS both sides have to say so, and who leaves before leaves a socket open."""

    async def disconnect(self, nowait: bool = False, *args: Any, **options: Any) -> None:
        await super().disconnect(False, *args, **options)


def remedy(error: Exception) -> str:
    """Return what to do about an error of the store.

    Examples
    --------
    >>> remedy(ConnectionError("Error 111 connecting to localhost:6379"))
    'Check that Redis runs there and that DRIFTLINE_REDIS names it.'
    """
    if isinstance(error, AuthenticationError):
        return "Check its user and password: DRIFTLINE_REDIS_USERNAME and DRIFTLINE_REDIS_PASSWORD_FILE."
    if isinstance(error, NoPermissionError):
        return "Its user lacks a permission; docs/security.md lists what it takes."
    if "SSL" in str(error) or "certificate" in str(error):
        return (
            "Check DRIFTLINE_REDIS_CA_FILE, and that DRIFTLINE_REDIS names the store as its certificate does."
        )
    return "Check that Redis runs there and that DRIFTLINE_REDIS names it."
