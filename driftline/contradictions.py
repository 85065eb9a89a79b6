"""What settings of connections contradict: one sentence each, with the remedy and without any secret."""

import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from driftline.connection_settings import ConnectionSettings
from driftline.variables import secret, variable

_OF_TLS = ("ca_file", "cert_file", "key_file", "key_password", "key_password_file")
_OF_PASSWORDS = ("sasl_username", "sasl_password", "sasl_password_file")
_OF_ENDPOINTS = (
    "oauth_token_url",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_client_secret_file",
    "oauth_scope",
    "oauth_ca_file",
)
_OF_SASL = ("sasl_mechanism", *_OF_PASSWORDS, "oauth_token_file", *_OF_ENDPOINTS)
_SECRETS = (
    "kafka_key_password", "kafka_sasl_password", "kafka_oauth_client_secret", "redis_password",
    "slack_signing_secret",
)  # fmt: skip
_PROTOCOL = variable("kafka_security_protocol")
_MECHANISM = variable("kafka_sasl_mechanism")


def find(chosen: ConnectionSettings) -> list[str]:
    """Return everything that contradicts, and every file that cannot be used."""
    found = [*_secrets(chosen), *_kafka(chosen), *_redis(chosen)]
    return found or [*_certificates(chosen)]


def _secrets(chosen: ConnectionSettings) -> Iterator[str]:
    for name in _SECRETS:
        value, file = getattr(chosen, name), getattr(chosen, f"{name}_file")
        if value is not None and file is not None:
            yield f"{variable(name)} and {variable(name)}_FILE are both set: unset one of them"
            continue
        try:
            secret(value, file)
        except OSError as error:
            yield f"{variable(name)}_FILE: {file} cannot be read: {error.strerror}"
        except ValueError as error:
            yield f"{variable(name)}_FILE: {file} {error}"


def _kafka(chosen: ConnectionSettings) -> Iterator[str]:
    protocol, mechanism = chosen.kafka_security_protocol, chosen.kafka_sasl_mechanism
    if protocol != "PLAINTEXT" and chosen.kafka is None:
        yield f"{_PROTOCOL}: there is no broker to speak {protocol} with; set DRIFTLINE_KAFKA"
    if protocol in ("PLAINTEXT", "SASL_PLAINTEXT"):
        secured = "SSL" if protocol == "PLAINTEXT" else "SASL_SSL"
        yield from _useless(chosen, _OF_TLS, f"{_PROTOCOL}={protocol}", f"set {secured} there")
    elif _has(chosen, "key_file", "key_password", "key_password_file") and not _has(chosen, "cert_file"):
        yield f"{variable('kafka_cert_file')}: needed beside the key that is set"
    if not protocol.startswith("SASL"):
        secured = "SASL_SSL" if protocol == "SSL" else "SASL_SSL (or SASL_PLAINTEXT)"
        yield from _useless(chosen, _OF_SASL, f"{_PROTOCOL}={protocol}", f"set {secured} there")
    elif mechanism is None:
        yield f"{_MECHANISM}: needed with {protocol}: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
    elif mechanism == "OAUTHBEARER":
        yield from _useless(chosen, _OF_PASSWORDS, f"{_MECHANISM}={mechanism}", "set PLAIN or SCRAM there")
        yield from _tokens(chosen)
    else:
        beyond = ("oauth_token_file", *_OF_ENDPOINTS)
        yield from _useless(chosen, beyond, f"{_MECHANISM}={mechanism}", "set OAUTHBEARER there")
        if not _has(chosen, "sasl_username"):
            yield f"{variable('kafka_sasl_username')}: needed with {mechanism}"
        if not _has(chosen, "sasl_password", "sasl_password_file"):
            yield f"{variable('kafka_sasl_password')}_FILE: needed with {mechanism}"


def _tokens(chosen: ConnectionSettings) -> Iterator[str]:
    file, url = variable("kafka_oauth_token_file"), variable("kafka_oauth_token_url")
    if _has(chosen, "oauth_token_file"):
        yield from _useless(chosen, _OF_ENDPOINTS, file, "unset that")
        path = chosen.kafka_oauth_token_file
        if path is not None and not path.is_file():
            yield f"{file}: there is no file {path}"
        return
    if not _has(chosen, "oauth_token_url"):
        yield f"{url} or {file}: one of them is needed with OAUTHBEARER"
    if not _has(chosen, "oauth_client_id"):
        yield f"{variable('kafka_oauth_client_id')}: needed to get tokens from an endpoint"
    if not _has(chosen, "oauth_client_secret", "oauth_client_secret_file"):
        yield f"{variable('kafka_oauth_client_secret')}_FILE: needed to get tokens from an endpoint"


def _redis(chosen: ConnectionSettings) -> Iterator[str]:
    given = [
        name for name in type(chosen).model_fields if name.startswith("redis_") and getattr(chosen, name)
    ]
    if chosen.redis is None:
        for name in given:
            yield f"{variable(name)}: there is no store to use it with; set DRIFTLINE_REDIS"
        return
    parts = urlsplit(chosen.redis.get_secret_value())
    has_password = chosen.redis_password is not None or chosen.redis_password_file is not None
    if parts.username and chosen.redis_username:
        yield "DRIFTLINE_REDIS holds a user, and DRIFTLINE_REDIS_USERNAME is set: leave one of them out"
    if parts.password and has_password:
        yield "DRIFTLINE_REDIS holds a password, and so does DRIFTLINE_REDIS_PASSWORD: leave one of them out"
    if chosen.redis_username and not parts.password and not has_password:
        yield "DRIFTLINE_REDIS_PASSWORD_FILE: needed beside DRIFTLINE_REDIS_USERNAME"
    if parts.scheme != "rediss":
        for name in ("redis_ca_file", "redis_cert_file", "redis_key_file"):
            if name in given:
                yield f"{variable(name)}: has no use unless DRIFTLINE_REDIS begins with rediss://"
    elif chosen.redis_key_file is not None and chosen.redis_cert_file is None:
        yield f"{variable('redis_cert_file')}: needed beside DRIFTLINE_REDIS_KEY_FILE"


def _certificates(chosen: ConnectionSettings) -> Iterator[str]:
    """Look into the files once everything else agrees: a client would fail later, and with less to say."""
    for name in ("kafka_ca_file", "kafka_oauth_ca_file", "redis_ca_file"):
        path = getattr(chosen, name)
        try:
            ssl.create_default_context(cafile=path)
        except ssl.SSLError:
            yield f"{variable(name)}: {path} holds no certificate in PEM form"
        except OSError as error:
            yield f"{variable(name)}: {path} cannot be read: {error.strerror}"
    kafka_password = secret(chosen.kafka_key_password, chosen.kafka_key_password_file) or ""
    for server, password in (("kafka", kafka_password), ("redis", "")):
        cert, key = getattr(chosen, f"{server}_cert_file"), getattr(chosen, f"{server}_key_file")
        if cert is None:
            continue
        try:
            ssl.create_default_context().load_cert_chain(cert, key, password)
        except ssl.SSLError:
            yield (
                f"{variable(f'{server}_cert_file')}: {cert} and its key {key or '(in the same file)'} cannot be "
                "used: both must be PEM, belong together, and the key's password must be right"
            )
        except OSError as error:
            yield f"{variable(f'{server}_cert_file')}: {cert} or its key {key} cannot be read: {error.strerror}"


def _useless(chosen: ConnectionSettings, names: tuple[str, ...], beside: str, remedy: str) -> Iterator[str]:
    for name in names:
        if _has(chosen, name):
            yield f"{variable(f'kafka_{name}')}: has no use with {beside}; {remedy}, or leave it out"


def _has(chosen: ConnectionSettings, *names: str) -> bool:
    return any(getattr(chosen, f"kafka_{name}") is not None for name in names)
