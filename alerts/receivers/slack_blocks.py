"""A notification as Slack's Block Kit, within its limits, with nothing in it that could mention anyone."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from alerts.notification import Notification, NotifiedAlert, clip
from alerts.pictures import first_plot, is_public
from alerts.receivers.slack_buttons import LINK

_HEADER_LIMIT = 150
_SECTION_LIMIT = 3_000
_ALERTS_SHOWN = 10
_NAMED_IN_REPLY = 10
_CARES_SHOWN = 3
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARKS = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":large_blue_circle:"}


def escape(text: str, limit: int) -> str:
    """Return one line of text as Slack takes it, at most ``limit`` characters after escaping.

    Examples
    --------
    >>> escape("a < b & <!channel>", 100)
    'a &lt; b &amp; &lt;!channel&gt;'
    >>> escape("<<<", 9)
    '&lt;&lt;…'
    """
    line = clip(text, limit)
    parts = [_ESCAPES.get(character, character) for character in line]
    if sum(map(len, parts)) <= limit:
        return "".join(parts)
    # An escape is cut out whole, never in the middle.
    length = sum(map(len, parts))
    while length > limit - 1:
        length -= len(parts.pop())
    return "".join([*parts, "…"])


def blocks(
    notification: Notification, buttons: Sequence[dict[str, Any]] = (), *, picture: bool = True
) -> list[dict[str, Any]]:
    """Return the message: header, a section per alert (worst first, at most 10), picture, context, buttons, links.

    The picture is the worst alert's, and only there where Slack can fetch it.
    """
    title = notification.wording.get("title", notification.title)
    built: list[dict[str, Any]] = [{"type": "header", "text": _plain(title, _HEADER_LIMIT)}]
    built += [{"type": "section", "text": _markdown(text)} for text in _sections(notification)]
    built += _picture(notification) if picture else []
    built.append({"type": "context", "elements": [_markdown(text) for text in _context(notification)]})
    pressed = [*buttons, *_links(notification, silence=not buttons)]
    return [*built, {"type": "actions", "elements": pressed}] if pressed else built


def fallback(notification: Notification) -> str:
    """Return the text of push messages and screen readers."""
    return escape(notification.wording.get("fallback", notification.text), _SECTION_LIMIT)


def reply(notification: Notification) -> str:
    """Return what is said in the thread: who joined, got worse, or is over; else that it still fires."""
    kinds = {"joined": "Now also firing", "worse": "Got worse", "resolved": "Resolved"}
    lines = []
    for change, words in kinds.items():
        alerts = [alert for alert in notification.alerts if alert.change == change]
        lines += [f"*{words}:* {_named(alerts)}"] if alerts else []
    if not lines:
        lines.append(f"*Still firing:* {_named(list(notification.firing or notification.alerts))}")
    lines += [f"_{escape(note, 1_000)}_" for note in notification.notes]
    if notification.possible_repeat:
        lines.append("_Possible repeat: whether the last try arrived is not known._")
    return "\n".join(lines)


def _named(alerts: list[NotifiedAlert]) -> str:
    names = [f"{escape(alert.subject, 80)} ({_when(alert)})" for alert in alerts[:_NAMED_IN_REPLY]]
    more = len(alerts) - len(names)
    return "; ".join(names) + (f"; and {more} more" if more else "")


def _sections(notification: Notification) -> list[str]:
    if own := notification.wording.get("text"):
        return pieces(own, _SECTION_LIMIT)[:_ALERTS_SHOWN]
    return [_section(alert) for alert in notification.alerts[:_ALERTS_SHOWN]]


def pieces(text: str, limit: int) -> list[str]:
    r"""Return a text in pieces of at most ``limit`` characters, parted between lines, or else between words.

    Examples
    --------
    >>> pieces("one\ntwo three", 8), pieces("a&amp;b", 4)
    (['one', 'two', 'three'], ['a', '&amp', ';b'])
    """
    found: list[str] = []
    while len(text) > limit:
        room = text[: limit + 1]
        cut = max(room.rfind("\n"), 0) or max(room.rfind(" "), 0) or _before_escape(text, limit)
        found.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [piece for piece in (*found, text) if piece]


def _before_escape(text: str, limit: int) -> int:
    """Return where to cut so that no escape is cut through."""
    at = text.rfind("&", max(limit - 4, 1), limit)
    return at if at > 0 and ";" not in text[at:limit] else limit


def _when(alert: NotifiedAlert) -> str:
    return escape(f"{alert.since}. {alert.state}" if alert.state else alert.since, 240)


def _section(alert: NotifiedAlert) -> str:
    resolved = alert.status == "resolved"
    mark = ":white_check_mark:" if resolved else _MARKS.get(alert.severity, ":white_circle:")
    severity = "resolved" if resolved else escape(alert.severity or "firing", 40)
    head = f"{mark} *{severity}* · {escape(alert.subject, 600)}"
    cause = "" if resolved or not alert.cause else f"\n*Cause:* {escape(alert.cause, 700)}"
    facts = f"\n{escape(alert.facts, 300)}" if alert.facts else ""
    sentence, since = escape(alert.sentence, 850), escape(alert.since, 80)
    return "\n".join([f"{head}\n{sentence}{cause}{facts}\n_{since}_", *_care(alert)])


def _care(alert: NotifiedAlert) -> list[str]:
    acknowledged, silenced = escape(alert.acknowledged_by, 120), escape(alert.silenced_by, 160)
    lines = [f":eyes: Acknowledged by {acknowledged}"] if acknowledged else []
    return [*lines, f":no_bell: Silenced by {silenced}"] if silenced else lines


def _picture(notification: Notification) -> list[dict[str, Any]]:
    address, alert = first_plot(notification)
    if alert is None or not is_public(address):
        return []
    return [{"type": "image", "image_url": address, "alt_text": clip(alert.sentence, 1_000)}]


def _context(notification: Notification) -> list[str]:
    labels = ", ".join(f"{name}={value}" for name, value in notification.group_labels.items())
    texts = [f"Group: {escape(labels, 1_000) or 'all alerts'}"]
    hidden = len(notification.alerts) - _ALERTS_SHOWN
    texts += [f"and {hidden} more alerts"] if hidden > 0 and "text" not in notification.wording else []
    if notification.top_features and "text" not in notification.wording:
        texts.append(f"Top features: {escape(notification.top_features, 600)}")
    texts += [escape(note, 1_000) for note in notification.notes]
    if "text" in notification.wording:
        # Words of one's own know nothing of it.
        cares = Counter(line for alert in notification.alerts for line in _care(alert))
        texts += [f"{line} ({count})" for line, count in cares.most_common(_CARES_SHOWN)]
    texts += ["Possible repeat"] if notification.possible_repeat else []
    return texts


def _links(notification: Notification, *, silence: bool) -> list[dict[str, Any]]:
    """Return buttons that open a page; that of a silence where no button sets one in Slack itself."""
    links = {"Runbook": notification.runbook_url, "Dashboard": notification.dashboard_url}
    links |= {"Plot": first_plot(notification)[0]}
    links |= {"Silence": notification.silence_url} if silence and notification.firing else {}
    return [
        {"type": "button", "text": _plain(name, 75), "url": url, "action_id": f"{LINK}{name.lower()}"}
        for name, url in links.items()
        if url
    ]


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": escape(text, limit), "emoji": False}


def _markdown(text: str) -> dict[str, Any]:
    # Verbatim: Slack then links neither addresses nor names by itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}
