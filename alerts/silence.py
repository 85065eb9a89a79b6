"""Silences: alerts that match are not told while one is active, and stay visible with the reason.

A silence always has an end. It ends early for an alert whose severity rises above what it was when the silence
first held it back. When a silence ends, or is expired, while an alert fires, the alert is told at its group's
next turn, to receivers that knew of it before the silence too; they are told of its end in any case.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from alerts import matcher as matchers
from alerts import pattern
from alerts.decision import Decision, Reason, Stage
from alerts.errors import MatcherError
from alerts.notification import rfc3339, severity_rank

if TYPE_CHECKING:
    from alerts.book import Book
    from alerts.state import Record

#: How long a silence is still shown after its end; and how many are held, expired ones included.
EXPIRED_KEPT_MS = 5 * 86_400_000
MAX_SILENCES = 5_000
MAX_MATCHERS = 50

State = Literal["pending", "active", "expired"]
Holds = Callable[[str], bool]


def _one(text: str) -> str:
    found = matchers.parse(text)
    if len(found) != 1:
        raise MatcherError(f"{text[:80]!r} is {len(found)} matchers; give each on its own")
    compiled((str(found[0]),))
    return str(found[0])


def _not_everything(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts:
        raise MatcherError('a silence needs at least 1 matcher, such as alertname="FeatureDrift"')
    if all(holds("") for _, holds in compiled(texts)):
        raise MatcherError(
            "these matchers hold for alerts that have none of the labels, so for nearly all; "
            'add one that does not match "", such as alertname="FeatureDrift"'
        )
    return texts


@lru_cache(maxsize=2 * MAX_SILENCES)
def compiled(texts: tuple[str, ...]) -> tuple[tuple[str, Holds], ...]:
    """Return matchers as pairs of a label's name and what tells whether its value ("" if missing) fits.

    Raises
    ------
    MatcherError
        If one cannot be read.
    """
    found = [one for text in texts for one in matchers.parse(text)]
    # Comparisons first: they cost next to nothing.
    return tuple((one.name, _test(one)) for one in sorted(found, key=lambda one: "~" in one.operator))


def _test(one: matchers.Matcher) -> Holds:
    if "~" not in one.operator:
        return lambda text: one.matches({one.name: text})
    fits = pattern.whole(one.value)
    return fits if one.operator == "=~" else lambda text: not fits(text)


MatcherText = Annotated[str, Field(max_length=2_000), AfterValidator(_one)]
Matchers = Annotated[
    tuple[MatcherText, ...],
    Field(max_length=MAX_MATCHERS, description='such as model="churn"; all must hold'),
    AfterValidator(_not_everything),
]


class Silence(BaseModel):
    """Who keeps which alerts quiet, from when to when, and why; times in epoch ms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    matchers: Matchers
    starts_at_ms: int
    ends_at_ms: int
    created_by: str
    comment: str
    updated_at_ms: int

    def state(self, now_ms: int) -> State:
        """Return whether it waits, holds or is over; it holds from its start up to, but not at, its end."""
        if now_ms >= self.ends_at_ms:
            return "expired"
        return "active" if now_ms >= self.starts_at_ms else "pending"

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether all matchers hold for an alert's labels."""
        return all(holds(labels.get(name, "")) for name, holds in compiled(self.matchers))


@dataclass(frozen=True, slots=True)
class Silenced:
    """What a silence that matches is to an alert.

    Parameters
    ----------
    severity
        The one it had when the silence first held for it; None while it did not yet.
    outgrown
        Its severity has risen above that one since: the silence does not hold for it any more.
    """

    severity: str | None = None
    outgrown: bool = False


def cover(book: "Book", fingerprint: str, now_ms: int) -> None:
    """Look which silences match an alert that is new, fires again, or has other labels."""
    record = book.records[fingerprint]
    labels, before = record.upsert.labels, record.silenced
    record.silenced = {
        silence.id: before.get(silence.id, Silenced())
        for silence in book.silences.values()
        if silence.state(now_ms) != "expired" and silence.matches(labels)
    }
    if record.silenced != before:
        book.touch_alert(fingerprint)
    observe(book, fingerprint, now_ms)


def cover_all(book: "Book", silence: Silence, now_ms: int) -> int:
    """Hold a new or changed silence against every alert, and return how many fire that it matches."""
    matched = 0
    for fingerprint, record in book.records.items():
        if record.firing and silence.matches(record.upsert.labels):
            matched += 1
            record.silenced = {**record.silenced, silence.id: Silenced()}
            detail = f"by {silence.created_by}, until {rfc3339(silence.ends_at_ms)}"
            book.note(fingerprint, Decision(now_ms, Stage.COMMAND, Reason.SILENCE_SET, silence.id, detail))
            observe(book, fingerprint, now_ms)
        elif silence.id in record.silenced:
            record.silenced = {name: held for name, held in record.silenced.items() if name != silence.id}
            book.touch_alert(fingerprint)
    return matched


def observe(book: "Book", fingerprint: str, now_ms: int) -> None:
    """Keep the severity at which a silence first holds for an alert, and end it for one that got worse."""
    record = book.records[fingerprint]
    for name, held in tuple(record.silenced.items()):
        silence = book.silences.get(name)
        if silence is None or held.outgrown or silence.state(now_ms) != "active":
            continue
        if held.severity is None:
            record.silenced = {**record.silenced, name: Silenced(record.severity)}
            book.touch_alert(fingerprint)
        elif severity_rank(record.severity) > severity_rank(held.severity):
            record.silenced = {**record.silenced, name: Silenced(held.severity, outgrown=True)}
            detail = f"{held.severity or 'no severity'} -> {record.severity}"
            book.note(fingerprint, Decision(now_ms, Stage.SUPPRESS, Reason.SILENCE_OUTGROWN, name, detail))


def silenced_by(silences: Mapping[str, Silence], record: "Record", now_ms: int) -> tuple[str, ...]:
    """Return the ids of the silences that hold for an alert now."""
    return tuple(
        name
        for name, held in sorted(record.silenced.items())
        if name in silences and not held.outgrown and silences[name].state(now_ms) == "active"
    )


def forget_old(book: "Book", now_ms: int) -> None:
    """Forget silences that have long been over."""
    gone = [one.id for one in book.silences.values() if now_ms - one.ends_at_ms >= EXPIRED_KEPT_MS]
    for name in gone:
        forget(book, name)


def make_room(book: "Book", now_ms: int) -> bool:
    """Return whether one more silence may be held, forgetting the one that has been over longest if need be."""
    if len(book.silences) < MAX_SILENCES:
        return True
    over = [one for one in book.silences.values() if one.state(now_ms) == "expired"]
    if over:
        forget(book, min(over, key=lambda one: (one.ends_at_ms, one.id)).id)
    return bool(over)


def forget(book: "Book", name: str) -> None:
    """Forget a silence."""
    del book.silences[name]
    book.changed.add(f"silence/{name}")
    for fingerprint, record in book.records.items():
        if name in record.silenced:
            record.silenced = {other: held for other, held in record.silenced.items() if other != name}
            book.touch_alert(fingerprint)
