"""What people ask of the desk, and what it answers: ``(book, command, now) -> answer``, once for each id.

Commands travel as JSON on ``driftline.commands``. The answer is a row of the desk's state, ``answer/<id>``: a command
that is read again, by whoever owns the desk then, changes nothing and has the same answer.
"""

import json
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from alerts import ack, escalation, silence_warning
from alerts.answer import Answer, Code
from alerts.book import Book, identify
from alerts.config import Config
from alerts.decision import Decision, Reason, Stage
from alerts.errors import ConfigRefused
from alerts.notification import rfc3339
from alerts.push import push, room
from alerts.pushed import Pushed
from alerts.regroup import regroup
from alerts.silence import MAX_SILENCES, Matchers, Silence, cover_all, make_room

#: How long, and how many, answers are kept for callers and for repeats.
ANSWER_KEPT_MS = 3_600_000
ANSWERS_KEPT = 1_000
#: A command that waited longer for a desk is refused: its caller has long been told that nobody took it.
STALE_MS = 300_000
#: Alerts of one command; a push of more is several.
MAX_PUSHED = 500

Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=2_000)]


class _Command(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9A-Za-z-]{8,64}$", description="one of its own, such as a UUID")


class AddSilence(_Command):
    """Add a silence, or change the one named; the command's id becomes a new silence's."""

    action: Literal["add_silence"] = "add_silence"
    silence_id: str = Field(default="", max_length=64, description="the one to change; empty for a new one")
    matchers: Matchers
    starts_at_ms: int | None = Field(default=None, description="epoch ms; None is at once")
    ends_at_ms: int = Field(description="epoch ms; in the future")
    created_by: Name
    comment: Annotated[str, Field(min_length=1, max_length=2_000)]


class ExpireSilence(_Command):
    """End a silence now."""

    action: Literal["expire_silence"] = "expire_silence"
    silence_id: Name


class Acknowledge(_Command):
    """Say that somebody looks after an alert (its fingerprint), or all that fire of a group (its key or id)."""

    action: Literal["acknowledge"] = "acknowledge"
    target: Annotated[str, Field(min_length=1, max_length=4_000)]
    by: Name
    comment: Text = ""


class Unacknowledge(_Command):
    """Take an ack back."""

    action: Literal["unacknowledge"] = "unacknowledge"
    target: Annotated[str, Field(min_length=1, max_length=4_000)]
    by: Name


class PushAlerts(_Command):
    """Take alerts that somebody pushes; those for which there is no room are refused, the others are taken."""

    action: Literal["push_alerts"] = "push_alerts"
    alerts: Annotated[tuple[Pushed, ...], Field(min_length=1, max_length=MAX_PUSHED)]


class Reload(_Command):
    """Read the alerting file again: all of it is taken up, or nothing."""

    action: Literal["reload"] = "reload"


Command = Annotated[
    AddSilence | ExpireSilence | Acknowledge | Unacknowledge | PushAlerts | Reload,
    Field(discriminator="action"),
]
#: Reads the alerting file; raises `ConfigRefused` where it cannot be taken up.
Load = Callable[[], Config]
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


def parse(value: bytes) -> Command:
    """Return the command of a record.

    Raises
    ------
    ValidationError
        If it is none.
    """
    return _COMMAND.validate_json(value)


def handle(book: Book, command: Command, asked_at_ms: int, now_ms: int, load: Load | None = None) -> Answer:
    """Do what a command says, once, and return the answer.

    Parameters
    ----------
    asked_at_ms
        When the broker had it, epoch ms.
    load
        Reads the alerting file for `Reload`; None where there is none.
    """
    if command.id in book.answers:
        return book.answers[command.id]
    if now_ms - asked_at_ms > STALE_MS:
        waited_s = (now_ms - asked_at_ms) // 1000
        answer = _answer(
            command, now_ms, "refused", f"it waited {waited_s} s for a desk and was not carried out"
        )
    else:
        answer = _do(book, command, now_ms, load)
    book.answers[command.id] = answer
    book.changed.add(f"answer/{command.id}")
    forget_answers(book, now_ms)
    return answer


def forget_answers(book: Book, now_ms: int) -> None:
    """Forget answers that are too old or too many, the oldest first."""
    while book.answers:
        oldest = next(iter(book.answers))
        if len(book.answers) <= ANSWERS_KEPT and now_ms - book.answers[oldest].at_ms < ANSWER_KEPT_MS:
            return
        del book.answers[oldest]
        book.changed.add(f"answer/{oldest}")


def _do(book: Book, command: Command, now_ms: int, load: Load | None) -> Answer:
    match command:
        case AddSilence():
            return _add_silence(book, command, now_ms)
        case ExpireSilence():
            return _expire_silence(book, command, now_ms)
        case Acknowledge() | Unacknowledge():
            return _acknowledge(book, command, now_ms)
        case PushAlerts():
            return _push(book, command, now_ms)
        case Reload():
            return _reload(book, command, now_ms, load)


def _add_silence(book: Book, command: AddSilence, now_ms: int) -> Answer:
    held = book.silences.get(command.silence_id)
    if command.silence_id and held is None:
        return _answer(command, now_ms, "unknown", f"there is no silence {command.silence_id!r}")
    starts_at_ms = max(command.starts_at_ms or now_ms, now_ms)
    if command.ends_at_ms <= starts_at_ms:
        ends = f"its end, {rfc3339(command.ends_at_ms)}, is not after {rfc3339(starts_at_ms)}"
        return _answer(command, now_ms, "refused", f"{ends}; choose a later one")
    name = command.id
    if held is not None and held.state(now_ms) != "expired":
        if held.matchers == command.matchers:
            # Longer or shorter, it stays the same one; what began stays begun.
            name = held.id
            if held.state(now_ms) == "active" and starts_at_ms == now_ms:
                starts_at_ms = held.starts_at_ms
        else:
            _end(book, held, now_ms)
    if name not in book.silences and not make_room(book, now_ms):
        return _answer(command, now_ms, "refused", f"{MAX_SILENCES} silences are held; expire some first")
    known = name in book.silences
    silence = Silence(
        id=name, matchers=command.matchers, starts_at_ms=starts_at_ms, ends_at_ms=command.ends_at_ms,
        created_by=command.created_by, comment=command.comment, updated_at_ms=now_ms,
    )  # fmt: skip
    _put(book, silence)
    matched = cover_all(book, silence, now_ms)
    word = "changed" if known else "added"
    sentence = (
        f"silence {name} {word}, until {rfc3339(silence.ends_at_ms)}; it matches {_alerts(matched)} now"
    )
    return _answer(command, now_ms, "done", sentence, name)


def _expire_silence(book: Book, command: ExpireSilence, now_ms: int) -> Answer:
    held = book.silences.get(command.silence_id)
    if held is None:
        return _answer(command, now_ms, "unknown", f"there is no silence {command.silence_id!r}")
    if held.state(now_ms) == "expired":
        over = f"silence {held.id} is over since {rfc3339(held.ends_at_ms)}"
        return _answer(command, now_ms, "refused", over, held.id)
    _end(book, held, now_ms)
    return _answer(command, now_ms, "done", f"silence {held.id} ended", held.id)


def _end(book: Book, held: Silence, now_ms: int) -> None:
    starts_at_ms = min(held.starts_at_ms, now_ms)
    _put(
        book,
        held.model_copy(update={"starts_at_ms": starts_at_ms, "ends_at_ms": now_ms, "updated_at_ms": now_ms}),
    )
    for fingerprint, record in book.records.items():
        if record.firing and held.id in record.silenced:
            book.note(fingerprint, Decision(now_ms, Stage.COMMAND, Reason.SILENCE_EXPIRED, held.id))


def _put(book: Book, silence: Silence) -> None:
    book.silences[silence.id] = silence
    book.changed.add(f"silence/{silence.id}")
    silence_warning.set_timer(book, silence)


def _reload(book: Book, command: Reload, now_ms: int, load: Load | None) -> Answer:
    if load is None:
        return _answer(command, now_ms, "refused", "this desk has no alerting file; set DRIFTLINE_ALERTING")
    try:
        config = load()
    except ConfigRefused as error:
        return _answer(command, now_ms, "refused", f"{error}\nWhat was taken up before stays.")
    book.configure(config)
    regroup(book, now_ms)
    return _answer(command, now_ms, "done", "the alerting file is taken up")


def _push(book: Book, command: PushAlerts, now_ms: int) -> Answer:
    refused = push(book, command.alerts, now_ms)
    if not refused:
        return _answer(command, now_ms, "done", f"{_alerts(len(command.alerts))} taken")
    some = ", ".join(json.dumps(one.labels, ensure_ascii=False)[:200] for one in refused[:3])
    sentence = (
        f"{len(refused):,} of {_alerts(len(command.alerts))} not taken: the desk holds {book.alerts_held():,}, "
        f"and takes pushed ones up to {room(book):,}; push again when some are over. Not taken: {some}"
    )
    return _answer(command, now_ms, "refused", sentence + (" …" if len(refused) > 3 else ""))


def _acknowledge(book: Book, command: Acknowledge | Unacknowledge, now_ms: int) -> Answer:
    found = _firing(book, command.target)
    if isinstance(command, Unacknowledge):
        found = [fingerprint for fingerprint in found if book.records[fingerprint].ack is not None]
    if not found:
        wanted = "that fires" if isinstance(command, Acknowledge) else "that is acknowledged"
        what = f"there is no alert or group {command.target[:80]!r} {wanted}"
        return _answer(command, now_ms, "unknown", what)
    for fingerprint in found:
        if isinstance(command, Acknowledge):
            ack.acknowledge(book, fingerprint, command.by, command.comment, now_ms)
        else:
            ack.take_back(book, fingerprint, command.by, now_ms)
    for group_id in sorted({name for one in found for name in book.records[one].groups}):
        escalation.heed(book, group_id, now_ms)
    word = "acknowledged" if isinstance(command, Acknowledge) else "no longer acknowledged"
    return _answer(command, now_ms, "done", f"{_alerts(len(found))} {word}", " ".join(found))


def _firing(book: Book, target: str) -> list[str]:
    if target in book.records:
        return [target] if book.records[target].firing else []
    name = target if target in book.groups else identify(target)
    members = sorted(book.groups[name].members) if name in book.groups else []
    return [fingerprint for fingerprint in members if book.records[fingerprint].fires_in(name)]


def _answer(
    command: Command,
    now_ms: int,
    code: Code,
    sentence: str,
    subject: str = "",
) -> Answer:
    return Answer(command_id=command.id, code=code, subject=subject, sentence=sentence, at_ms=now_ms)


def _alerts(count: int) -> str:
    return "1 alert" if count == 1 else f"{count:,} alerts"
