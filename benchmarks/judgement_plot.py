"""Draw what `judgement.py` measured, and write it into the page.

    python benchmarks/judgement_plot.py

writes ``docs/judgement.svg`` and the figures of ``docs/judgement.md`` from ``benchmarks/judgement.jsonl``, the same
for the same lines.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from html import escape
from math import log10
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "judgement.jsonl"
DOCS = HERE.parent / "docs"
BEGIN, END = "<!-- figures: python benchmarks/judgement_plot.py -->", "<!-- end of figures -->"

WIDTH, LEFT, RIGHT, ROW, TOP, GAP = 860, 230, 30, 22, 54, 70
BLUE, ORANGE, GREY, INK, PALE = "#0b6bcb", "#c2570c", "#6b7280", "#1f2937", "#e5e7eb"
Row = dict[str, Any]
#: A dot: where, colour, how far its interval goes.
Dot = tuple[float, str, tuple[float, float] | None]


class Drawing:
    """SVG elements over a logarithmic axis."""

    def __init__(self) -> None:
        self._elements: list[str] = []

    def text(
        self, x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK, bold: bool = False
    ) -> None:
        """Write a line."""
        weight = ' font-weight="600"' if bold else ""
        self._elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{weight}>{escape(text)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = PALE, width: int = 1) -> None:
        """Draw a line."""
        self._elements.append(
            f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'
        )

    def dot(self, x: float, y: float, colour: str) -> None:
        """Draw a dot."""
        self._elements.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')

    def panel(
        self, top: float, limits: tuple[int, int], unit: str, rows: Sequence[tuple[str, list[Dot]]]
    ) -> float:
        """Draw named rows of dots over powers of ten from ``limits[0]`` to ``limits[1]``; return where it ends."""
        low, high = limits

        def x(value: float) -> float:
            power = min(max(log10(max(value, 10.0**low)), low), high)
            return LEFT + (WIDTH - LEFT - RIGHT) * (power - low) / (high - low)

        bottom = top + ROW * len(rows)
        for power in range(low, high + 1):
            at = x(10.0**power)
            self.line(at, top - 6, at, bottom)
            self.text(at, bottom + 14, f"{10.0**power:,g}", anchor="middle", colour=GREY)
        self.text(WIDTH - RIGHT, bottom + 30, unit, anchor="end", colour=GREY)
        for place, (name, dots) in enumerate(rows):
            y = top + ROW * place + ROW / 2
            self.text(LEFT - 10, y + 4, name, anchor="end")
            for value, colour, interval in dots:
                if interval is not None:
                    self.line(x(interval[0]), y, x(interval[1]), y, colour, 2)
                self.dot(x(value), y, colour)
        return bottom

    def svg(self, height: float, title: str) -> str:
        """Return the drawing."""
        body = "\n".join(self._elements)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
            f'font-family="system-ui, sans-serif" font-size="12">\n<title>{escape(title)}</title>\n'
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>\n{body}\n</svg>\n'
        )


def draw(rows: Sequence[Row]) -> str:
    """Return the plots: alarms a week beside the rules of others, and delays."""
    drawing = Drawing()
    drawing.text(LEFT, 20, "False alarms per model-week, budget 1", bold=True)
    drawing.text(LEFT, 38, "● Driftline, 95 % interval", colour=BLUE)
    drawing.text(LEFT + 180, 38, "● each rule of others, as published", colour=ORANGE)
    alarms = [
        (
            one["scenario"],
            [*_published(rows, one["scenario"]), (one["per_week"], BLUE, tuple(one["interval"]))],
        )
        for one in _of(rows, "alarms")
        if one["budget"] == 1
    ]
    y = drawing.panel(TOP, (-2, 4), "alarms a week (left edge: none)", alarms)
    y += GAP + 26
    drawing.text(LEFT, y - 34, "Panes from the change to the alarm, median", bold=True)
    drawing.text(LEFT, y - 16, "● Driftline, quartiles", colour=BLUE)
    drawing.text(LEFT + 180, y - 16, "● best of the others, at the same false alarms", colour=ORANGE)
    y = drawing.panel(y, (0, 4), "panes of a minute", [_delays(rows, *key) for key in _changes(rows)])
    return drawing.svg(y + 44, "False alarms and delays of Driftline and others")


def _published(rows: Sequence[Row], scenario: str) -> list[Dot]:
    return [(one["per_week"], ORANGE, None) for one in _of(rows, "rules") if one["scenario"] == scenario]


def _delays(rows: Sequence[Row], change: str, pace: str) -> tuple[str, list[Dot]]:
    dots: list[Dot] = []
    for one in _of(rows, "delay"):
        low, middle, high = one["panes"]
        if (one["change"], one["pace"]) == (change, pace) and middle is not None:
            if one["best_peer"]:
                dots.insert(0, (middle, ORANGE, None))
            elif one["rule"] == "Driftline":
                dots.append((middle, BLUE, (low, high or one["horizon_panes"])))
    return f"{change}, {pace}", dots


def _of(rows: Sequence[Row], part: str) -> list[Row]:
    return [one for one in rows if one["part"] == part]


def _changes(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((one["change"], one["pace"]) for one in _of(rows, "delay")))


def tables(rows: Sequence[Row]) -> str:
    """Return the figures as Markdown."""
    return "\n\n".join(
        ["## False alarms", _alarms(rows), "## Delay", _delay_table(rows), "## Charts", _charts(rows)]
    )


def _alarms(rows: Sequence[Row]) -> str:
    ours = _table(
        ("healthy model", "budget", "model-weeks", "alerts", "a week (95 %)", "by detector", "within"),
        (
            (
                one["scenario"],
                one["budget"],
                one["model_weeks"],
                one["alerts"],
                _rate(one),
                _by(one),
                _mark(one),
            )
            for one in _of(rows, "alarms")
        ),
    )
    checks = _table(
        ("raw events", "budget", "model-weeks", "alerts", "a week (95 %)", "by kind", "within"),
        (
            (
                one["scenario"],
                one["budget"],
                one["model_weeks"],
                one["alerts"],
                _rate(one),
                _by(one),
                _mark(one),
            )
            for one in _of(rows, "check")
        ),
    )
    others = _table(
        ("healthy model", "published rule", "alarms a week (95 %)"),
        ((one["scenario"], one["rule"], _rate(one)) for one in _of(rows, "rules")),
    )
    return "\n\n".join((ours, checks, others))


def _delay_table(rows: Sequence[Row]) -> str:
    lines = []
    for change, pace in _changes(rows):
        mine = [one for one in _of(rows, "delay") if (one["change"], one["pace"]) == (change, pace)]
        (ours,) = [one for one in mine if one["rule"] == "Driftline"]
        best = next((one for one in mine if one["best_peer"]), None)
        theirs = ("none", "") if best is None else (best["rule"], _quartiles(best))
        found = f"{ours['found']}/{ours['seeds']}"
        least = ours["least_panes"] or "-"
        lines.append((change, pace, found, _quartiles(ours), _events(ours), *theirs, least, _mark(ours)))
    header = (
        "change",
        "pace",
        "found",
        "panes",
        "events",
        "best of others",
        "panes of it",
        "bound",
        "target met",
    )
    return _table(header, lines)


def _charts(rows: Sequence[Row]) -> str:
    return _table(
        ("chart", "parameters", "shift", "published", "simulated", "off by", "passes"),
        (
            (
                one["chart"],
                ", ".join(f"{each:g}" for each in one["parameters"]),
                one["shift"],
                f"{one['published']:g}" if one["chart"] != "evidence" else f"≥ {one['published']:g}",
                f"{one['simulated']:,.5g}",
                f"{one['off_by']:+.1%}" if one["chart"] != "evidence" else "",
                _mark(one),
            )
            for one in _of(rows, "tables")
        ),
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def _rate(row: Row) -> str:
    low, high = row["interval"]
    return f"{_figure(row['per_week'])} ({_figure(low)} to {_figure(high)})"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _by(row: Row) -> str:
    found = row.get("by_detector") or row.get("by_kind") or {}
    return ", ".join(f"{name} {count}" for name, count in sorted(found.items())) or "-"


def _mark(row: Row) -> str:
    return {True: "yes", False: "**no**"}[row["passes"]]


def _quartiles(row: Row) -> str:
    low, middle, high = ("-" if one is None else f"{one:,.0f}" for one in row["panes"])
    return f"{middle} ({low} to {high})"


def _events(row: Row) -> str:
    return "-" if row["median_events"] is None else f"{row['median_events']:,.0f}"


def page(text: str, rows: Sequence[Row]) -> str:
    """Return the page with its figures."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables(rows)}\n\n{END}{rest.partition(END)[2]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the page")
    out = parser.parse_args().out
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    (out / "judgement.svg").write_text(draw(rows), encoding="utf-8")
    source = (DOCS / "judgement.md").read_text(encoding="utf-8")
    (out / "judgement.md").write_text(page(source, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
