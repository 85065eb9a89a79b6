"""Draw the findings, and write them into the page.

    python examples/weather/plot.py

writes ``docs/weather.svg`` and the tables in ``docs/weather.md``, from the committed predictions: every figure there.
"""

import argparse
from collections import Counter
from collections.abc import Iterable
from datetime import date
from html import escape
from pathlib import Path

from findings import HERE, Findings, Span, Year, find

DOCS = HERE.parents[1] / "docs"
BEGIN, END = "<!-- figures: python examples/weather/plot.py -->", "<!-- end of figures -->"

WIDTH, LEFT, RIGHT = 860, 150, 20
ROW, PANEL, GAP, TOP = 20, 150, 52, 46
BLUE, ORANGE, GREY, INK = "#0b6bcb", "#c2570c", "#6b7280", "#1f2937"


class Drawing:
    """SVG elements on a shared axis of years.

    Parameters
    ----------
    first, last
        Years at the left and right edge.
    """

    def __init__(self, first: float, last: float) -> None:
        self._first, self._last = first, last
        self._elements: list[str] = []

    def x(self, year: float) -> float:
        """Return where a year lies."""
        return LEFT + (WIDTH - LEFT - RIGHT) * (year - self._first) / (self._last - self._first)

    def text(
        self, x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK, bold: bool = False
    ) -> None:
        """Write a line."""
        weight = ' font-weight="600"' if bold else ""
        self._elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{weight}>{escape(text)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = "#e5e7eb") -> None:
        """Draw a thin line."""
        self._elements.append(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}"/>')

    def bar(self, span: Span, y: float, colour: str) -> None:
        """Draw an alert from its first to its last day; a browser shows its evidence on hover."""
        left, right = self.x(fraction(span.begins)), self.x(fraction(span.ends))
        self._elements.append(
            f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(right - left, 2):.1f}" height="{ROW - 6}" fill="{colour}">'
            f"<title>{escape(f'{span.begins} to {span.ends}: {span.summary}')}</title></rect>"
        )

    def curve(self, points: list[tuple[float, float]], colour: str, *, dashed: bool = False) -> None:
        """Draw a line through points of the drawing."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._elements.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')

    def svg(self, height: float, title: str) -> str:
        """Return the drawing."""
        body = "\n".join(self._elements)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
            f'font-family="system-ui, sans-serif" font-size="12">\n<title>{escape(title)}</title>\n'
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>\n{body}\n</svg>\n'
        )


def fraction(day: date) -> float:
    """Return a day as a year with its fraction."""
    return day.year + (day.timetuple().tm_yday - 1) / 365.25


def draw(found: Findings) -> str:
    """Return the plot: alerts, accuracy, and rain predicted beside rain observed."""
    drawing = Drawing(1959, 1999)
    y = _draw_alerts(drawing, found.spans, TOP)
    years = [year for year in found.years if year.days > 200]
    correct = [(one.year, one.correct) for one in years]
    dry = [(one.year, one.dry) for one in years]
    y = _panel(
        drawing,
        y + GAP,
        "Days predicted right",
        [("model", BLUE, correct), ("always “dry”", GREY, dry)],
        (0.5, 0.9),
    )
    predicted = [(one.year, one.predicted_rain) for one in years]
    rained = [(one.year, one.rained) for one in years]
    y = _panel(
        drawing,
        y + GAP,
        "Rain: share of days",
        [("predicted", BLUE, predicted), ("observed", GREY, rained)],
        (0.0, 0.6),
    )
    return drawing.svg(y + 34, "Alerts and accuracy of the rain model, 1959 to 1998")


def _draw_alerts(drawing: Drawing, spans: list[Span], top: float) -> float:
    drawing.text(LEFT, top - 26, "Alerts firing", bold=True)
    drawing.text(LEFT + 95, top - 26, "■ FeatureDrift", colour=ORANGE)
    drawing.text(LEFT + 200, top - 26, "■ PredictionDrift", colour=BLUE)
    names = list(dict.fromkeys(span.feature for span in spans))
    bottom = top + ROW * len(names)
    _draw_years(drawing, top - 8, bottom)
    for row, name in enumerate(names):
        y = top + ROW * row
        drawing.text(LEFT - 8, y + 11, name, anchor="end")
        for span in spans:
            if span.feature == name:
                drawing.bar(span, y, BLUE if span.kind == "PredictionDrift" else ORANGE)
    return bottom


def _panel(
    drawing: Drawing,
    top: float,
    title: str,
    series: list[tuple[str, str, list[tuple[int, float]]]],
    limits: tuple[float, float],
) -> float:
    low, high = limits
    drawing.text(LEFT, top - 10, title, bold=True)
    for place, (name, colour, _) in enumerate(series):
        drawing.text(LEFT + 170 + 110 * place, top - 10, f"{'╌╌' if place else '━━'} {name}", colour=colour)
    _draw_years(drawing, top, top + PANEL)
    for share in (low, (low + high) / 2, high):
        y = top + PANEL * (high - share) / (high - low)
        drawing.line(LEFT, y, WIDTH - RIGHT, y)
        drawing.text(LEFT - 8, y + 4, f"{share:.0%}", anchor="end")
    for place, (_, colour, points) in enumerate(series):
        at = [(drawing.x(year + 0.5), top + PANEL * (high - share) / (high - low)) for year, share in points]
        drawing.curve(at, colour, dashed=bool(place))
    return top + PANEL


def _draw_years(drawing: Drawing, top: float, bottom: float) -> None:
    for year in range(1960, 2000, 5):
        drawing.line(drawing.x(year), top, drawing.x(year), bottom)
        drawing.text(drawing.x(year), bottom + 14, str(year), anchor="middle", colour=GREY)


def tables(found: Findings) -> str:
    """Return the figures as Markdown."""
    count = sum(year.days for year in found.years)
    alerts = Counter(span.kind for span in found.spans)
    still = ", ".join(span.feature for span in found.spans if not span.resolved)
    return "\n".join(
        [
            f"{count:,} predictions, {found.first} to {found.last}, in {found.panes} panes of 30 days: "
            f"**{len(found.spans)} alerts** ({alerts['FeatureDrift']} FeatureDrift, "
            f"{alerts['PredictionDrift']} PredictionDrift, no other kind). Firing at the end: {still}.",
            "",
            "| column | alerts | first | years firing |",
            "|---|--:|---|--:|",
            *_columns(found.spans),
            "",
            "| years | days | predicted right | always “dry” | rain predicted | rain observed | Brier score |",
            "|---|--:|--:|--:|--:|--:|--:|",
            _row("1949 to 1958 (training)", [found.training]),
            *(
                _row(f"{first} to {first + 4}", [one for one in found.years if first <= one.year < first + 5])
                for first in range(1959, 1999, 5)
            ),
            "",
            "Impossible pressures: "
            + "; ".join(f"{hpa:,} hPa on {day}" for day, hpa in found.impossible_pressures)
            + ".",
        ]
    )


def _columns(spans: list[Span]) -> list[str]:
    rows = []
    for name in dict.fromkeys(span.feature for span in spans):
        mine = [span for span in spans if span.feature == name]
        years = sum((span.ends - span.begins).days for span in mine) / 365.25
        rows.append(f"| {name} | {len(mine)} | {mine[0].begins} | {years:.1f} |")
    return rows


def _row(name: str, years: list[Year]) -> str:
    days = sum(year.days for year in years)

    def mean(values: Iterable[float]) -> float:
        return sum(value * year.days for value, year in zip(values, years, strict=True)) / days

    shares = [
        mean(one.correct for one in years),
        mean(one.dry for one in years),
        mean(one.predicted_rain for one in years),
        mean(one.rained for one in years),
    ]
    cells = " | ".join(f"{100 * share:.1f} %" for share in shares)
    return f"| {name} | {days:,} | {cells} | {mean(one.brier for one in years):.3f} |"


def written(page: str, found: Findings) -> str:
    """Return the page with its figures replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(found)}\n{END}{after}"


def main() -> None:
    """Write the plot and the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--docs", type=Path, default=DOCS, help="folder of weather.md; weather.svg goes beside it"
    )
    docs = parser.parse_args().docs
    found = find()
    (docs / "weather.svg").write_text(draw(found), encoding="utf-8")
    page = docs / "weather.md"
    page.write_text(written(page.read_text(encoding="utf-8"), found), encoding="utf-8")
    print(tables(found))


if __name__ == "__main__":
    main()
