"""The alert on Driftline itself: stage 1 is behind, so that everybody's alerts come late. One for the fleet.

Pure: `Standings` are what the source partitions said last, `verdict` judges them, `step` goes on from state to state.
"""

from dataclasses import dataclass

import msgspec

from alerts.alert import AlertUpsert
from detectors.base import Evidence, Status, Verdict
from detectors.sentence import against, duration, quantity
from streams import alert_state
from streams.alert_state import Alert, Patience, Signal, SignalState
from streams.alerting import REFRESH_MS, Links
from streams.evidence import evidence_of
from streams.watermark import NEVER_MS
from streams.wire import Heartbeat

KIND = "Backlog"
SEVERITY = "critical"
LONGEST_PAUSE_MS = 10_000
#: What a restored judge knows of a partition may be this old, until it is told anew: idle fleets write little.
WRITTEN_EVERY_MS = 60_000
#: So long a restored judge waits for word of those it has only read of.
AWAITED_MS = 2 * LONGEST_PAUSE_MS
#: A source partition that has said nothing for so long is said to be unheard of.
UNHEARD_MS = 60_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How far behind is too far, and for how long it must be so, or not be so any more; milliseconds."""

    behind_ms: int = 300_000
    for_ms: int = 120_000

    @property
    def told_every_ms(self) -> int:
        """How often a source partition says how it stands, also when nothing changes: no word tells, too."""
        return min(LONGEST_PAUSE_MS, self.behind_ms // 4)


class Standings:
    """What source partitions last said of themselves, whatever their models."""

    def __init__(self) -> None:
        self._said: dict[int, Heartbeat] = {}
        self._written: dict[int, Heartbeat] = {}
        self._only_read: set[int] = set()
        self._asked_ms: int | None = None

    def only_read(self, partition: int) -> None:
        """Take note that what was taken of a partition was read, and may be as old as `WRITTEN_EVERY_MS`."""
        self._only_read.add(partition)

    def is_awaited(self, now_ms: int) -> bool:
        """Return whether what is known may be old: a partition was only read of, and it may well speak soon."""
        if not self._only_read:
            return False
        if self._asked_ms is None or now_ms < self._asked_ms:
            self._asked_ms = now_ms
        return now_ms - self._asked_ms < AWAITED_MS

    def take(self, partition: int, beat: Heartbeat) -> Heartbeat | None:
        """Take what a partition says, and return what to write down of it; None if what is written still does.

        A worker that has just begun, and does not know yet how far its forerunner came, takes nothing back.
        """
        self._only_read.discard(partition)
        held = self._said.get(partition)
        if beat.counted_until_ms == NEVER_MS and held is not None and held.counted_until_ms is not None:
            beat = msgspec.structs.replace(beat, counted_until_ms=held.counted_until_ms)
        self._said[partition] = beat
        written = self._written.get(partition)
        if (
            written is not None
            and written.idle is beat.idle
            and 0 <= beat.at_ms - written.at_ms < WRITTEN_EVERY_MS
        ):
            return None
        self._written[partition] = beat
        return beat

    @property
    def known(self) -> dict[int, tuple[int, Heartbeat]]:
        """Until when each partition is counted, where that is known, with what it said last."""
        return {
            partition: (beat.counted_until_ms, beat)
            for partition, beat in self._said.items()
            if beat.counted_until_ms is not None and beat.counted_until_ms != NEVER_MS
        }

    def counted_until_ms(self, now_ms: int) -> int:
        """Return the time before which everything that came to any partition is counted; now, if none says."""
        return min((until_ms for until_ms, _ in self.known.values()), default=now_ms)


class BacklogState(msgspec.Struct, frozen=True):
    """The alert's state: what it was last told of, and the count of its upserts, go on over resolves."""

    signal: Signal = msgspec.field(default_factory=Signal)
    alert: Alert | None = None
    sequence: int = 0
    told_ms: int = NEVER_MS
    takeovers: int = 0


def restored(state: BacklogState, takeovers: int) -> BacklogState:
    """Return a state as a judge takes it up: it tells again at once, for a crash may have kept the news back.

    Parameters
    ----------
    takeovers
        Higher than that of any judge before.
    """
    state = msgspec.structs.replace(state, takeovers=takeovers)
    if state.alert is None:
        return state
    alert = msgspec.structs.replace(state.alert, told_ms=NEVER_MS)
    return msgspec.structs.replace(state, alert=alert)


def verdict(standings: Standings, now_ms: int, limits: Limits) -> Verdict:
    """Return whether the partition that is furthest behind is too far; the score is how far, in seconds."""
    known, limit_s = standings.known, limits.behind_ms / 1000
    if not known or standings.is_awaited(now_ms):
        evidence = Evidence("not every source partition has said how far it is")
        return Verdict("backlog", KIND, "", "insufficient", 0.0, limit_s, 0, evidence)
    partition, (until_ms, beat) = min(known.items(), key=lambda item: (item[1][0], item[0]))
    behind_s = max(now_ms - until_ms, 0) / 1000
    waiting = sum(said.waiting for _, said in known.values())
    sentence = (
        f"events are counted up to {duration(behind_s)} ago ({against(behind_s, limit_s, ' s')}); "
        f"{quantity(waiting, 'record')} {'waits' if waiting == 1 else 'wait'}"
    )
    unheard_ms = max(now_ms - beat.at_ms, 0)
    if unheard_ms > UNHEARD_MS:
        sentence += f", as was last said of partition {partition} {duration(unheard_ms / 1000)} ago"
    details = {"partition": partition, "waiting": waiting, "unheard_seconds": unheard_ms / 1000}
    evidence = Evidence(sentence, value=behind_s, details=details)
    status: Status = "firing" if behind_s > limit_s else "ok"
    return Verdict("backlog", KIND, "", status, behind_s, limit_s, waiting, evidence)


def step(
    state: BacklogState, found: Verdict, now_ms: int, limits: Limits, links: Links
) -> tuple[BacklogState, list[AlertUpsert]]:
    """Return the state after a verdict, and what the desk must hear.

    Like every alert, it fires once the verdicts have for ``for_ms``, is told again now and then while it lasts,
    and is over once the score has been clearly below the limit for as long.
    """
    patience = Patience(limits.for_ms, limits.for_ms)
    signal = alert_state.step(state.signal, found, now_ms, patience)
    alert = state.alert
    if signal.state is not SignalState.FIRING:
        if alert is None:
            return msgspec.structs.replace(state, signal=signal), []
        told = _told(state, signal, None, now_ms)
        return told, [_upsert(told, alert, ends_at_ms=max(now_ms, alert.starts_at_ms))]
    if alert is not None and now_ms - alert.told_ms < REFRESH_MS:
        return msgspec.structs.replace(state, signal=signal), []
    # What is about to be over keeps its words: those of a verdict that is well would deny it.
    annotations = alert.annotations if alert and found.status != "firing" else _annotations(found, links)
    starts_at_ms = now_ms if alert is None else alert.starts_at_ms
    pending_since_ms = signal.since_ms if alert is None else alert.pending_since_ms
    alert = Alert(starts_at_ms, SEVERITY, now_ms, annotations, pending_since_ms)
    told = _told(state, signal, alert, now_ms)
    return told, [_upsert(told, alert)]


def current(state: BacklogState) -> list[AlertUpsert]:
    """Return the alert as it was last told, if it fires."""
    return [] if state.alert is None else [_upsert(state, state.alert)]


def last_told(state: BacklogState) -> list[AlertUpsert]:
    """Return what was last told of the alert: that it fires, or that it is over."""
    if state.alert is not None or not state.sequence:
        return current(state)
    over = Alert(state.told_ms, SEVERITY, state.told_ms)
    return [_upsert(state, over, ends_at_ms=state.told_ms)]


def _told(state: BacklogState, signal: Signal, alert: Alert | None, now_ms: int) -> BacklogState:
    # The wall clock may be set back, or be another worker's: what is told later is newer.
    return BacklogState(signal, alert, state.sequence + 1, max(now_ms, state.told_ms), state.takeovers)


def _upsert(state: BacklogState, alert: Alert, *, ends_at_ms: int | None = None) -> AlertUpsert:
    return AlertUpsert(
        status="firing" if ends_at_ms is None else "resolved",
        labels={"alertname": KIND, "component": "driftline", "severity": alert.severity},
        annotations=alert.annotations,
        starts_at_ms=alert.starts_at_ms,
        ends_at_ms=ends_at_ms,
        pane_end_ms=state.told_ms,
        sequence=state.sequence,
        pending_since_ms=alert.pending_since_ms,
    )


def _annotations(found: Verdict, links: Links) -> dict[str, str]:
    return {
        "summary": f"Driftline is behind: {found.evidence.sentence}",
        "description": (
            "Every model is judged by what came until then: alerts come that much later, and no model is "
            "called silent meanwhile."
        ),
        "runbook_url": links.runbook(KIND),
        "dashboard_url": f"{links.public_url}/",
        "evidence": msgspec.json.encode(evidence_of(found)).decode(),
    }
