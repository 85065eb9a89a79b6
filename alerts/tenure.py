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
"""

from dataclasses import dataclass, replace


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
    """Who is believed to own a profile partition; ``doubted`` is the lower epoch that was stated once since."""

    epoch: int
    doubted: int | None = None

    def after(self, stated: int) -> "Owner":
        """Return who is believed after a statement.

        Examples
        --------
        >>> Owner(20).after(10), Owner(20).after(10).after(10), Owner(20).after(10).after(20)
        (Owner(epoch=20, doubted=10), Owner(epoch=10, doubted=None), Owner(epoch=20, doubted=None))
        """
        if stated >= self.epoch or stated == self.doubted:
            return Owner(stated)
        return replace(self, doubted=stated)


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
