"""The watchdog: an alert that always fires, so that a desk that tells nobody anything is noticed from outside.

A route that takes ``alertname="Watchdog"`` by that matcher turns it on, and whoever gets it misses it when it stops
coming (a dead man's switch). Without such a route it does not exist: no other receiver is to be bothered with it.
"""

from typing import TYPE_CHECKING

from alerts.alert import AlertUpsert, fingerprint
from alerts.matcher import Matcher
from alerts.routing import Node

if TYPE_CHECKING:
    from alerts.book import Book

KIND = "Watchdog"
LABELS = {"alertname": KIND, "severity": "info"}
_SUMMARY = "The alert desk is alive. When this stops coming, nobody is told of any alert."


def is_wanted(root: Node) -> bool:
    """Return whether a route takes the watchdog by its name.

    Examples
    --------
    >>> from alerts.config import default_config
    >>> from alerts.routing import compile_routes
    >>> is_wanted(compile_routes(default_config().route))
    False
    """
    by_name = Matcher("alertname", "=", KIND)
    return any(by_name in node.matchers for node in root.walk())


def change(book: "Book", now_ms: int) -> AlertUpsert | None:
    """Return the upsert by which the watchdog begins or ends with the config, None where nothing changes."""
    held = book.records.get(fingerprint(LABELS))
    fires = held is not None and held.upsert.status == "firing"
    if fires == is_wanted(book.root):
        return None
    before_ms, sequence = (0, 0) if held is None else held.version
    return AlertUpsert(
        status="resolved" if fires else "firing",
        labels=LABELS,
        annotations={"summary": _SUMMARY, "runbook_url": f"{book.external_url}/runbooks/{KIND}"},
        starts_at_ms=held.upsert.starts_at_ms if held is not None and fires else now_ms,
        ends_at_ms=now_ms if fires else None,
        pane_end_ms=max(now_ms, before_ms),
        sequence=sequence + 1,
    )
