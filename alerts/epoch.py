"""Who owns the desk: an epoch that grows with each takeover, and keys that tell whose row is whose.

Every key on the desk's topic begins with the epoch of the owner that wrote it:

=====================  ================================================================
``7/claim/<nonce>``    somebody wants to own the desk as epoch 7
``7/complete``         epoch 7 holds the whole state: from here on, older epochs do not count
``7/alert/…``          a row of the state (`alerts.state`), as the owner of epoch 7 has it
=====================  ================================================================

**Taking over.** Append a claim and read everything before it. If an epoch as high was seen there, claim the
next one, and read on to that claim; else the epoch is won. The state is that of the highest complete epoch.
Write it under the epoch won, then ``complete``, then delete the keys of older epochs; only then send.

**Why it holds.** The topic is one partition, so claims and rows have one order. Owners never write the same
key: neither a late row nor a late delete of an owner that was stalled reaches a row of its successor, and
compaction cannot mix them up. An owner may send a delivery when its SENDING row is in the topic and no higher
epoch stands before that row. Whoever claims later has then read the row and repeats it with the mark; had
they claimed earlier, the owner would have seen it, and sends nothing. Clocks and group membership only make
takeovers rare and repeats few; nothing rests on them.

A claim that was lost, an epoch that was never completed, and rows that come late stay in the topic without
effect, until the next owner deletes them.
"""

from collections.abc import Mapping

_CLAIM = "claim/"
_COMPLETE = "complete"
#: What claims and markers hold: a value, as none would delete the key.
_MARK = b"1"

Changes = dict[str, bytes | None]


def claim(epoch: int, nonce: str) -> Changes:
    """Return the record by which an epoch is claimed; ``nonce`` is different for each claim."""
    return {f"{epoch}/{_CLAIM}{nonce}": _MARK}


def still(epoch: int) -> Changes:
    """Return a record that changes nothing, by which an owner learns whether it still is the owner."""
    return {f"{epoch}/{_COMPLETE}": _MARK}


def stamped(epoch: int, changes: Mapping[str, bytes | None]) -> Changes:
    """Return changes of the state as the owner of an epoch writes them."""
    return {f"{epoch}/{key}": value for key, value in changes.items()}


def epoch_of(key: str) -> int:
    """Return the epoch a key belongs to; 0 for one that has none, which nobody owns.

    Examples
    --------
    >>> epoch_of("7/alert/0a1b"), epoch_of("alert/0a1b")
    (7, 0)
    """
    return _split(key)[0]


def _split(key: str) -> tuple[int, str]:
    epoch, _, name = key.partition("/")
    return (int(epoch), name) if epoch.isascii() and epoch.isdigit() else (0, key)


class Past:
    """What stands in the desk's topic, as read so far, in order.

    Examples
    --------
    >>> past = Past()
    >>> for key in ("1/complete", "1/alert/a", "2/alert/b", "1/alert/c"):
    ...     past.see(key, b"row")
    >>> past.highest, sorted(past.state)
    (2, ['alert/a', 'alert/c'])
    >>> past.see("2/complete", b"1")
    >>> sorted(past.state)
    ['alert/b']
    """

    def __init__(self) -> None:
        self.highest = 0
        self._rows: dict[int, dict[str, bytes]] = {}

    def see(self, key: str, value: bytes | None) -> None:
        """Take the next record."""
        epoch, name = _split(key)
        self.highest = max(self.highest, epoch)
        rows = self._rows.setdefault(epoch, {})
        if value is None:
            rows.pop(name, None)
        else:
            rows[name] = value

    @property
    def state(self) -> dict[str, bytes]:
        """The rows of the highest epoch that is complete."""
        complete = [epoch for epoch, rows in self._rows.items() if _COMPLETE in rows]
        rows = self._rows[max(complete)] if complete else {}
        return {key: row for key, row in rows.items() if key != _COMPLETE and not key.startswith(_CLAIM)}

    def succession(self, epoch: int, state: Mapping[str, bytes]) -> tuple[Changes, Changes]:
        """Return what the owner of a new epoch writes, in order: the whole state, then what it replaces."""
        older = [f"{held}/{key}" for held, rows in self._rows.items() if 0 < held < epoch for key in rows]
        return stamped(epoch, {**state, _COMPLETE: _MARK}), dict.fromkeys(older)
