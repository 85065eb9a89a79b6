"""A picture of an alert's evidence: the current distribution in front of its reference, as PNG.

It goes with messages, so it is drawn here: in light colours, with a font of its own, from nothing but the evidence.
"""

import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from html import escape
from importlib.resources import files
from typing import NamedTuple

import resvg_py

from alerts.notification import NotifiedAlert, clip

_logger = logging.getLogger(__name__)
WIDTH, HEIGHT = 480, 270
_LEFT, _RIGHT, _TOP, _BASE = 44, 12, 60, 232
#: More bins than this are drawn together with their neighbours; more rows are left out.
MOST_BARS, MOST_ROWS = 48, 8
_NAMES = 132
_INK, _SOFT, _RULE, _REFERENCE = "#1c1b19", "#6b675f", "#e4e0d8", "#cbc4b5"
_CURRENT = {"critical": "#b3261e", "warning": "#c07a12"}
_CALM = "#14807c"


class Bar(NamedTuple):
    """A bin or category; both shares of one."""

    label: str
    reference: float
    current: float


def png(alert: NotifiedAlert) -> bytes | None:
    """Return the picture, about 10 kB in some 10 ms; None where the evidence has no distributions.

    A picture that cannot be drawn is left out, and told to the log: no message waits for it.
    """
    drawn = svg(alert)
    if not drawn:
        return None
    try:
        return bytes(
            resvg_py.svg_to_bytes(
                svg_string=drawn, width=2 * WIDTH, font_files=_fonts(), font_family="Lato",
                sans_serif_family="Lato",
            )
        )  # fmt: skip
    except Exception as error:
        _logger.error("a picture of %s cannot be drawn (%s)", alert.fingerprint, type(error).__name__)
    except BaseException as error:
        # What panics within the library is no Exception.
        if not type(error).__module__.startswith("pyo3"):
            raise
        _logger.error("a picture of %s cannot be drawn: the library broke", alert.fingerprint)
    return None


@lru_cache(maxsize=1)
def _fonts() -> list[str]:
    return [str(files("font_lato") / "files" / f"Lato-{style}.ttf") for style in ("Regular", "Bold")]


@lru_cache(maxsize=64)
def _parts(
    labels: tuple[str, ...], reference: tuple[float, ...], current: tuple[float, ...]
) -> tuple[Bar, ...]:
    bars = [Bar(*one) for one in zip(labels, reference, current, strict=True)]
    if len(bars) <= MOST_BARS:
        return tuple(bars)
    step = -(-len(bars) // MOST_BARS)
    together = [bars[at : at + step] for at in range(0, len(bars), step)]
    return tuple(
        Bar(each[0].label, sum(one.reference for one in each), sum(one.current for one in each))
        for each in together
    )


def svg(alert: NotifiedAlert) -> str:
    """Return the picture as SVG; "" where the evidence has no distributions."""
    evidence = alert.evidence
    bars = _parts(evidence.labels, evidence.reference, evidence.current)
    top = max((max(bar.reference, bar.current) for bar in bars), default=0.0)
    if not top:
        return ""
    colour = _CURRENT.get(alert.severity, _CALM)
    lies = len(bars) <= MOST_ROWS or max(len(bar.label) for bar in bars) > 24
    body = _lying(bars, top, colour) if lies else _standing(bars, top, colour)
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="Lato">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            _text(12, 22, clip(alert.subject, 68), size=14, weight="bold"),
            *_key(colour),
            *body,
            _text(12, HEIGHT - 10, clip(evidence.facts, 90), colour=_SOFT),
            "</svg>",
        )
    )


def _key(colour: str) -> Iterator[str]:
    for x, fill, word in ((12, _REFERENCE, "reference"), (92, colour, "now")):
        yield f'<rect x="{x}" y="33" width="10" height="10" fill="{fill}"/>'
        yield _text(x + 15, 42, word, colour=_SOFT)


def _standing(bars: Sequence[Bar], top: float, colour: str) -> Iterator[str]:
    step = (WIDTH - _LEFT - _RIGHT) / len(bars)
    tall = _BASE - _TOP
    for part in (0.0, 0.5, 1.0):
        y = _BASE - part * tall
        yield f'<path d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}" stroke="{_RULE}"/>'
        yield _text(_LEFT - 6, y + 4, _percent(part * top), anchor="end", colour=_SOFT)
    for index, bar in enumerate(bars):
        x = _LEFT + index * step
        for share, fill, inset in ((bar.reference, _REFERENCE, 0.04), (bar.current, colour, 0.24)):
            height = share / top * tall
            yield (
                f'<rect x="{x + inset * step:.1f}" y="{_BASE - height:.1f}" width="{step * (1 - 2 * inset):.1f}" '
                f'height="{height:.1f}" fill="{fill}"/>'
            )
    ends = ((0, "start", _LEFT), (len(bars) // 2, "middle", None), (len(bars) - 1, "end", WIDTH - _RIGHT))
    for index, anchor, at in ends:
        x = _LEFT + (index + 0.5) * step if at is None else at
        yield _text(x, _BASE + 15, clip(bars[index].label, 22), anchor=anchor, colour=_SOFT)


def _lying(bars: Sequence[Bar], top: float, colour: str) -> Iterator[str]:
    kept = sorted(bars, key=lambda bar: -max(bar.reference, bar.current))[:MOST_ROWS]
    shown = [bar for bar in bars if bar in kept][:MOST_ROWS]
    wide, row = WIDTH - _NAMES - 56, 20
    for index, bar in enumerate(shown):
        y = _TOP + index * row
        yield _text(_NAMES - 8, y + 12, clip(bar.label, 20), anchor="end")
        yield f'<rect x="{_NAMES}" y="{y}" width="{bar.reference / top * wide:.1f}" height="15" fill="{_REFERENCE}"/>'
        yield f'<rect x="{_NAMES}" y="{y + 4}" width="{bar.current / top * wide:.1f}" height="7" fill="{colour}"/>'
        end = _NAMES + max(bar.reference, bar.current) / top * wide
        yield _text(end + 5, y + 12, _percent(bar.current), colour=_SOFT)
    if len(shown) < len(bars):
        y = _TOP + len(shown) * row + 10
        yield _text(_NAMES, y, f"and {len(bars) - len(shown)} more", colour=_SOFT)


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    colour: str = _INK,
    size: int = 11,
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _percent(share: float) -> str:
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 or not value else f"{value:.2g} %"
