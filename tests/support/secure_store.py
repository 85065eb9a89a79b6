"""A Redis or Valkey that lets in only the users the documentation names, behind TLS where it can."""

import re
import socket
from pathlib import Path

from brokers import RedisStore
from certificates import Issued

from driftline.embedded import HOST, EmbeddedStore, free_port

_PAGE = Path(__file__).parents[2] / "docs" / "security.md"
WORKER, READER = "driftline", "driftline-web"


def password(user: str) -> str:
    """Return a user's password."""
    return f"{user}-hunter2"


class GuardedValkey(EmbeddedStore):
    """Knows no default user. It speaks in the clear: the embedded Valkey has no TLS."""

    def command(self, port: int, home: Path) -> list[str]:
        return [*super().command(port, home), "--aclfile", str(_users(home))]

    def answers(self, port: int) -> bool:
        return _refuses_strangers(port)


class GuardedRedis(RedisStore):
    """Knows no default user, and speaks TLS alone to whom ``url`` is given."""

    def __init__(self, server: Issued) -> None:
        super().__init__()
        self._issued = server
        self._tls_port = 0

    @property
    def url(self) -> str:
        return f"rediss://{HOST}:{self._tls_port}/0"

    def command(self, port: int, home: Path) -> list[str]:
        self._tls_port = free_port()
        return [
            *super().command(port, home), "--aclfile", str(_users(home)), "--tls-port", str(self._tls_port),
            "--tls-cert-file", str(self._issued.cert), "--tls-key-file", str(self._issued.key),
            "--tls-ca-cert-file", str(self._issued.cert), "--tls-auth-clients", "no",
        ]  # fmt: skip

    def answers(self, port: int) -> bool:
        return _refuses_strangers(port)


def _users(home: Path) -> Path:
    lines = re.findall(r"(?m)^user (\S+) on >\S+ (.+)$", _PAGE.read_text(encoding="utf-8"))
    assert [user for user, _ in lines] == [WORKER, READER]
    documented = [f"user {user} on >{password(user)} {rules}" for user, rules in lines]
    file = home / "users.acl"
    file.write_text("\n".join(["user default off", *documented, ""]), encoding="utf-8")
    return file


def _refuses_strangers(port: int) -> bool:
    with socket.create_connection((HOST, port), timeout=1.0) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(256).startswith(b"-NOAUTH")
