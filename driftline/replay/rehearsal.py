"""What the alert desk would have sent: the same desk, by a virtual clock, with receivers that only note."""

from dataclasses import dataclass

from alerts.alert import AlertUpsert
from alerts.config import Config
from alerts.desk import Desk
from alerts.outcome import Sent

#: After the last row the desk goes on this long, so that groups that wait are told.
AFTERMATH_MS = 5 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A notification that would have gone out: when (epoch ms, virtual), to which place, its title."""

    at_ms: int
    receiver: str
    title: str


class Rehearsal:
    """Runs a desk in virtual time; every send succeeds at once and goes nowhere."""

    def __init__(self, config: Config, *, external_url: str = "") -> None:
        self._desk = Desk(config, external_url=external_url)
        self.sent: list[Rehearsed] = []

    def upsert(self, upsert: AlertUpsert, now_ms: int) -> None:
        """Take an alert at virtual time ``now_ms``, epoch ms."""
        self.advance(now_ms)
        self._desk.upsert(upsert, now_ms)

    def advance(self, now_ms: int) -> None:
        """Note what is due up to and with ``now_ms``, epoch ms."""
        while (due_ms := self._desk.next_due_ms()) is not None and due_ms <= now_ms:
            for delivery in self._desk.tick(due_ms):
                place = delivery.integration.key
                self.sent.append(Rehearsed(due_ms, place, delivery.notification.title))
                self._desk.settled(delivery.id, Sent(), due_ms)
            # Rows are for a desk that may be restored; this one is not.
            self._desk.take_changed_rows()

    def finish(self, now_ms: int) -> None:
        """Note what groups still wait to tell."""
        self.advance(now_ms + AFTERMATH_MS)
