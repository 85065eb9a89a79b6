"""Alerts that others push, as Alertmanager takes them: what they are, and how two pushes of one make one.

Whoever pushes says when an alert ends, or pushes it again and again while it fires; one that is not pushed again
ends by itself. It is identified by all its labels, ``severity`` among them, as Alertmanager does: the judge's
alerts are not (`alerts.alert.fingerprint`), and the two never meet.

References
----------
https://prometheus.io/docs/alerting/latest/clients/ and ``Alert.Merge`` in Alertmanager's ``types/types.go``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

#: What one alert may take, in bytes of UTF-8: its names, values and address together. Its row must fit a record.
MAX_BYTES = 32 * 1024
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_FNV_OFFSET, _FNV_PRIME, _64_BITS = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the identity of a pushed alert, the one Alertmanager gives it: FNV-1a over its sorted labels.

    Examples
    --------
    >>> fingerprint({"alertname": "Down"}) == fingerprint({"alertname": "Down", "severity": "critical"})
    False
    """
    digest = _FNV_OFFSET
    for name, value in sorted(labels.items()):
        for byte in b"%s\xff%s\xff" % (name.encode(), value.encode()):
            digest = (digest ^ byte) * _FNV_PRIME & _64_BITS
    return f"{digest:016x}"


def _names(pairs: dict[str, str]) -> dict[str, str]:
    for name in pairs:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name[:80]!r} cannot be a name; one has letters, digits and _, and no digit first"
            )
    return pairs


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair stands in it, which is no character") from None
    return text


def _without_empty(pairs: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in pairs.items() if value}


Text = Annotated[str, AfterValidator(_encodable)]
Texts = dict[Text, Text]


class Pushed(BaseModel):
    """One alert of a push; times in epoch ms, None where the desk is to fill in Alertmanager's defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: Annotated[Texts, AfterValidator(_without_empty), AfterValidator(_names)] = Field(
        description="empty ones are left out"
    )
    annotations: Annotated[Texts, AfterValidator(_names)] = Field(default_factory=dict)
    starts_at_ms: int | None = Field(default=None, description="None is its end, or else when it is taken")
    ends_at_ms: int | None = Field(default=None, description="None is resolve_timeout after it is taken")
    generator_url: Text = Field(default="", description="where it comes from, as whoever pushes it says")

    @model_validator(mode="after")
    def _whole(self) -> "Pushed":
        if not self.labels:
            raise ValueError("it has no label with a value; give it at least an alertname")
        starts_at_ms, ends_at_ms = self.starts_at_ms, self.ends_at_ms
        if starts_at_ms is not None and ends_at_ms is not None and ends_at_ms < starts_at_ms:
            raise ValueError("it ends before it starts")
        texts = (self.generator_url, *self.labels, *self.labels.values(), *self.annotations)
        size = sum(len(text.encode()) for text in (*texts, *self.annotations.values()))
        if size > MAX_BYTES:
            raise ValueError(f"it has {size:,} bytes, and may have {MAX_BYTES:,}; shorten its annotations")
        return self

    @property
    def fingerprint(self) -> str:
        """Identity of the alert."""
        return fingerprint(self.labels)


@dataclass(frozen=True, slots=True)
class Push:
    """What the desk keeps of pushes of one alert, beside what it keeps of every alert.

    Parameters
    ----------
    ends_at_ms
        When it is over unless it is pushed again, epoch ms.
    timeout
        That end is nobody's word, but ``resolve_timeout`` after the last push.
    generator_url
        Where it comes from, or "".
    """

    ends_at_ms: int
    timeout: bool = False
    generator_url: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """An alert's time as one push, or several together, tell it; epoch ms, ``timeout`` as in `Push`."""

    starts_at_ms: int
    ends_at_ms: int
    timeout: bool

    def over(self, now_ms: int) -> bool:
        """Return whether it has ended."""
        return self.ends_at_ms <= now_ms

    def overlaps(self, other: "Span") -> bool:
        """Return whether another one begins or ends within this one."""
        return (
            self.starts_at_ms < other.ends_at_ms < self.ends_at_ms
            or self.starts_at_ms < other.starts_at_ms < self.ends_at_ms
        )


def span(pushed: Pushed, now_ms: int, resolve_timeout_ms: int) -> Span:
    """Return a pushed alert's time, with Alertmanager's defaults for what it leaves open.

    Examples
    --------
    >>> span(Pushed(labels={"alertname": "Down"}), 1_000, 300_000)
    Span(starts_at_ms=1000, ends_at_ms=301000, timeout=True)
    """
    starts_at_ms, ends_at_ms = pushed.starts_at_ms, pushed.ends_at_ms
    if starts_at_ms is None:
        starts_at_ms = now_ms if ends_at_ms is None else ends_at_ms
    if ends_at_ms is None:
        # Of a clock that is fast, it still fires as long as any other.
        return Span(starts_at_ms, max(now_ms, starts_at_ms) + resolve_timeout_ms, True)
    return Span(starts_at_ms, ends_at_ms, False)


def merge(held: Span, pushed: Span, now_ms: int) -> Span:
    """Return what the desk holds after a push that is newer than what it held.

    Where the two overlap, the earlier start counts. An end that somebody named counts if it is the later one;
    one that has come, and was said by the newer push, counts over one to come.

    Examples
    --------
    >>> held = Span(1_000, 9_000, timeout=False)
    >>> merge(held, Span(2_000, 8_000, timeout=True), 2_000)
    Span(starts_at_ms=1000, ends_at_ms=9000, timeout=False)
    >>> merge(held, Span(2_000, 3_000, timeout=False), 3_000)
    Span(starts_at_ms=1000, ends_at_ms=3000, timeout=False)
    """
    if not held.overlaps(pushed):
        return pushed
    merged = replace(pushed, starts_at_ms=min(held.starts_at_ms, pushed.starts_at_ms))
    if held.ends_at_ms <= pushed.ends_at_ms:
        return merged
    counts = held.over(now_ms) if pushed.over(now_ms) else not held.timeout
    return replace(merged, ends_at_ms=held.ends_at_ms, timeout=held.timeout) if counts else merged
