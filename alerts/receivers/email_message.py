"""A notification as an e-mail: text and HTML, threaded with those of its group."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from html import escape

from alerts.email_config import EmailConfig
from alerts.notification import Notification, NotifiedAlert, clip
from alerts.plot import HEIGHT, WIDTH, png

_ALERTS_SHOWN = 50
_SUBJECT_LIMIT = 250
_PICTURES_SHOWN = 3
_COLOURS = {"critical": "#b3261e", "warning": "#b26a00", "info": "#1f5fbf"}
_OVER, _OTHER = "#2e7d32", "#555555"


def message(notification: Notification, config: EmailConfig, thread: str, now_ms: int) -> EmailMessage:
    """Return the e-mail.

    ``Message-ID`` is made of the idempotency key, so that a try that may have arrived before is the same
    message again, which mail servers and programs know by it.

    Parameters
    ----------
    thread
        Message-ID of the group's first e-mail, "" if this is it.
    """
    sender = config.sender or ""
    built = EmailMessage(policy=SMTP)
    built["From"] = _named(sender)
    built["To"] = _named(config.to)
    wording = notification.wording
    built["Subject"] = clip(wording.get("subject", notification.title), _SUBJECT_LIMIT)
    built["Date"] = format_datetime(datetime.fromtimestamp(now_ms / 1000, UTC))
    built["Message-ID"] = message_id(notification, sender)
    # Programs that answer by themselves leave such e-mail alone.
    built["Auto-Submitted"] = "auto-generated"
    if thread:
        built["In-Reply-To"] = thread
        built["References"] = thread
    for name, value in config.headers.items():
        built[name] = value
    built.set_content(wording.get("text", "\n".join(_text(notification))) + "\n")
    # Beside a text of one's own, the built-in HTML would say something else.
    if "html" in wording:
        built.add_alternative(wording["html"] + "\n", subtype="html")
    elif "text" not in wording:
        pictures = _pictures(notification)
        built.add_alternative("\n".join(_html(notification, pictures)) + "\n", subtype="html")
        html = built.get_body(("html",))
        assert html is not None
        for fingerprint, picture in pictures.items():
            name, cid = f"{fingerprint}.png", f"<{_cid(notification, fingerprint)}>"
            html.add_related(picture, "image", "png", cid=cid, filename=name, disposition="inline")
    return built


def _pictures(notification: Notification) -> dict[str, bytes]:
    """Return the pictures of the worst alerts that fire, by fingerprint."""
    found: dict[str, bytes] = {}
    for alert in notification.firing[:_ALERTS_SHOWN]:
        if len(found) == _PICTURES_SHOWN:
            break
        if (drawn := png(alert)) is not None:
            found[alert.fingerprint] = drawn
    return found


def _cid(notification: Notification, fingerprint: str) -> str:
    return f"{fingerprint}.{notification.idempotency_key}@driftline"


def message_id(notification: Notification, sender: str) -> str:
    """Return the Message-ID, the same for each try of the same content."""
    (_, address), *_ = getaddresses([sender])
    return f"<{notification.idempotency_key}@{address.rpartition('@')[2]}>"


def _named(text: str) -> tuple[Address, ...]:
    return tuple(Address(display_name=name, addr_spec=address) for name, address in getaddresses([text]))


def _text(notification: Notification) -> Iterator[str]:
    yield notification.title
    yield from notification.notes
    for alert in notification.alerts[:_ALERTS_SHOWN]:
        yield ""
        yield f"{_how_bad(alert)}: {alert.subject}"
        yield alert.sentence
        if alert.cause and alert.status == "firing":
            yield f"Cause: {alert.cause}"
        if alert.facts:
            yield alert.facts
        yield alert.since
        yield from (f"{name}: {link}" for name, link in _links(notification, alert))
    yield ""
    yield from _foot(notification)


def _html(notification: Notification, pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en"><body style="font-family:sans-serif;font-size:14px;color:#1b1b1b">'
    yield f'<h2 style="font-size:18px">{escape(notification.title)}</h2>'
    yield from (f"<p><b>{escape(note)}</b></p>" for note in notification.notes)
    for alert in notification.alerts[:_ALERTS_SHOWN]:
        colour = _OVER if alert.status == "resolved" else _COLOURS.get(alert.severity, _OTHER)
        yield f'<div style="border-left:4px solid {colour};padding:2px 12px;margin:0 0 14px">'
        yield f'<b style="color:{colour}">{escape(_how_bad(alert))}</b> {escape(alert.subject)}<br>'
        yield f"{escape(alert.sentence)}<br>"
        if alert.cause and alert.status == "firing":
            yield f"<b>Cause:</b> {escape(alert.cause)}<br>"
        if alert.facts:
            yield f"{escape(alert.facts)}<br>"
        yield f'<span style="color:#555555">{escape(alert.since)}</span>'
        yield " ".join(
            f'<br><a href="{escape(link)}">{name}</a>' for name, link in _links(notification, alert)
        )
        if alert.fingerprint in pictures:
            source, said = escape(_cid(notification, alert.fingerprint)), escape(alert.sentence)
            yield f'<br><img src="cid:{source}" width="{WIDTH}" height="{HEIGHT}" alt="{said}">'
        yield "</div>"
    yield f'<p style="color:#555555">{"<br>".join(map(escape, _foot(notification)))}</p>'
    yield "</body></html>"


def _how_bad(alert: NotifiedAlert) -> str:
    return "RESOLVED" if alert.status == "resolved" else clip(alert.severity or "firing", 40).upper()


def _links(notification: Notification, alert: NotifiedAlert) -> list[tuple[str, str]]:
    links = {"Runbook": notification.runbook_of(alert), "Dashboard": notification.dashboard_of(alert)}
    links |= {"Silence": notification.silence_of(alert)} if alert.status == "firing" else {}
    return [(name, link) for name, link in links.items() if link]


def _foot(notification: Notification) -> Iterator[str]:
    hidden = len(notification.alerts) - _ALERTS_SHOWN
    if hidden > 0:
        yield f"and {hidden} more alerts"
    if notification.top_features:
        yield f"Top features: {notification.top_features}"
    labels = ", ".join(f"{name}={value}" for name, value in notification.group_labels.items())
    yield f"Group: {clip(labels, 1_000) or 'all alerts'}"
    if notification.possible_repeat:
        yield "Possible repeat: whether the last try arrived is not known."
