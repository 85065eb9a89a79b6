"""What came of one try to send a notification, or of asking whether one has arrived.

``plain_because`` says why the built-in words were sent though the receiver has templates; "" if they were not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver took it. ``reference`` is what it needs to update the message, e.g. channel and ts."""

    reference: Mapping[str, str] = field(default_factory=dict)
    plain_because: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not known to have arrived; to be tried again.

    Parameters
    ----------
    after_ms
        Least wait the receiver asked for, in ms; the desk's own backoff may be longer.
    reason
        What happened, without secrets.
    maybe_delivered
        It may have arrived all the same (a timeout, a broken connection, a 5xx). What is sent next is
        then marked as a possible repeat.
    """

    after_ms: int
    reason: str
    maybe_delivered: bool = False
    plain_because: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """Refused for good; trying the same again at once is of no use. ``reason`` names the remedy."""

    reason: str
    plain_because: str = ""


Outcome = Sent | Retry | Failed


@dataclass(frozen=True, slots=True)
class Found:
    """The receiver has it; ``reference`` is what it returned, or would have, when it took it."""

    reference: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Missing:
    """The receiver does not have it."""


@dataclass(frozen=True, slots=True)
class Unknowable:
    """The receiver cannot be asked; ``reason`` names the remedy."""

    reason: str


Finding = Found | Missing | Unknowable
