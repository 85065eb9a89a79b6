"""A silence warns before it ends, while alerts that it holds still fire: those who will be told of them hear of it.

The warning is an alert of the desk's own, `KIND`, one per silence. It goes by the routes of the alerts that the silence
holds, in a group of its own that waits for nothing, and is over when the silence is, or holds nothing any more. Nothing
but a time interval keeps it from being told, and nobody needs to acknowledge it. That it is held, or was, is how a desk
that takes over knows that it was told. A silence that is changed after its warning warns again before its new end.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from alerts.ack import Ack
from alerts.agenda import WARN, Due
from alerts.alert import AlertUpsert
from alerts.decision import Decision, Reason, Stage
from alerts.notification import clip, rfc3339
from alerts.routing import Node
from alerts.silence import Silence, silenced_by
from alerts.state import Record

if TYPE_CHECKING:
    from alerts.book import Book

KIND = "SilenceEnding"
#: How long before its end a silence warns; one that is shorter never does.
WARN_MS = 15 * 60_000
#: How often it is looked from then on whether alerts fire that the silence holds.
LOOK_MS = 60_000
#: Labels of held alerts that the warning has too, where all of them share the value.
_SHARED = ("team", "model")
_NAMED = 5


def is_warning(labels: Mapping[str, str]) -> bool:
    """Return whether an alert is the warning of a silence."""
    return labels.get("alertname") == KIND and bool(labels.get("silence"))


def group_labels(labels: Mapping[str, str]) -> dict[str, str] | None:
    """Return the labels of a warning's own group; None of any other alert."""
    return {name: labels[name] for name in ("alertname", "silence")} if is_warning(labels) else None


def held_by(book: "Book", name: str, now_ms: int) -> list[str]:
    """Return what fires and a silence holds back now."""
    return [
        one
        for one, record in book.records.items()
        if name in record.silenced
        and record.firing
        and not is_warning(record.upsert.labels)
        and name in silenced_by(book.silences, record, now_ms)
    ]


def nodes(book: "Book", labels: Mapping[str, str], now_ms: int) -> list[Node]:
    """Return the routes of a warning: those of the alerts that its silence holds; none of any other alert."""
    if not is_warning(labels):
        return []
    held = (book.records[one].upsert.labels for one in held_by(book, labels["silence"], now_ms))
    return list({node.key: node for each in held for node in book.root.match(each)}.values())


def set_timer(book: "Book", silence: Silence, now_ms: int | None = None) -> None:
    """Have a silence looked at when it may have to warn: at first, and after a look at ``now_ms`` again."""
    at_ms = silence.ends_at_ms - WARN_MS
    warning = _warning_of(book, silence.id) if now_ms is None else None
    if warning is not None and warning.firing:
        # It may be the end of the warning that it is changed.
        at_ms = min(at_ms, silence.updated_at_ms)
    if now_ms is not None and now_ms >= at_ms:
        at_ms = min(now_ms + LOOK_MS, silence.ends_at_ms)
    if now_ms is not None and now_ms >= silence.ends_at_ms:
        book.looks.pop(silence.id, None)
        return
    book.looks[silence.id] = at_ms
    book.agenda.add(Due(at_ms, silence.id, WARN))


def look(book: "Book", name: str, now_ms: int) -> AlertUpsert | None:
    """Return the upsert by which a silence's warning begins or ends; None where nothing changes."""
    silence = book.silences[name]
    set_timer(book, silence, now_ms)
    record = _warning_of(book, name)
    fires = record is not None and record.firing
    held = _to_warn_of(book, silence, now_ms)
    if fires:
        return None if held and record and _is_of(record, silence) else _end(record, now_ms)
    if not held or (record is not None and _is_of(record, silence)):
        return None
    return _begin(book, silence, held, record, now_ms)


def take_for_granted(book: "Book", silence_id: str, now_ms: int) -> None:
    """Have nobody asked to acknowledge a warning: it is neither repeated nor escalated."""
    record = _warning_of(book, silence_id)
    if record is not None and record.firing:
        record.ack = Ack("driftline", "a warning needs no ack", now_ms, record.severity)
        book.touch_alert(record.upsert.fingerprint)


def _warning_of(book: "Book", silence_id: str) -> Record | None:
    found = (record for record in book.records.values() if record.upsert.labels.get("silence") == silence_id)
    return next((record for record in found if is_warning(record.upsert.labels)), None)


def _is_of(record: Record, silence: Silence) -> bool:
    """Return whether a warning is of the silence as it is now."""
    return record.upsert.starts_at_ms >= silence.updated_at_ms


def _to_warn_of(book: "Book", silence: Silence, now_ms: int) -> list[str]:
    near = silence.ends_at_ms - WARN_MS <= now_ms < silence.ends_at_ms
    if not near or silence.ends_at_ms - silence.starts_at_ms <= WARN_MS:
        return []
    return held_by(book, silence.id, now_ms)


def _begin(
    book: "Book", silence: Silence, held: list[str], before: Record | None, now_ms: int
) -> AlertUpsert:
    sets = [book.records[one].upsert.labels for one in held]
    first = sets[0]
    shared = {
        name: first[name] for name in _SHARED if all(one.get(name) == first.get(name, "") for one in sets)
    }
    labels = {"alertname": KIND, "silence": silence.id, "severity": "info", **shared}
    if before is not None:
        # Its identity is the first warning's, whatever the alerts are that it holds by now.
        labels = before.upsert.labels
    for one in held:
        detail = f"it ends at {rfc3339(silence.ends_at_ms)}; those who are told then are warned"
        book.note(one, Decision(now_ms, Stage.COMMAND, Reason.SILENCE_ENDS_SOON, silence.id, detail))
    return AlertUpsert(
        status="firing",
        labels=labels,
        annotations=_words(book, silence, sets),
        starts_at_ms=now_ms,
        pane_end_ms=now_ms,
        sequence=1 if before is None else before.upsert.sequence + 1,
    )


def _words(book: "Book", silence: Silence, sets: list[dict[str, str]]) -> dict[str, str]:
    until = rfc3339(silence.ends_at_ms)[:16].replace("T", " ")
    names = [
        " ".join(filter(None, (one.get(name) for name in ("alertname", "model", "feature")))) for one in sets
    ]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    what = f"{len(names)} alerts it holds still fire" if len(names) > 1 else "an alert it holds still fires"
    by = clip(silence.created_by, 100)
    return {
        "summary": f"The silence by {by} ends at {until} UTC, and {what}: {', '.join(names[:_NAMED])}{more}",
        "description": (
            f"It was set because: {clip(silence.comment, 300)}. What still fires at its end is told then. To keep it "
            f"quiet for longer: driftline silence extend {silence.id} --for 4h"
        ),
        "runbook_url": f"{book.external_url}/runbooks/{KIND}",
        "dashboard_url": f"{book.external_url}/alerts",
    }


def _end(record: Record | None, now_ms: int) -> AlertUpsert:
    assert record is not None
    upsert = record.upsert
    return upsert.model_copy(
        update={
            "status": "resolved",
            "ends_at_ms": now_ms,
            "pane_end_ms": max(now_ms, upsert.pane_end_ms),
            "sequence": upsert.sequence + 1,
        }
    )
