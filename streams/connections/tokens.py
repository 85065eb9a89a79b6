"""Where bearer tokens come from: a file that somebody renews, or an OAuth 2 token endpoint."""

import base64
import json
import math
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

TIMEOUT_S = 10.0
#: A token is used for this share of its lifetime, so that it does not end on its way to the broker.
USED_SHARE = 0.8
#: Lifetime of a token whose answer does not tell one; RFC 6749 leaves it open.
UNTOLD_LIFETIME_S = 60.0
MAX_ANSWER_BYTES = 1 << 20


class TokenError(OSError):
    """No token can be had now. Kafka's clients take it for a failed connection, and try again."""


class Tokens(Protocol):
    """A source of tokens, asked at each new connection, from any thread."""

    def token(self) -> str:
        """Return a token that is still good, or raise `TokenError`."""


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A token in a file, read at each connection: so a renewed one needs no restart."""

    path: Path

    def token(self) -> str:
        """Return the token as the file has it now."""
        try:
            text = self.path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise TokenError(f"the token file {self.path} cannot be read: {_reason(error)}") from None
        if not text or len(text.split()) != 1:
            raise TokenError(f"the token file {self.path} must hold one token and nothing else")
        return text


@dataclass(slots=True)
class TokenEndpoint:
    """An OAuth 2 token endpoint, asked with client credentials (RFC 6749, section 4.4).

    Parameters
    ----------
    url
        ``https://…``; a redirect is not followed, since it would carry the secret elsewhere.
    scope
        What the token is asked for, if the endpoint wants it.
    ca_file
        Certificates (PEM) of who may sign the endpoint's; the system's without one.
    clock
        Seconds that only grow.
    """

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str | None = None
    ca_file: Path | None = None
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _lock: Any = field(default_factory=threading.Lock, init=False, repr=False)
    _token: str = field(default="", init=False, repr=False)
    _good_until_s: float = field(default=float("-inf"), init=False, repr=False)

    def token(self) -> str:
        """Return the token at hand, or a new one when its time is nearly over."""
        with self._lock:
            if self.clock() >= self._good_until_s:
                asked_s = self.clock()
                self._token, lifetime_s = self._ask()
                self._good_until_s = asked_s + USED_SHARE * lifetime_s
            return self._token

    def _ask(self) -> tuple[str, float]:
        try:
            with self._opener().open(self._request(), timeout=TIMEOUT_S) as response:
                answer = json.loads(response.read(MAX_ANSWER_BYTES))
        except urllib.error.HTTPError as error:
            error.close()
            raise self._error(f"answered {error.code} {error.reason}") from None
        except OSError as error:
            raise self._error(f"cannot be asked: {_reason(error)}") from None
        except ValueError:
            raise self._error("answered something that is no JSON") from None
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token.isascii() or len(token.split()) != 1:
            raise self._error("answered without an access_token")
        return token, _lifetime_s(answer.get("expires_in"))

    def _request(self) -> urllib.request.Request:
        form = {"grant_type": "client_credentials"} | ({"scope": self.scope} if self.scope else {})
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        pair = f"{urllib.parse.quote_plus(self.client_id)}:{urllib.parse.quote_plus(self.client_secret)}"
        return urllib.request.Request(
            self.url,
            data=urllib.parse.urlencode(form).encode(),
            headers={
                "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
                "Accept": "application/json",
            },
        )

    def _opener(self) -> urllib.request.OpenerDirector:
        context = ssl.create_default_context(cafile=self.ca_file)
        return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect())

    def _error(self, what: str) -> TokenError:
        return TokenError(
            f"the token endpoint {self.url} {what}; check DRIFTLINE_KAFKA_OAUTH_TOKEN_URL, its client id, "
            "secret and scope"
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _lifetime_s(told: object) -> float:
    try:
        seconds = float(str(told))
    except ValueError:
        return UNTOLD_LIFETIME_S
    return seconds if math.isfinite(seconds) else UNTOLD_LIFETIME_S


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is no text"
    inner = getattr(error, "reason", None)
    return str(inner or getattr(error, "strerror", None) or error)
