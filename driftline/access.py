"""From settings to how the brokers and the store are reached, and who is let in from Slack."""

from collections.abc import Callable
from functools import partial

from driftline.connection_settings import ConnectionSettings
from driftline.errors import DriftlineError
from driftline.variables import secret, variable
from streams.connections import Brokers, Login, StoreAddress, Tls, TokenEndpoint, TokenFile, Tokens

_EXAMPLES = {"kafka": "localhost:9092", "redis": "redis://localhost:6379/0"}


class NotConfiguredError(DriftlineError):
    """Settings that this command cannot do without."""

    def __init__(self, *names: str) -> None:
        super().__init__("\n".join(_how_to_set(variable(name), _EXAMPLES[name]) for name in names))


def _how_to_set(name: str, example: str) -> str:
    return f"{name} is not set; e.g. {name}={example}"


def require(settings: ConnectionSettings, *names: str) -> None:
    """Raise `NotConfiguredError` with all of some settings that are missing."""
    missing = [name for name in names if getattr(settings, name) is None]
    if missing:
        raise NotConfiguredError(*missing)


def brokers(settings: ConnectionSettings) -> Brokers:
    """Return the brokers, or say how to name them."""
    if settings.kafka is None:
        raise NotConfiguredError("kafka")
    return Brokers(settings.kafka, _tls(settings), _sasl(settings))


def _tls(settings: ConnectionSettings) -> Tls | None:
    if settings.kafka_security_protocol not in ("SSL", "SASL_SSL"):
        return None
    return Tls(
        settings.kafka_ca_file,
        settings.kafka_cert_file,
        settings.kafka_key_file,
        secret(settings.kafka_key_password, settings.kafka_key_password_file),
    )


def _sasl(settings: ConnectionSettings) -> Login | Tokens | None:
    mechanism = settings.kafka_sasl_mechanism
    if mechanism is None:
        return None
    if mechanism == "OAUTHBEARER":
        return _tokens(settings)
    password = secret(settings.kafka_sasl_password, settings.kafka_sasl_password_file)
    return Login(mechanism, settings.kafka_sasl_username or "", password or "")


def _tokens(settings: ConnectionSettings) -> Tokens:
    if settings.kafka_oauth_token_file is not None:
        return TokenFile(settings.kafka_oauth_token_file)
    return TokenEndpoint(
        url=settings.kafka_oauth_token_url or "",
        client_id=settings.kafka_oauth_client_id or "",
        client_secret=secret(settings.kafka_oauth_client_secret, settings.kafka_oauth_client_secret_file)
        or "",
        scope=settings.kafka_oauth_scope,
        ca_file=settings.kafka_oauth_ca_file,
    )


def store(settings: ConnectionSettings) -> StoreAddress:
    """Return the store's address, or say how to name it."""
    if settings.redis is None:
        raise NotConfiguredError("redis")
    return StoreAddress(
        settings.redis.get_secret_value(),
        settings.redis_username,
        secret(settings.redis_password, settings.redis_password_file),
        settings.redis_ca_file,
        settings.redis_cert_file,
        settings.redis_key_file,
    )


def slack_secret(settings: ConnectionSettings) -> Callable[[], str | None]:
    """Return what reads the Slack app's signing secret, from its file each time; it returns None without one."""
    return partial(secret, settings.slack_signing_secret, settings.slack_signing_secret_file)
