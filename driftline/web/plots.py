"""Charts over time, drawn on the server as SVG: colours come from the style sheet, words from here.

Each has a title and a description for those who cannot see it. Every text is escaped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from detectors.sentence import quantity
from driftline.web.numerals import integer, per_second, plain
from driftline.web.scale import Linear, nice_ticks, spread, time_ticks
from driftline.web.timeline import Slot
from driftline.web.times import moment

WIDTH, HEIGHT = 400, 168
LEFT, RIGHT, TOP, BOTTOM = 46, 6, 10, 22
#: Room at the right end of a line chart for the lines' names.
NAMES = 84


@dataclass(frozen=True, slots=True)
class Line:
    """A named series; None where there is no value, which leaves a gap. `style` is its CSS class."""

    name: str
    style: str
    values: Sequence[float | None]


def figure(title: str, text: str, body: Markup, *, width: int, height: int, style: str = "plot") -> Markup:
    """Return an SVG image with its text alternative."""
    return Markup(
        '<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        "<title>{}</title><desc>{}</desc>{}</svg>"
    ).format(style, width, height, f"{title}. {text}", title, text, body)


def sparkline(values: Sequence[int], title: str) -> Markup:
    """Return small bars, one per pane, oldest first; empty without values.

    Parameters
    ----------
    values
        Events per pane, 0 or more.
    title
        What a screen reader says it is.
    """
    if not values:
        return Markup("")
    width, height, step = 96, 20, 3
    top = max(*values, 1)
    body = ""
    for i, value in enumerate(values[-width // step :], start=max(width // step - len(values), 0)):
        tall = max(round(height * value / top, 1), 1.0)
        style = "bar" if value else "nil"
        body += f'<rect class="{style}" x="{i * step}" y="{height - tall:g}" width="2" height="{tall:g}"/>'
    text = (
        f"{quantity(len(values), 'pane')}, last {quantity(values[-1], 'event')}, most {integer(max(values))}"
    )
    return figure(title, text, Markup(body), width=width, height=height, style="spark")


def volume(slots: Sequence[Slot]) -> Markup:
    """Return stacked bars of events per second: answered, failed, late and invalid."""
    if not slots:
        return Markup("")
    ticks = nice_ticks(max(slot.per_second(slot.received) for slot in slots))
    y = Linear(0, ticks[-1], HEIGHT - BOTTOM, TOP)
    x = Linear(slots[0].start_ms, slots[-1].end_ms, LEFT, WIDTH - RIGHT)
    gap = 0.6 if len(slots) > 60 else 1
    bars = []
    for slot in slots:
        left, wide = x(slot.start_ms), max(x(slot.end_ms) - x(slot.start_ms) - gap, 0.5)
        base, total = y(0), 0
        parts = (
            ("ok", slot.events - slot.errors),
            ("errors", slot.errors),
            ("late", slot.late),
            ("invalid", slot.invalid),
        )
        for style, events in parts:
            total += events
            edge = y(slot.per_second(total))
            if events:
                place = f'x="{left:g}" y="{edge:g}" width="{wide:g}" height="{base - edge:.1f}"'
                bars.append(f'<rect class="{style}" {place}/>')
            base = edge
    rates = [slot.per_second(slot.received) for slot in slots]
    text = (
        f"From {_when(slots[0].start_ms)} to {_when(slots[-1].end_ms)} UTC: "
        f"between {per_second(min(rates))} and {per_second(max(rates))}, last {per_second(rates[-1])}; "
        + ", ".join(
            f"{integer(sum(getattr(slot, kind) for slot in slots))} {kind}"
            for kind in ("errors", "late", "invalid")
        )
        + "."
    )
    axes = _axes(slots, x, y, ticks, lambda value: plain(value), WIDTH - RIGHT)
    return figure("Events per second", text, axes + Markup("".join(bars)), width=WIDTH, height=HEIGHT)


def lines(title: str, slots: Sequence[Slot], series: Sequence[Line], say: Callable[[float], str]) -> Markup:
    """Return lines over time, each named at its right end together with its last value.

    Parameters
    ----------
    title
        What a screen reader says it is.
    slots
        Columns of time, of equal length.
    series
        Values aligned with `slots`, 0 or more. Series without any value are left out.
    say
        Formats a value with its unit.
    """
    kept = [line for line in series if any(value is not None for value in line.values)]
    if not slots or not kept:
        return Markup("")
    right = WIDTH - NAMES
    ticks = nice_ticks(max(value for line in kept for value in line.values if value is not None))
    y = Linear(0, ticks[-1], HEIGHT - BOTTOM, TOP)
    x = Linear(slots[0].start_ms, slots[-1].end_ms, LEFT, right)
    at = [x((slot.start_ms + slot.end_ms) / 2) for slot in slots]
    last = [next(value for value in reversed(line.values) if value is not None) for line in kept]
    places = spread([y(value) for value in last], 13, TOP, HEIGHT - BOTTOM)
    body = _axes(slots, x, y, ticks, say, right)
    for line, value, place in zip(kept, last, places, strict=True):
        body += Markup(
            '<path class="line {}" d="{}"/><text class="name {}" x="{}" y="{}">{} {}</text>'
        ).format(
            line.style, _path(at, line.values, y), line.style, right + 6, place + 4, line.name, say(value)
        )
    text = f"From {_when(slots[0].start_ms)} to {_when(slots[-1].end_ms)} UTC: " + "; ".join(
        f"{line.name} at most {say(max(v for v in line.values if v is not None))}, last {say(value)}"
        for line, value in zip(kept, last, strict=True)
    )
    return figure(title, text + ".", body, width=WIDTH, height=HEIGHT)


def _axes(
    slots: Sequence[Slot], x: Linear, y: Linear, ticks: list[float], say: Callable[[float], str], right: float
) -> Markup:
    body = Markup("")
    for tick in ticks:
        body += Markup(
            '<path class="grid" d="M{} {}H{}"/><text class="tick y" x="{}" y="{}">{}</text>'
        ).format(LEFT, y(tick), right, LEFT - 5, y(tick) + 3.5, say(tick))
    for at_ms, words in time_ticks(slots[0].start_ms, slots[-1].end_ms):
        body += Markup('<text class="tick x" x="{}" y="{}">{}</text>').format(x(at_ms), HEIGHT - 5, words)
    return body


def _path(at: Sequence[float], values: Sequence[float | None], y: Linear) -> str:
    """Return the path of a line. A lone value between gaps would be invisible: it gets a short dash."""
    steps, drawing = [], False
    for i, value in enumerate(values):
        if value is not None:
            steps.append(f"{'L' if drawing else 'M'}{at[i]:g} {y(value):g}")
            if not drawing and (i + 1 == len(values) or values[i + 1] is None):
                steps.append("h2")
        drawing = value is not None
    return "".join(steps)


def _when(at_ms: int) -> str:
    return f"{moment(at_ms):%H:%M:%S}"
