"""Distributions and scores, drawn on the server as SVG: what is now in front of what is normal."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from driftline.web.numerals import percent, plain
from driftline.web.plots import figure
from driftline.web.scale import Linear, nice_ticks
from streams.views import Bin, ColumnView

WIDTH = 320
#: Categories drawn; the table beside the chart has all.
ROWS = 8
#: Where the threshold stands on a score's bar, as a share of its width.
LIMIT = 2 / 3


def distribution(column: ColumnView) -> Markup:
    """Return a column's current distribution in front of its reference; empty without bins.

    Numbers stand upright along their value axis, categories lie, so that their names can be read.
    """
    if not column.bins:
        return Markup("")
    if column.kind == "category":
        return _lying(column.name, column.bins)
    return _standing(column.name, column.bins)


def score_bar(score: float, threshold: float, *, insufficient: bool = False) -> Markup:
    """Return a verdict's score as a bar with a tick at its threshold.

    The tick always stands at two thirds, so that bars of different detectors can be compared: length is
    ``score / threshold``, or the distance from a threshold that is not positive.

    Parameters
    ----------
    score, threshold
        Of a verdict; higher scores are worse.
    insufficient
        No verdict could be given: the track stays empty.
    """
    wide, tick = 90.0, round(90 * LIMIT, 1)
    body = Markup('<rect class="track" x="0" y="3" width="90" height="6" rx="1"/>')
    if insufficient:
        text = "No score yet"
    else:
        text = f"Score {plain(score)}, threshold {plain(threshold)}"
        style = "over" if score > threshold else "under"
        body += Markup('<rect class="{}" x="0" y="3" width="{:.1f}" height="6" rx="1"/>').format(
            style, wide * score_length(score, threshold)
        )
    body += Markup('<path class="limit" d="M{} 0V12"/>').format(tick)
    return figure(text, "", body, width=90, height=12, style="score")


def score_length(score: float, threshold: float) -> float:
    """Return a score's place between 0 and 1, a score at its threshold being at `LIMIT`.

    Examples
    --------
    >>> [round(score_length(s, 0.2), 2) for s in (0.0, 0.1, 0.2, 0.25, 5.0)]
    [0.0, 0.33, 0.67, 0.83, 1.0]
    >>> score_length(-1.0, 0.0) < score_length(0.0, 0.0) < score_length(1.0, 0.0)
    True
    """
    if math.isnan(score):
        return 0.0
    if threshold > 0:
        return min(max(LIMIT * (score / threshold), 0.0), 1.0)
    if math.isinf(score):
        return 1.0 if score > 0 else 0.0
    reach = max(abs(score), abs(threshold), 1e-9)
    return min(max(LIMIT + (score - threshold) / reach / 3, 0.0), 1.0)


def _standing(name: str, bins: Sequence[Bin]) -> Markup:
    height, left, right, top, base = 126, 34, 4, 8, 108
    ticks = nice_ticks(_most(bins), 2)
    y = Linear(0, ticks[-1], base, top)
    step = (WIDTH - left - right) / len(bins)
    body = Markup("")
    for tick in ticks:
        body += Markup(
            '<path class="grid" d="M{} {}H{}"/><text class="tick y" x="{}" y="{}">{}</text>'
        ).format(left, y(tick), WIDTH - right, left - 4, y(tick) + 3.5, percent(tick))
    for i, each in enumerate(bins):
        x = left + i * step
        if each.reference is not None:
            body += _bar("reference", x + step * 0.04, step * 0.92, y(each.reference), base)
        body += _bar("current", x + step * 0.24, step * 0.52, y(each.current), base)
    for i in _labelled(bins, step):
        anchor = "start" if i == 0 else "end" if i == len(bins) - 1 else "middle"
        at = {"start": left, "end": WIDTH - right}.get(anchor, left + (i + 0.5) * step)
        body += Markup('<text class="tick bin" text-anchor="{}" x="{:.1f}" y="{}">{}</text>').format(
            anchor, at, height - 5, _short(bins[i].label, 16)
        )
    return figure(f"Distribution of {name}", _told(bins), body, width=WIDTH, height=height)


def _lying(name: str, bins: Sequence[Bin]) -> Markup:
    shown = list(bins) if len(bins) <= ROWS else [*_largest(bins, ROWS - 1)]
    row, left, right = 17, 96, 40
    x = Linear(0, nice_ticks(_most(bins), 2)[-1], left, WIDTH - right)
    body = Markup("")
    for i, each in enumerate(shown):
        y = i * row
        body += Markup('<text class="tick y" x="{}" y="{}">{}</text>').format(
            left - 5, y + 11, _short(each.label, 15)
        )
        if each.reference is not None:
            body += Markup('<rect class="reference" x="{}" y="{}" width="{:.1f}" height="13"/>').format(
                left, y + 1, x(each.reference) - left
            )
        body += Markup(
            '<rect class="current" x="{}" y="{}" width="{:.1f}" height="7"/>'
            '<text class="value" x="{}" y="{}">{}</text>'
        ).format(
            left,
            y + 4,
            x(each.current) - left,
            x(max(each.current, each.reference or 0)) + 4,
            y + 11,
            percent(each.current),
        )
    height = len(shown) * row
    if len(shown) < len(bins):
        body += Markup('<text class="tick bin" x="{}" y="{}">and {} more, {} together</text>').format(
            left, height + 12, len(bins) - len(shown),
            percent(max(1 - sum(each.current for each in shown), 0)),
        )  # fmt: skip
        height += row
    return figure(f"Distribution of {name}", _told(bins), body, width=WIDTH, height=height)


def _bar(style: str, x: float, wide: float, y: float, base: float) -> Markup:
    return Markup('<rect class="{}" x="{:.1f}" y="{:g}" width="{:.1f}" height="{:.1f}"/>').format(
        style, x, y, wide, base - y
    )


def _labelled(bins: Sequence[Bin], step: float) -> list[int]:
    """Bins named below the axis: all where there is room, else the ends and the middle."""
    room = max(len(_short(each.label, 16)) for each in bins) * 6.2 + 4
    if room <= step:
        return list(range(len(bins)))
    return (
        sorted({0, len(bins) // 2, len(bins) - 1})
        if len(bins) > 4 and room * 3 < WIDTH - 40
        else sorted({0, len(bins) - 1})
    )


def _largest(bins: Sequence[Bin], count: int) -> list[Bin]:
    """Return the most common categories, now or in the reference, in the order of the layout."""
    kept = sorted(bins, key=lambda each: -max(each.current, each.reference or 0.0))[:count]
    return [each for each in bins if any(each is one for one in kept)]


def _most(bins: Sequence[Bin]) -> float:
    return max(max(each.current, each.reference or 0.0) for each in bins)


def _told(bins: Sequence[Bin]) -> str:
    top = max(bins, key=lambda each: each.current)
    text = f"Most common now: {top.label}, {percent(top.current)}"
    if top.reference is not None:
        text += f" (reference {percent(top.reference)})"
        moved = max(bins, key=lambda each: abs(each.current - (each.reference or 0.0)))
        text += f". Moved most: {moved.label}, from {percent(moved.reference)} to {percent(moved.current)}"
    return text + "."


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
