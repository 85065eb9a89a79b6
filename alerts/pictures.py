"""Where pictures of evidence are found: on the web face, by the alert's fingerprint."""

from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from alerts.links import usable_link
from alerts.notification import Notification, NotifiedAlert

#: Names that mean something within a network alone.
_WITHIN = (".local", ".localhost", ".internal", ".intranet", ".lan", ".home", ".corp", ".test", ".invalid")


def plot_path(fingerprint: str) -> str:
    """Return the path of an alert's picture on the web face."""
    return f"/api/v1/alerts/{quote(fingerprint, safe='')}/plot.png"


def plot_of(told: Notification, alert: NotifiedAlert) -> str:
    """Return the address of an alert's picture; "" where its evidence has no distributions."""
    if not alert.evidence.labels or not told.external_url:
        return ""
    return usable_link(told.external_url.rstrip("/") + plot_path(alert.fingerprint))


def first_plot(told: Notification) -> tuple[str, NotifiedAlert | None]:
    """Return the picture of the worst alert that fires and has one, with the alert; "" and None without."""
    found = ((plot_of(told, alert), alert) for alert in told.firing)
    return next(((address, alert) for address, alert in found if address), ("", None))


def is_public(address: str) -> bool:
    """Return whether an address can be opened from everywhere, as far as it tells: https, and of no inner network.

    Examples
    --------
    >>> [is_public(one) for one in ("https://drift.example.org/x", "http://drift.example.org", "https://10.0.0.7:8080")]
    [True, False, False]
    """
    parts = urlsplit(address)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https" or not host:
        return False
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(_WITHIN)
