"""Train the rain model on the first ten years, and write what it predicts.

    python examples/weather/train.py

writes ``training.parquet`` (the ten years, for the reference) and ``predictions.parquet`` (the other forty, with
labels). The same files come out every time.
"""

import argparse
import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
from river import compose, linear_model, optim, preprocessing

HERE = Path(__file__).parent
FEATURES = (
    "temperature_f", "dew_point_f", "pressure_hpa", "visibility_miles",
    "wind_knots", "max_wind_knots", "max_temperature_f", "min_temperature_f",
)  # fmt: skip
MODEL = "rain"
VERSION = "1958"
#: Assumed: the file has no dates (SOURCE.md).
FIRST_DAY = datetime(1949, 1, 1, tzinfo=UTC)
TRAINING_ROWS = 3650
PASSES = 5
#: No pressure at sea level was ever outside; such rows are slips of the record, and not learned from.
PLAUSIBLE_PRESSURE_HPA = (870.0, 1090.0)

Row = dict[str, float]


def load(path: Path = HERE / "noaa_weather.csv") -> tuple[list[Row], list[int]]:
    """Return the features of each day, and whether it rained."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return [dict(zip(FEATURES, map(float, row[:8]), strict=True)) for row in rows], [
        int(row[8]) for row in rows
    ]


def train(rows: list[Row], labels: list[int]) -> Any:
    """Return a logistic regression, trained by stochastic gradient descent in the order of time."""
    model = compose.Pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression(optimizer=optim.SGD(0.01))
    )
    low, high = PLAUSIBLE_PRESSURE_HPA
    for _ in range(PASSES):
        for features, label in zip(rows, labels, strict=True):
            if low <= features["pressure_hpa"] <= high:
                model.learn_one(features, label)
    return model


def table(model: Any, rows: list[Row], labels: list[int], first_row: int) -> Any:
    """Return predictions as Driftline reads them: a row each, features as columns."""
    days = [FIRST_DAY + timedelta(days=first_row + row) for row in range(len(rows))]
    return pa.table(
        {
            "id": [f"rain-{day:%Y-%m-%d}" for day in days],
            "model": pa.array([MODEL] * len(rows)).dictionary_encode(),
            "version": pa.array([VERSION] * len(rows)).dictionary_encode(),
            "ts": pa.array(days, pa.timestamp("ms", "UTC")),
            **{name: [row[name] for row in rows] for name in FEATURES},
            "prediction": [round(model.predict_proba_one(row)[True], 6) for row in rows],
            "label": pa.array(labels, pa.int8()),
        }
    )


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    out = parser.parse_args().out
    rows, labels = load()
    model = train(rows[:TRAINING_ROWS], labels[:TRAINING_ROWS])
    for name, part in (("training", slice(0, TRAINING_ROWS)), ("predictions", slice(TRAINING_ROWS, None))):
        made = table(model, rows[part], labels[part], part.start)
        pa.parquet.write_table(made, out / f"{name}.parquet", compression="zstd")
        print(f"{out / name}.parquet: {len(made):,} rows")


if __name__ == "__main__":
    main()
