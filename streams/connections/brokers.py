"""Kafka's brokers, and how their clients are let in: TLS, a certificate of one's own, or SASL."""

import asyncio
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import faust
from aiokafka.abc import AbstractTokenProvider
from faust.auth import OAuthCredentials

from streams.connections.tokens import Tokens

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
PasswordMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class Tls:
    """Encryption; the server's name must stand in its certificate.

    Parameters
    ----------
    ca_file
        Certificates (PEM) of who may sign the server's; the system's without one.
    cert_file, key_file, key_password
        The client's own certificate (PEM), its key and what the key is encrypted with, for mutual TLS.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    key_password: str | None = field(default=None, repr=False)

    def context(self) -> ssl.SSLContext:
        """Return a context with the files as they are now.

        Raises
        ------
        OSError
            For a file that cannot be read or used (`ssl.SSLError` is one).
        """
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            # Without a password OpenSSL would ask for one on the terminal; an empty one it refuses.
            context.load_cert_chain(self.cert_file, self.key_file, self.key_password or "")
        return context


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password for SASL."""

    mechanism: PasswordMechanism
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Brokers:
    """Brokers and the way in.

    Parameters
    ----------
    addresses
        ``host:port``, several separated by commas.
    tls
        None speaks in the clear.
    sasl
        A login, or where tokens for OAUTHBEARER come from.
    """

    addresses: str
    tls: Tls | None = None
    sasl: Login | Tokens | None = None

    def __str__(self) -> str:
        """Return the addresses, which tell no secret."""
        return self.addresses

    @property
    def protocol(self) -> Protocol:
        """Kafka's word for what is spoken."""
        if self.sasl is None:
            return "PLAINTEXT" if self.tls is None else "SSL"
        return "SASL_PLAINTEXT" if self.tls is None else "SASL_SSL"

    @property
    def servers(self) -> list[str]:
        """The addresses one by one."""
        return [address.strip() for address in self.addresses.split(",")]


def in_the_clear(brokers: Brokers | str) -> Brokers:
    """Return brokers; those named by their addresses alone have no security."""
    return Brokers(brokers) if isinstance(brokers, str) else brokers


def aiokafka_options(brokers: Brokers | str) -> dict[str, Any]:
    """Return what aiokafka's clients are made with."""
    brokers = in_the_clear(brokers)
    options: dict[str, Any] = {"bootstrap_servers": brokers.servers, "security_protocol": brokers.protocol}
    if brokers.tls is not None:
        options["ssl_context"] = brokers.tls.context()
    if isinstance(brokers.sasl, Login):
        options |= {
            "sasl_mechanism": brokers.sasl.mechanism,
            "sasl_plain_username": brokers.sasl.username,
            "sasl_plain_password": brokers.sasl.password,
        }
    elif brokers.sasl is not None:
        options |= {
            "sasl_mechanism": "OAUTHBEARER",
            "sasl_oauth_token_provider": _TokenProvider(brokers.sasl),
        }
    return options


def faust_options(brokers: Brokers | str, scheme: str) -> dict[str, Any]:
    """Return what a Faust app is made with; ``scheme`` names its transport."""
    brokers = in_the_clear(brokers)
    return {
        "broker": [f"{scheme}://{server}" for server in brokers.servers],
        "broker_credentials": _credentials(brokers),
    }


def _credentials(brokers: Brokers) -> Any:
    context = None if brokers.tls is None else brokers.tls.context()
    if isinstance(brokers.sasl, Login):
        login = brokers.sasl
        return faust.SASLCredentials(
            username=login.username, password=login.password, ssl_context=context, mechanism=login.mechanism
        )
    if brokers.sasl is not None:
        return OAuthCredentials(oauth_cb=_TokenProvider(brokers.sasl), ssl_context=context)
    return None if context is None else faust.SSLCredentials(context)


class _TokenProvider(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is untyped here
    """Tokens as aiokafka asks for them; Faust's clients do so from event loops of several threads."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def token(self) -> str:
        return await asyncio.to_thread(self._tokens.token)
