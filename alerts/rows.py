"""The desk's state as rows: a short key, and JSON of a version of its own."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from alerts import silence_warning
from alerts.agenda import LOOK, Due
from alerts.answer import Answer
from alerts.book import Book
from alerts.errors import RowError
from alerts.silence import Silence
from alerts.state import Group, Ledger, Record
from alerts.tenure import Owner

_VERSION = 1
#: The row that says how far the commands were read.
POSITION = "position/commands"
_LAST = ("answer/", "position/")
_RECORD = TypeAdapter(Record)
_GROUP = TypeAdapter(Group)
_LEDGER = TypeAdapter(Ledger)
_OWNER = TypeAdapter(Owner)
_SILENCE = TypeAdapter(Silence)
_ANSWER = TypeAdapter(Answer)
# Members and the notification log have rows of their own.
_NOT_IN_ROW = {"members", "ledgers"}
# A group may hold thousands of alerts: their fingerprints are written by severity, in one text each.
_PACKED = ("told", "maybe", "sending")


def order(key: str) -> tuple[bool, str]:
    """Return what rows are sorted by when they are written: what a command changed before it counts as done.

    Examples
    --------
    >>> sorted(["position/commands", "silence/a", "answer/a", "alert/b"], key=order)
    ['alert/b', 'silence/a', 'answer/a', 'position/commands']
    """
    return key.startswith(_LAST), key


def encode(book: Book, key: str) -> bytes | None:
    """Return the row of a key as it is now; None once it is gone."""
    kind, _, rest = key.partition("/")
    if kind == "alert":
        record = book.records.get(rest)
        left_out = {"push"} if record is None or record.push is None else None
        return None if record is None else _dump(_RECORD.dump_python(record, mode="json", exclude=left_out))
    if kind == "tenure":
        owner = book.owners.get(int(rest))
        return None if owner is None else _dump(_OWNER.dump_python(owner, mode="json"))
    if kind in ("silence", "answer"):
        held = (book.silences if kind == "silence" else book.answers).get(rest)
        return None if held is None else _dump(held.model_dump(mode="json"))
    if kind == "position":
        return _dump({"next": book.next_command})
    group_id, _, place = rest.partition("/")
    group = book.groups.get(group_id)
    if kind == "group":
        return None if group is None else _dump(_GROUP.dump_python(group, mode="json", exclude=_NOT_IN_ROW))
    ledger = None if group is None else group.ledgers.get(place)
    return None if ledger is None else _dump(_packed(_LEDGER.dump_python(ledger, mode="json")))


def load(book: Book, rows: Mapping[str, bytes]) -> None:
    """Fill an empty book from rows; what refers to a row that is not there is left out.

    Raises
    ------
    RowError
        If a row cannot be read.
    """
    for key, row in sorted(rows.items()):
        _load_row(book, key, row)
    for fingerprint, record in book.records.items():
        book.hear_alert(fingerprint)
        for group_id in [group_id for group_id in record.groups if group_id not in book.groups]:
            del record.groups[group_id]
            book.touch_alert(fingerprint)
        for group_id in record.groups:
            book.groups[group_id].members.add(fingerprint)
    over = [fingerprint for fingerprint, record in book.records.items() if record.closed_at_ms is not None]
    book.closed = dict.fromkeys(sorted(over, key=lambda held: (book.records[held].closed_at_ms, held)))
    book.answers = dict(sorted(book.answers.items(), key=lambda item: (item[1].at_ms, item[0])))
    for silence in book.silences.values():
        silence_warning.set_timer(book, silence)
    for group_id, group in book.groups.items():
        book.agenda.add(Due(group.due_ms, group_id))
        if group.look_ms is not None:
            book.agenda.add(Due(group.look_ms, group_id, LOOK))


def _load_row(book: Book, key: str, row: bytes) -> None:
    kind, _, rest = key.partition("/")
    try:
        data = _undump(row)
        if kind == "alert":
            book.records[rest] = _RECORD.validate_python(data)
        elif kind == "group":
            book.groups[rest] = _GROUP.validate_python(data)
        elif kind == "ledger":
            group_id, _, place = rest.partition("/")
            # Sorted by kind, groups come before ledgers.
            if group_id in book.groups:
                book.groups[group_id].ledgers[place] = _LEDGER.validate_python(_unpacked(data))
            else:
                book.changed.add(key)
        elif kind == "tenure":
            book.owners[int(rest)] = _OWNER.validate_python(data)
        elif kind == "silence":
            book.silences[rest] = _SILENCE.validate_python(data)
        elif key == POSITION:
            book.next_command = int(data["next"])
        elif kind == "answer":
            book.answers[rest] = _ANSWER.validate_python(data)
        else:
            raise ValueError(f"{kind!r} is none of alert, answer, group, ledger, silence, tenure")
    except (AttributeError, KeyError, TypeError, ValueError, ValidationError) as error:
        raise RowError(
            f"row {key!r} of the desk's state cannot be read: {error}; "
            "run the version that wrote it, or delete the row to forget it"
        ) from error


def _packed(ledger: dict[str, Any]) -> dict[str, Any]:
    packed = {name: _by_severity(ledger[name]) for name in _PACKED}
    return ledger | packed | {name: " ".join(sorted(ledger[name])) for name in ("news", "held")}


def _by_severity(severities: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for fingerprint, severity in sorted(severities.items()):
        found.setdefault(severity, []).append(fingerprint)
    return {severity: " ".join(fingerprints) for severity, fingerprints in sorted(found.items())}


def _unpacked(row: dict[str, Any]) -> dict[str, Any]:
    read = {
        name: {
            fingerprint: severity
            for severity, fingerprints in row.get(name, {}).items()
            for fingerprint in fingerprints.split()
        }
        for name in _PACKED
    }
    return row | read | {name: row.get(name, "").split() for name in ("news", "held")}


def _dump(data: dict[str, Any]) -> bytes:
    return json.dumps({"v": _VERSION, **data}, separators=(",", ":")).encode()


def _undump(row: bytes) -> dict[str, Any]:
    data = json.loads(row)
    version = data.pop("v", None) if isinstance(data, dict) else None
    if version != _VERSION:
        raise ValueError(f"its version is {version!r}, this program reads {_VERSION}")
    return dict(data)
