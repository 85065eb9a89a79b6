"""Whose upsert is it? A judge's time as the owner of a profile partition, and who was followed by whom.

Every key on the alerts topic says so, as the keys on the desk's own topic do (`alerts.epoch`):

===========================  ============================================================
``3//``                      somebody takes partition 3 over; the record's offset is its epoch
``3/1042/``                  the owner of partition 3 is the one of epoch 1042
``3/1042/<fingerprint>``     an upsert of that owner
``<fingerprint>``            an upsert of a program that knows no tenures
===========================  ============================================================

**Taking over.** Append the opening, state the epoch its offset gives, and only then read the rows of the
partition. The topic is one partition, so openings, statements and upserts have one order. An upsert of an older
epoch than the one stated last came after its writer was followed, and is refused. One that stands before
was told by a worker whose rows had been written: its successor, which reads them after, goes on from there.

**Why nothing is muted.** A higher epoch is believed at once, a lower one when it is stated twice with no other between:
owners state theirs every minute, and a stalled one at most once when it wakes up. So a topic made anew, or a
worker that was stalled while it took over, may have the wrong one believed for two minutes, not for good. What fires
and what was over last is told again by each that takes over, and every minute.

**What is read again says nothing new.** A desk that was stalled may read what another had taken, both of the
statements of a tenure long over among it. By the time of the broker, which a topic made anew does not set back, a lower
epoch counts only where it was written after all that was heard. (Set the broker's clock back *and* make the topic
anew, and owners are refused until the clock is where it was.)
"""

from dataclasses import dataclass, replace
from typing import NamedTuple


class Written(NamedTuple):
    """Where in time a record of the alerts topic stands: the broker's epoch milliseconds, then its offset."""

    at_ms: int
    offset: int


_NEVER = Written(0, -1)


@dataclass(frozen=True, slots=True)
class Tenure:
    """One judge's time as the owner of a profile partition; ``epoch`` is the offset of its opening."""

    partition: int
    epoch: int

    @property
    def statement(self) -> bytes:
        """The key of the record by which the owner says that it is."""
        return self.key_of("")

    def key_of(self, fingerprint: str) -> bytes:
        """Return the key of this owner's upsert of an alert."""
        return f"{self.partition}/{self.epoch}/{fingerprint}".encode()


@dataclass(frozen=True, slots=True)
class Owner:
    """Who is believed to own a profile partition, and which statement was the last that counted.

    ``doubted`` is the lower epoch that was stated once since.
    """

    epoch: int
    doubted: int | None = None
    heard: Written = _NEVER

    def after(self, stated: int, written: Written) -> "Owner":
        """Return who is believed after a statement.

        Examples
        --------
        >>> doubtful = Owner(20, heard=Written(5, 21)).after(10, Written(6, 22))
        >>> doubtful.epoch, doubtful.after(10, Written(7, 23)).epoch, doubtful.after(10, Written(6, 22)).epoch
        (20, 10, 20)
        """
        if stated >= self.epoch:
            return Owner(stated, heard=max(self.heard, written))
        if written <= self.heard:
            return self
        if stated == self.doubted:
            return Owner(stated, heard=written)
        return replace(self, doubted=stated, heard=written)


def opening(partition: int) -> bytes:
    """Return the key of the record that opens a tenure."""
    return f"{partition}//".encode()


def read_key(key: bytes | None) -> tuple[Tenure | None, str]:
    """Return whose record it is, None if nobody says, and the fingerprint it speaks of, "" if of none.

    Examples
    --------
    >>> read_key(b"3/1042/0a1b"), read_key(b"0a1b"), read_key(opening(3))
    ((Tenure(partition=3, epoch=1042), '0a1b'), (None, '0a1b'), (None, ''))
    """
    place, _, fingerprint = (key or b"").decode("utf-8", "replace").rpartition("/")
    partition, _, epoch = place.partition("/")
    if _is_number(partition) and _is_number(epoch):
        return Tenure(int(partition), int(epoch)), fingerprint
    return None, fingerprint


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
