"""A post-mortem draft of an incident, in Markdown: the record is filled in, what only people know is asked."""

import re
from collections.abc import Iterable, Iterator

from alerts.notification import severity_rank
from driftline.incidents import Episode, Incident
from driftline.web.times import duration
from streams.receipt_views import Step
from streams.views import rfc3339

#: Decisions that a timeline leaves out: bookkeeping, and tries that the one before and after tell of.
_DULL = frozenset(
    {"routed", "refreshed", "waits_for_group", "waits_for_interval", "older_version", "care_shown"}
)
_WORDS = {
    "pending": "first verdict that led to it",
    "new": "fires",
    "reopened": "fires again",
    "resolved": "is over",
    "silence_set": "silenced",
}


def post_mortem(incident: Incident, now_ms: int) -> str:
    """Return the draft; times are UTC.

    Parameters
    ----------
    now_ms
        Until when an incident that goes on has lasted, epoch ms.
    """
    sections = {
        "Overview": _overview(incident, now_ms),
        "What happened": _what_happened(incident),
        "Timeline": _timeline(incident),
        "Impact": _impact(incident, now_ms),
        "Contributing factors": _factors(incident),
        "Resolution": _resolution(incident),
        "Action items": _actions(incident),
    }
    parts = [
        f"# Post-mortem: {_title(incident)}",
        "A draft from Driftline's record; times are UTC. *To add* marks what it cannot know.",
    ]
    for heading, lines in sections.items():
        parts += [f"## {heading}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _title(incident: Incident) -> str:
    kinds = dict.fromkeys(one.alert.labels.get("alertname", "") for one in incident.episodes)
    models = dict.fromkeys(one.alert.labels.get("model", "") for one in incident.episodes)
    of = ", ".join(_plain(name) for name in models if name)
    return ", ".join(map(_plain, kinds)) + (f" of {of}" if of else "")


def _overview(incident: Incident, now_ms: int) -> Iterator[str]:
    severities = [one.alert.labels.get("severity", "") for one in incident.episodes]
    teams = dict.fromkeys(one.alert.labels.get("team", "") for one in incident.episodes)
    ended_ms = incident.ended_ms
    first_sent_ms = _first(incident, {"sent"})
    acked_ms = _first(incident, {"acknowledged"})
    rows = [
        ("Group", f"`{incident.group.replace('`', '')}`"),
        ("Severity", _plain(max(severities, key=severity_rank))),
        ("Team", ", ".join(_plain(team) for team in teams if team) or "*to add*"),
        ("Began", _utc(incident.began_ms)),
        ("Ended", "goes on" if ended_ms is None else _utc(ended_ms)),
        ("Lasted", duration((now_ms if ended_ms is None else ended_ms) - incident.began_ms)),
        ("First told", "nobody was told" if first_sent_ms is None else _after(incident, first_sent_ms)),
        ("First acknowledged", "by nobody" if acked_ms is None else _after(incident, acked_ms)),
        ("Alerts", str(len({one.alert.fingerprint for one in incident.episodes}))),
    ]
    yield "| | |"
    yield "|---|---|"
    yield from (f"| {name} | {_cell(text)} |" for name, text in rows)


def _what_happened(incident: Incident) -> Iterator[str]:
    for one in _once(incident.episodes):
        text = (
            one.alert.annotations.get("summary")
            or one.alert.annotations.get("description")
            or "no sentence came with it"
        )
        yield f"- **{_subject(one)}**: {_plain(text)}"
    yield ""
    yield "*To add: what people saw, in two or three sentences.*"


def _timeline(incident: Incident) -> Iterator[str]:
    yield "| time (UTC) | alert | what |"
    yield "|---|---|---|"
    for at_ms, one, step in incident.timeline:
        if step.reason not in _DULL:
            yield f"| {_utc(at_ms)} | {_cell(_subject(one))} | {_cell(_said(step))} |"


def _said(step: Step) -> str:
    words = _WORDS.get(step.reason, step.text)
    where = f" ({_plain(step.where)})" if step.where and step.stage in ("deliver", "escalate") else ""
    again = f", {step.times} times until {_utc(step.at_ms)}" if step.times > 1 else ""
    detail = f": {_plain(step.detail)}" if step.detail else ""
    return f"{words}{where}{again}{detail}"


def _impact(incident: Incident, now_ms: int) -> Iterator[str]:
    spans: dict[str, list[Episode]] = {}
    for one in incident.episodes:
        of = " ".join(filter(None, (one.alert.labels.get(name) for name in ("model", "version"))))
        spans.setdefault(of or "no model", []).append(one)
    for of, each in spans.items():
        began_ms = min(one.began_ms for one in each)
        ended_ms = max(now_ms if one.ended_ms is None else one.ended_ms for one in each)
        until = "goes on" if any(one.ended_ms is None for one in each) else f"until {_utc(ended_ms)}"
        yield f"- {_plain(of)}: from {_utc(began_ms)}, {until} ({duration(ended_ms - began_ms)})"
    yield "- *To add: decisions, customers and money that this touched.*"


def _factors(incident: Incident) -> Iterator[str]:
    causes = [one for one in _once(incident.episodes) if one.alert.annotations.get("cause")]
    for one in causes:
        yield f"- {_subject(one)}: {_plain(one.alert.annotations['cause'])}"
    for one, step in _steps(incident, {"retry", "failed", "fell_back", "taken_over"}):
        yield f"- {_subject(one)} was told late or perhaps twice: {_said(step)}"
    if not causes:
        yield "- The record names no cause."
    yield "- *To add: what made this possible, and why it was not caught before.*"


def _resolution(incident: Incident) -> Iterator[str]:
    for one, step in _steps(
        incident, {"acknowledged", "unacknowledged", "silence_set", "silence_expired", "silence_outgrown"}
    ):
        yield f"- {_utc(step.at_ms)} {_subject(one)}: {_said(step)}"
    for one in _once(incident.episodes):
        state = "still fires" if one.ended_ms is None else f"was over at {_utc(one.ended_ms)}"
        yield f"- {_subject(one)} {state}"
    yield "- *To add: what was done that ended it.*"


def _actions(incident: Incident) -> Iterator[str]:
    for one in _once(incident.episodes):
        if cause := one.alert.annotations.get("cause"):
            yield f"- [ ] Keep this from coming back: {_plain(cause)}"
    receivers = dict.fromkeys(step.where for _, step in _steps(incident, {"retry", "failed", "fell_back"}))
    for where in receivers:
        yield f"- [ ] See why {_plain(where)} did not take notifications"
    if _first(incident, {"acknowledged"}) is None:
        yield "- [ ] Nobody acknowledged it: is it routed to who can act on it?"
    if any(True for _ in _steps(incident, {"silence_set"})):
        yield "- [ ] It was silenced: does the alert need another threshold, or does the silence hide a fault?"
    yield "- [ ] *To add: an owner and a date for each.*"


def _steps(incident: Incident, reasons: set[str]) -> Iterator[tuple[Episode, Step]]:
    return ((one, step) for _, one, step in incident.timeline if step.reason in reasons)


def _first(incident: Incident, reasons: set[str]) -> int | None:
    return next((at_ms for at_ms, _, step in incident.timeline if step.reason in reasons), None)


def _once(episodes: Iterable[Episode]) -> list[Episode]:
    """Return the last episode of each alert, in the order in which the alerts began."""
    last: dict[str, Episode] = {}
    for one in sorted(episodes, key=lambda one: one.began_ms):
        last[one.alert.fingerprint] = one
    return list(last.values())


def _subject(one: Episode) -> str:
    names = ("alertname", "model", "version", "feature", "segment")
    return " ".join(_plain(one.alert.labels[name]) for name in names if one.alert.labels.get(name))


def _after(incident: Incident, at_ms: int) -> str:
    return f"{_utc(at_ms)}, {duration(max(at_ms - incident.began_ms, 0))} after it began"


def _utc(at_ms: int) -> str:
    return rfc3339(at_ms)[:19].replace("T", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _plain(text: str) -> str:
    r"""Return text of somebody else's as one line that Markdown takes for nothing but text.

    Examples
    --------
    >>> print(_plain("a\n*b* <script>"))
    a \*b\* \<script\>
    """
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return re.sub(r"([\\`*\[\]<>])", r"\\\1", " ".join(line.split()))
