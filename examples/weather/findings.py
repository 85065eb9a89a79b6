"""What the replay and the labels say: alerts with their spans, and how well the model did each year."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.parquet

from driftline.monitors import load_folder
from driftline.replay import replay

HERE = Path(__file__).parent
RAIN = 0.5


@dataclass(slots=True)
class Span:
    """An alert from its first to its last day; still firing at the end of the data where ``resolved`` is not set."""

    kind: str
    feature: str
    begins: date
    ends: date
    summary: str
    resolved: bool = False


@dataclass(frozen=True, slots=True)
class Year:
    """A year of predictions beside what came true; shares of one."""

    year: int
    days: int
    correct: float
    dry: float
    predicted_rain: float
    brier: float

    @property
    def rained(self) -> float:
        """Share of days it rained."""
        return 1 - self.dry


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the page shows."""

    spans: list[Span]
    years: list[Year]
    training: Year
    panes: int
    first: date
    last: date
    impossible_pressures: list[tuple[date, float]] = field(default_factory=list)


def find() -> Findings:
    """Replay the committed predictions, and hold them against their labels."""
    predictions, training = (
        pyarrow.parquet.read_table(HERE / f"{name}.parquet").to_pylist()
        for name in ("predictions", "training")
    )
    last = predictions[-1]["ts"].date()
    panes, spans = _alerts(last)
    return Findings(
        spans=spans,
        years=[
            _year(year, list(rows)) for year, rows in groupby(predictions, key=lambda row: row["ts"].year)
        ],
        training=_year(training[0]["ts"].year, training),
        panes=panes,
        first=predictions[0]["ts"].date(),
        last=last,
        impossible_pressures=[
            (row["ts"].date(), row["pressure_hpa"])
            for row in (*training, *predictions)
            if not 870 <= row["pressure_hpa"] <= 1090
        ],
    )


def _alerts(last: date) -> tuple[int, list[Span]]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "alerts.jsonl"
        report = replay([HERE / "predictions.parquet"], load_folder(HERE / "monitors"), alerts_out=out)
        spans = list(_spans(out, last))
    return sum(report.panes.values()), spans


def _spans(path: Path, last: date) -> Iterator[Span]:
    firing: dict[tuple[str, str], Span] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        alert = json.loads(line)
        key = alert["labels"]["alertname"], alert["labels"].get("feature", "")
        at = datetime.fromisoformat(alert["at"]).date()
        if alert["status"] == "firing":
            firing[key] = Span(*key, at, last, alert["annotations"]["summary"])
            yield firing[key]
        else:
            firing[key].ends, firing[key].resolved = at, True


def _year(year: int, rows: list[dict[str, Any]]) -> Year:
    n = len(rows)
    return Year(
        year=year,
        days=n,
        correct=sum((row["prediction"] > RAIN) == (row["label"] == 1) for row in rows) / n,
        dry=sum(row["label"] == 0 for row in rows) / n,
        predicted_rain=sum(row["prediction"] for row in rows) / n,
        brier=sum((row["prediction"] - row["label"]) ** 2 for row in rows) / n,
    )
