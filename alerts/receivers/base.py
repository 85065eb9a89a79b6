"""What every receiver offers, and the words of HTTP they share."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import SecretStr

from alerts.errors import SecretUnreadable
from alerts.notification import Notification
from alerts.outcome import Failed, Finding, Outcome, Retry

_LONGEST_WAIT_MS = 24 * 3_600_000


class Receiver(Protocol):
    """Sends notifications to one integration. Never raises for what the other side does."""

    async def send(self, notification: Notification, previous_reference: Mapping[str, str] | None) -> Outcome:
        """Try once to send; ``previous_reference`` is what the last `Sent` to this group returned."""
        ...


@runtime_checkable
class Askable(Protocol):
    """A receiver that can be asked whether it has a notification. Never raises for what the other side does."""

    async def find(
        self, idempotency_key: str, previous_reference: Mapping[str, str] | None, begun_ms: int
    ) -> Finding | Retry:
        """Look for what was begun to be sent at ``begun_ms`` (epoch ms), or later, under a key."""
        ...


def clock_ms() -> int:
    """Return the wall clock, in epoch ms: what receivers go by unless they are given another."""
    return time.time_ns() // 1_000_000


def secret(value: SecretStr | None, file: str | None) -> str:
    """Return a secret given in place or by file; the file is read each time, so that it can be rotated.

    Raises
    ------
    SecretUnreadable
        If the file cannot be read or is empty.
    """
    if value is not None:
        return value.get_secret_value()
    try:
        text = Path(file or "").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnreadable(
            f"cannot read {file!r} ({type(error).__name__}); check the path and its rights"
        ) from error
    if not text:
        raise SecretUnreadable(f"{file!r} is empty; write the secret into it")
    return text


def judge_status(status: int, headers: Mapping[str, str], who: str) -> Retry | Failed | None:
    """Return what an HTTP status means for the delivery; None when it was taken.

    429 waits as asked; a 5xx or 408 may have arrived; redirects and other refusals need a person.
    """
    if 200 <= status < 300:
        return None
    if status == 429:
        return Retry(retry_after_ms(headers), f"{who} asks to wait (429)")
    if status in (408, 425) or status >= 500:
        return Retry(retry_after_ms(headers), f"{who} answered {status}", maybe_delivered=status != 425)
    if 300 <= status < 400:
        return Failed(f"{who} answered {status}, a redirect, which is not followed; write the final address")
    return Failed(f"{who} answered {status}; check its address and rights")


def retry_after_ms(headers: Mapping[str, str]) -> int:
    """Return the wait a Retry-After header asks for, in ms, at most a day; 0 without one.

    A date counts from the response's own Date header, so no clock is needed.

    Examples
    --------
    >>> retry_after_ms({"Retry-After": "30"}), retry_after_ms({"Retry-After": "soon"})
    (30000, 0)
    """
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return min(int(float(text) * 1000), _LONGEST_WAIT_MS)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):
        return 0
    return min(max(int(wait.total_seconds() * 1000), 0), _LONGEST_WAIT_MS)
