"""Addresses in messages: those one can open, and that of a silence with its matchers filled in."""

from collections.abc import Mapping
from urllib.parse import urlencode, urljoin, urlsplit

from alerts.matcher import quote


def silence_link(base: str, labels: Mapping[str, str]) -> str:
    """Return the page of a new silence for alerts of these labels, whatever their severity; "" without any.

    Examples
    --------
    >>> silence_link("https://drift.example/ml", {"model": "churn", "severity": "critical"})
    'https://drift.example/ml/silences/new?matcher=model%3D%22churn%22'
    """
    path = silence_path(labels)
    return usable_link(base.rstrip("/") + path) if base and path else ""


def silence_path(labels: Mapping[str, str]) -> str:
    """Return the same without the installation's address."""
    named = sorted((name, value) for name, value in labels.items() if name != "severity" and value)
    query = urlencode([("matcher", f"{name}={quote(value)}") for name, value in named], errors="replace")
    return f"/silences/new?{query}" if query else ""


def usable_link(address: str, base: str = "") -> str:
    """Return a web address one can open, relative ones joined to ``base``; "" if there is none.

    Examples
    --------
    >>> usable_link("/runbooks/Drift", "https://drift.example"), usable_link("javascript:alert(1)")
    ('https://drift.example/runbooks/Drift', '')
    """
    try:
        whole = urljoin(base, address.strip()) if address.strip() else ""
        parts = urlsplit(whole)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return ""
    plain = whole.isprintable() and " " not in whole and len(whole) <= 3000
    return whole if good and plain else ""
