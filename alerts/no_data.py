"""No data: a state of its own. What nobody could judge any more is neither over nor silently as it was.

An alert that fires has no data when its judge says that it cannot judge it (annotation ``no_data_since``), or when
the desk has heard nothing of it for ``global.no_data_after``. It goes on firing, and says so wherever it is shown,
until it is judged again.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from alerts import silence_warning, watchdog
from alerts.alert import NO_DATA_SINCE
from alerts.decision import Decision, Reason, Stage
from alerts.notification import rfc3339

if TYPE_CHECKING:
    from alerts.book import Book


def words(since_ms: int) -> str:
    """Return in words that an alert has no data.

    Examples
    --------
    >>> words(1_795_424_400_000)
    'No data since 2026-11-23 09:00:00 UTC: nothing newer was judged, so it stands as it was.'
    """
    since = rfc3339(since_ms)[:19].replace("T", " ")
    return f"No data since {since} UTC: nothing newer was judged, so it stands as it was."


def hear(book: "Book", fingerprint: str, now_ms: int) -> None:
    """Take note that the judge spoke of an alert."""
    record = book.records[fingerprint]
    record.heard_ms = now_ms
    since_ms = _stated_ms(record.upsert.annotations.get(NO_DATA_SINCE, "")) if record.firing else None
    _set(book, fingerprint, since_ms, now_ms)


def look(book: "Book", fingerprint: str, now_ms: int) -> None:
    """Take note that the judge has not spoken of an alert for long.

    One that others push has its own end; the desk's own are not judged.
    """
    record = book.records[fingerprint]
    heard_ms = record.heard_ms
    silent = heard_ms is not None and now_ms - heard_ms >= book.config.defaults.no_data_after_ms
    labels = record.upsert.labels
    own = labels == watchdog.LABELS or silence_warning.is_warning(labels)
    judged = record.push is None and not own
    if silent and judged and record.firing and record.no_data_ms is None:
        _set(book, fingerprint, record.upsert.pane_end_ms, now_ms)


def _set(book: "Book", fingerprint: str, since_ms: int | None, now_ms: int) -> None:
    record = book.records[fingerprint]
    before, record.no_data_ms = record.no_data_ms, since_ms
    if (before is None) == (since_ms is None):
        return
    if since_ms is not None:
        decision = Decision(now_ms, Stage.GATHER, Reason.NO_DATA, detail=f"since {rfc3339(since_ms)}")
    else:
        decision = Decision(now_ms, Stage.REMEMBER, Reason.DATA_AGAIN)
    book.note(fingerprint, decision)


def _stated_ms(text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
