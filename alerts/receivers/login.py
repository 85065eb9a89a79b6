"""The header and the TLS context an `HttpConfig` asks for; files are read each time, so they can be rotated."""

import ssl
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from pydantic import SecretStr

from alerts.errors import SecretUnreadable
from alerts.http_config import BasicAuth, HttpConfig, TlsConfig
from alerts.receivers.base import secret


def login(config: HttpConfig | None) -> dict[str, str]:
    """Return the headers that show who we are.

    Raises
    ------
    SecretUnreadable
        If a file cannot be read, is empty, or holds what no header can; it names the key of the config.
    """
    if config is None:
        return {}
    if config.basic_auth is not None:
        return {"Authorization": _basic(config.basic_auth)}
    if config.authorization is not None:
        token = read_secret(
            "credentials_file", config.authorization.credentials, config.authorization.credentials_file
        )
        return {"Authorization": f"{config.authorization.type} {token}"}
    return {}


def trust(config: HttpConfig | None) -> ssl.SSLContext | bool:
    """Return the TLS context, True for the usual one.

    Raises
    ------
    SecretUnreadable
        If a certificate or key cannot be used; it names the key of the config.
    """
    tls = None if config is None else config.tls_config
    return True if tls is None else tls_context(tls)


def _basic(config: BasicAuth) -> str:
    password = read_secret("password_file", config.password, config.password_file)
    return "Basic " + b64encode(f"{config.username}:{password}".encode()).decode()


def read_secret(key: str, value: SecretStr | None, file: str | None) -> str:
    """Return a secret of one line, given in place or by the file that ``key`` names.

    Raises
    ------
    SecretUnreadable
        If the file cannot be read, is empty, or holds more than one line.
    """
    try:
        text = secret(value, file)
    except SecretUnreadable as error:
        raise SecretUnreadable(f"{key}: {error}") from error
    if not text.isprintable():
        raise SecretUnreadable(f"{key}: {file!r} holds more than one line; write the secret alone into it")
    return text


def tls_context(config: TlsConfig) -> ssl.SSLContext:
    """Return the context of these files.

    Raises
    ------
    SecretUnreadable
        If a certificate or key cannot be used; it names the key of the config.
    """
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ValueError) as error:
        raise _unusable("ca_file", config.ca_file, error) from error
    if config.cert_file is not None:
        try:
            # A key with a password would have the process ask for it: no password is given instead.
            context.load_cert_chain(config.cert_file, config.key_file, password=lambda: "")
        except (OSError, ValueError) as error:
            raise _unusable("cert_file", config.cert_file, error) from error
    return context


def _unusable(key: str, file: str | None, error: Exception) -> SecretUnreadable:
    kind = type(error).__name__
    return SecretUnreadable(
        f"{key}: {file!r} cannot be used ({kind}); it must be PEM, readable, and its key without a password"
    )


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return what the other side said without secrets it may have repeated.

    Examples
    --------
    >>> hide("no token t0ken-1 here", ["t0ken-1", ""])
    'no token … here'
    """
    for one in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(one, "…")
    return text


def secrets_of(url: str, headers: Mapping[str, str]) -> list[str]:
    """Return what may be secret of a request: parts of its address, and how it logged in."""
    parts = urlsplit(url)
    kind, _, token = headers.get("Authorization", "").partition(" ")
    shown = [token, *b64decode(token).decode().split(":", 1)[1:]] if kind == "Basic" else [token]
    return [url, parts.query, parts.password or "", *parts.path.split("/"), *shown]
