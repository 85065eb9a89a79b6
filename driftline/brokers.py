"""Kafka as commands speak to it: kafka-python's clients, and what is said when they are not let in."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from aiokafka.conn import create_conn
from aiokafka.errors import IllegalSaslStateError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from aiokafka.errors import KafkaError as AsyncKafkaError
from aiokafka.protocol.metadata import MetadataRequest
from kafka.errors import AuthorizationError, KafkaError
from kafka.net.sasl.oauth import AbstractTokenProvider

from driftline.errors import DriftlineError
from streams.connections import Brokers, Login, TokenError, Tokens, aiokafka_options, in_the_clear

CONNECT_TIMEOUT_MS = 10_000
GREETING_TIMEOUT_MS = 5_000
_NO_ANSWER = (OSError, AsyncKafkaError, TimeoutError)
_CREDENTIALS = (
    "it does not accept these credentials; check DRIFTLINE_KAFKA_SASL_MECHANISM and the user and password, or "
    "the token, that go with it"
)

Client = TypeVar("Client")


class BrokerError(DriftlineError):
    """The broker does not answer, or refuses what Driftline needs."""


def connect(kind: Callable[..., Client], brokers: Brokers | str, **options: Any) -> Client:
    """Return a client of kafka-python; a person waits, so not for long.

    Raises
    ------
    BrokerError
        When no broker answers, or none lets us in.
    """
    brokers = in_the_clear(brokers)
    if brokers.protocol != "PLAINTEXT":
        _greet_first(brokers)
    try:
        return kind(**_kafka_python_options(brokers), **options)
    except KafkaError as error:
        raise unreachable(brokers, error) from error


def unreachable(brokers: Brokers, error: KafkaError) -> BrokerError:
    """Return the error that says that no broker answers."""
    return BrokerError(
        f"no broker answers at {brokers} ({type(error).__name__}); check DRIFTLINE_KAFKA, that it runs, and "
        f"that it speaks {brokers.protocol} there (DRIFTLINE_KAFKA_SECURITY_PROTOCOL)"
    )


def refused(brokers: Brokers | str, error: KafkaError) -> BrokerError:
    """Return the error that says what the broker did not do: its reason, without the whole request."""
    reason = getattr(error, "description", "") or str(error).partition("\n")[0][:200]
    remedy = "; docs/security.md lists the ACLs it takes" if isinstance(error, AuthorizationError) else ""
    return BrokerError(f"the broker at {brokers} refused: {type(error).__name__}: {reason}{remedy}")


def _kafka_python_options(brokers: Brokers) -> dict[str, Any]:
    options: dict[str, Any] = {
        "bootstrap_servers": brokers.servers,
        "client_id": "driftline",
        "bootstrap_timeout_ms": CONNECT_TIMEOUT_MS,
        "reconnect_backoff_max_ms": 1000,
        "security_protocol": brokers.protocol,
    }
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


class _TokenProvider(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python is untyped here
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def token(self) -> str:
        return self._tokens.token()


def _greet_first(brokers: Brokers) -> None:
    """Say hello once, since clients keep to themselves why they are not let in, and go on trying.

    Raises
    ------
    BrokerError
        When a broker refuses us. One that does not answer may be starting: clients wait for it.
    """
    with ThreadPoolExecutor(1) as other:  # we may be called from within an event loop
        for server in brokers.servers:
            reason = other.submit(asyncio.run, _greet(server, brokers)).result()
            if reason is not None:
                raise BrokerError(f"the broker at {server} does not let us in: {reason}")


async def _greet(server: str, brokers: Brokers) -> str | None:
    """Return why a broker refuses us; None if it takes us, or can't be asked."""
    host, _, port = server.rpartition(":")
    options = aiokafka_options(brokers)
    del options["bootstrap_servers"]
    try:
        connection = await create_conn(
            host.strip("[]"), int(port), request_timeout_ms=GREETING_TIMEOUT_MS, **options
        )
    except _NO_ANSWER as error:
        return _refusal(error)
    try:
        answer: Any = await connection.send(MetadataRequest([]))
    except _NO_ANSWER as error:
        return _refusal(error)
    finally:
        await connection.close()
    # aiokafka does not see that a token is refused, and the broker then says nothing of itself.
    is_refused = options.get("sasl_mechanism") == "OAUTHBEARER" and not answer.brokers
    return _CREDENTIALS if is_refused else None


def _refusal(error: BaseException) -> str | None:
    """Return what a refusal is about, with the remedy; None if it is none."""
    return next(filter(None, map(_named, _chain(error))), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _named(error: BaseException) -> str | None:
    if isinstance(error, SaslAuthenticationFailed):
        return _CREDENTIALS
    if isinstance(error, UnsupportedSaslMechanismError):
        return "it does not offer this mechanism; check DRIFTLINE_KAFKA_SASL_MECHANISM"
    if isinstance(error, IllegalSaslStateError):
        return "it does not ask who we are; set DRIFTLINE_KAFKA_SECURITY_PROTOCOL to SSL or PLAINTEXT"
    if isinstance(error, TokenError):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}); check DRIFTLINE_KAFKA_CA_FILE, and that "
            "DRIFTLINE_KAFKA names it as its certificate does"
        )
    if isinstance(error, ssl.SSLError) and "CERTIFICATE" in (error.reason or ""):
        return "it asks for a certificate that it trusts; check DRIFTLINE_KAFKA_CERT_FILE and its key"
    if isinstance(error, ssl.SSLError) and error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "it speaks no TLS there; check the port, and DRIFTLINE_KAFKA_SECURITY_PROTOCOL"
    return None
