"""Who looks after an alert, as receivers show it: brought up to date without anybody being told anew.

Slack's message names who acknowledged or silenced an alert; PagerDuty stops escalating once all that fires of a group
is acknowledged. When that changes, a *quiet* delivery goes out at once. It says nothing that is news, so it is no
repeat, puts off none, and may arrive twice unmarked.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from alerts.ack import Ack
from alerts.agenda import Due
from alerts.book import identify
from alerts.decision import Decision, Reason, Stage
from alerts.notification import rfc3339
from alerts.outcome import Failed, Outcome, Retry, Sent
from alerts.pagerduty_config import PagerdutyConfig
from alerts.receiver_config import SlackConfig
from alerts.silence import silenced_by

if TYPE_CHECKING:
    from alerts.book import Book
    from alerts.receiver_kinds import ReceiverConfig
    from alerts.state import Ledger

_ERROR_KEPT = 300


def words(book: "Book", fingerprint: str, now_ms: int) -> tuple[str, str]:
    """Return who has acknowledged an alert, and who silences it until when; "" where nobody does."""
    record = book.records[fingerprint]
    acknowledged = record.ack.by if record.ack else ""
    found = [book.silences[name] for name in silenced_by(book.silences, record, now_ms)]
    if not found:
        return acknowledged, ""
    last = max(found, key=lambda one: (one.ends_at_ms, one.id))
    return acknowledged, f"{last.created_by} until {rfc3339(last.ends_at_ms)}"


def digest(
    book: "Book", config: "ReceiverConfig", group_id: str, known: Iterable[str], now_ms: int
) -> str | None:
    """Return what stands for all of it that a receiver shows of a group, "" for nothing; None if it shows none.

    Parameters
    ----------
    known
        Fingerprints the receiver was told of.
    """
    if isinstance(config, SlackConfig):
        told = [
            name for name in sorted(known) if name in book.records and book.records[name].fires_in(group_id)
        ]
        shown = [(name, *words(book, name, now_ms)) for name in told]
        lines = ["\x01".join(one) for one in shown if any(one[1:])]
        return identify(*lines) if lines else ""
    if isinstance(config, PagerdutyConfig):
        acks = _acks(book, group_id)
        return identify(str(max(ack.at_ms for ack in acks))) if acks else None
    return None


def carried(
    book: "Book",
    config: "ReceiverConfig",
    group_id: str,
    ledger: "Ledger",
    alerts: Iterable[str],
    now_ms: int,
) -> str:
    """Return the digest of what a notification that tells news of these alerts shows besides."""
    found = digest(book, config, group_id, alerts, now_ms) or ""
    # PagerDuty's trigger acknowledges nothing.
    return found if isinstance(config, SlackConfig) or found == ledger.shown else ""


def _acks(book: "Book", group_id: str) -> list[Ack]:
    """Return the acks of all that fires of a group; none while one has none."""
    members = (book.records[name] for name in book.groups[group_id].members)
    found = [record.ack for record in members if record.fires_in(group_id)]
    return [ack for ack in found if ack] if all(found) else []


def nudge(book: "Book", now_ms: int) -> None:
    """Have what is shown of alerts whose rows changed since the last write be brought up to date at once."""
    changed = [key.removeprefix("alert/") for key in book.changed if key.startswith("alert/")]
    found = {group for name in changed if name in book.records for group in book.records[name].groups}
    for group_id in sorted(found & book.groups.keys()):
        for integration in book.integrations(book.groups[group_id]):
            catch_up(book, group_id, integration.key, now_ms)


def catch_up(book: "Book", group_id: str, place: str, now_ms: int) -> None:
    """Have what a receiver shows of a group be brought up to date at once, if it is not."""
    ledger = book.groups[group_id].ledgers.get(place)
    if ledger is not None and _rests(ledger, now_ms) and is_behind(book, group_id, place, now_ms):
        ledger.state, ledger.quiet, ledger.not_before_ms = "PENDING", True, now_ms
        book.agenda.add(Due(now_ms, group_id, place))
        book.touch_ledger(group_id, place)


def _rests(ledger: "Ledger", now_ms: int) -> bool:
    """Return whether nothing is under way, due now, or to be tried again."""
    put_off = ledger.state == "PENDING" and ledger.attempts == 0 and ledger.not_before_ms > now_ms
    return ledger.state == "SENT" or (put_off and not ledger.quiet)


def is_behind(book: "Book", group_id: str, place: str, now_ms: int) -> bool:
    """Return whether a receiver shows something else than what is so."""
    group = book.groups[group_id]
    ledger, config = group.ledgers[place], book.integration(group, place).config
    wanted = digest(book, config, group_id, ledger.told, now_ms)
    return bool(ledger.told) and wanted is not None and wanted != ledger.shown


def settle(book: "Book", where: tuple[str, str], outcome: Outcome, backoff_ms: int, now_ms: int) -> Decision:
    """Take the outcome of a quiet delivery. One that is refused is not tried again until there is a change."""
    group_id, place = where
    ledger = book.groups[group_id].ledgers[place]
    message, ledger.delivery_id = ledger.delivery_id, ""
    ledger.sending, ledger.news = {}, []
    if isinstance(outcome, Retry):
        wait_ms = max(outcome.after_ms, backoff_ms)
        ledger.state, ledger.not_before_ms, ledger.again = "PENDING", now_ms + wait_ms, False
        ledger.last_error = outcome.reason[:_ERROR_KEPT]
        book.agenda.add(Due(ledger.not_before_ms, group_id, place))
        detail = f"{ledger.last_error}; next try {rfc3339(ledger.not_before_ms)}"
        return Decision(now_ms, Stage.DELIVER, Reason.RETRY, place, detail, message=message)
    again, ledger.again = ledger.again, False
    ledger.state, ledger.quiet, ledger.attempts, ledger.shown = "SENT", False, 0, ledger.showing
    ledger.generation += 1
    if again:
        ledger.state, ledger.not_before_ms = "PENDING", now_ms
        book.agenda.add(Due(now_ms, group_id, place))
    if isinstance(outcome, Failed):
        ledger.last_error = outcome.reason[:_ERROR_KEPT]
        return Decision(now_ms, Stage.DELIVER, Reason.CARE_REFUSED, place, ledger.last_error, message=message)
    if isinstance(outcome, Sent) and outcome.reference:
        ledger.reference = dict(outcome.reference)
    if not again:
        catch_up(book, group_id, place, now_ms)
    return Decision(now_ms, Stage.DELIVER, Reason.SENT, place, message=message)
