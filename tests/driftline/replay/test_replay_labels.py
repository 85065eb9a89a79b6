"""A replay with labels: outcomes as the live join would have them, judged in event time."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables

from driftline.history.files import TableError
from driftline.replay.run import replay
from streams.stages.fleet import Watched

ROWS, PER_SECOND = 6_000, 1
LABELS = {"horizon": "1h", "pane": "5m", "window": "20m", "objectives": {"accuracy": 0.8}}


def watched(**changes: Any) -> dict[str, Watched]:
    return tables.watched(tables.monitor(**{"labels": LABELS} | changes))


def history() -> dict[str, Any]:
    """A hundred minutes; from the fiftieth on the model knows nothing any more."""
    table = tables.columns(ROWS, per_second=PER_SECOND)
    random = np.random.default_rng(3)
    right = (table["prediction"] >= 0.5) ^ (random.random(ROWS) < 0.05)
    guessed = random.random(ROWS) < 0.5
    table["label"] = np.where(np.arange(ROWS) < ROWS // 2, right, guessed).tolist()
    table["label_ts"] = table["ts"] + 60_000
    return table


def verdicts(path: Path, metric: str = "accuracy") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [one for one in found if one["detector"] == "performance" and one["feature"] == metric]


def run(tmp_path: Path, files: list[Path], labels: list[Path], **options: Any) -> list[dict[str, Any]]:
    out, alerts = tmp_path / "verdicts.jsonl", tmp_path / "alerts.jsonl"
    replay(
        files,
        options.pop("watched", watched()),
        labels=labels,
        verdicts_out=out,
        alerts_out=alerts,
        **options,
    )
    return verdicts(out)


def test_a_column_of_labels_in_the_same_table_is_judged(tmp_path: Path) -> None:
    path = tables.parquet(tmp_path / "a.parquet", history())
    found = run(tmp_path, [path], [path])
    judged = [one for one in found if one["status"] != "insufficient"]
    assert judged[0]["status"] == "ok"
    assert judged[-1]["status"] == "firing"
    assert judged[-1]["sentence"].startswith("accuracy 0.")
    alerts = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    drops = [one for one in alerts if one["labels"]["alertname"] == "PerformanceDrop"]
    assert drops[0]["status"] == "firing"
    assert tables.START_MS + ROWS * 500 < _ms(drops[0]["at"]) < tables.START_MS + ROWS * 750


def _ms(text: str) -> int:
    from datetime import datetime

    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_tables_and_events_with_labels_of_a_second_file_say_the_same(tmp_path: Path) -> None:
    table = history()
    whole = tables.parquet(tmp_path / "a.parquet", table)
    wanted = run(tmp_path, [whole], [whole])
    assert wanted
    csv = tables.csv(tmp_path / "a.csv", table)
    assert run(tmp_path, [csv], [csv]) == wanted
    without = {name: values for name, values in table.items() if name not in ("label", "label_ts")}
    events = tables.json_lines(tmp_path / "a.jsonl", tables.events(without))
    wire = [
        json.dumps({"id": id, "model": "churn", "label": label, "ts": int(ts)}).encode()
        for id, label, ts in zip(table["id"], table["label"], table["label_ts"], strict=True)
    ]
    np.random.default_rng(1).shuffle(wire)
    second = tables.json_lines(tmp_path / "labels.jsonl", wire)
    assert run(tmp_path, [events], [second]) == wanted
    labels = {"uid": table["id"], "y": table["label"], "ts": table["label_ts"]}
    third = tables.parquet(tmp_path / "labels.parquet", labels)
    plain = tables.parquet(tmp_path / "plain.parquet", {**without, "uid": table["id"]})
    assert run(tmp_path, [plain], [third], mapping={"id": "uid", "label": "y"}) == wanted


def test_without_ids_the_row_says_which_prediction_a_label_is_of(tmp_path: Path) -> None:
    table = history()
    with_ids = tables.parquet(tmp_path / "a.parquet", table)
    wanted = [one["score"] for one in run(tmp_path, [with_ids], [with_ids])]
    del table["id"]
    halves = [
        tables.parquet(tmp_path / f"{n}.parquet", {k: v[n * 3000 : (n + 1) * 3000] for k, v in table.items()})
        for n in (0, 1)
    ]
    assert [one["score"] for one in run(tmp_path, halves, halves)] == wanted
    with pytest.raises(TableError, match="no column 'id', of the prediction"):
        run(tmp_path, halves, halves[:1])


@pytest.mark.parametrize(
    ("prediction", "column"),
    [
        ({"type": "number"}, {"prediction": "prediction", "label": "prediction"}),
        ({"type": "class", "classes": ["free", "pro", "team"]}, {"prediction": "plan", "label": "plan"}),
    ],
)
def test_every_kind_of_prediction_has_its_metrics(
    tmp_path: Path, prediction: dict[str, Any], column: dict[str, str]
) -> None:
    table = history()
    table |= {name: table[source] for name, source in column.items()}
    path = tables.csv(tmp_path / "a.csv", table)
    labels = {name: value for name, value in LABELS.items() if name != "objectives"}
    metric = "mae" if prediction["type"] == "number" else "accuracy"
    known = watched(prediction=prediction, labels=labels)
    run(tmp_path, [path], [path], watched=known)
    found = verdicts(tmp_path / "verdicts.jsonl", metric)
    assert {one["status"] for one in found} == {"insufficient", "ok"}
    assert {one["samples"] for one in found if one["status"] == "ok"} <= set(range(200, 1201))


def test_labels_nobody_asked_for_change_nothing(tmp_path: Path) -> None:
    path = tables.parquet(tmp_path / "a.parquet", history())
    assert run(tmp_path, [path], [path], watched=tables.watched()) == []
    assert run(tmp_path, [path], []) == []


def test_a_file_without_labels_says_what_it_has(tmp_path: Path) -> None:
    table = history()
    del table["label"]
    path = tables.parquet(tmp_path / "a.parquet", table)
    with pytest.raises(
        TableError, match=r"no column 'label'; name it with --map label=COLUMN\. There are: id"
    ):
        run(tmp_path, [path], [path])
    with pytest.raises(TableError, match="no such file"):
        run(tmp_path, [path], [tmp_path / "none.parquet"])


def test_an_estimate_is_held_against_the_labels_that_come_later(tmp_path: Path) -> None:
    path = tables.parquet(tmp_path / "a.parquet", history())
    run(tmp_path, [path], [path], watched=watched(labels=LABELS | {"objectives": {"accuracy": 0.6}}))
    lines = (tmp_path / "verdicts.jsonl").read_text().splitlines()
    every = [one for one in map(json.loads, lines) if one["detector"] == "estimated_performance"]
    judged = [one for one in every if one["status"] != "insufficient"]
    assert judged
    assert judged[0]["status"] == "ok", "labels say that the model is right"
    wrong = [one for one in judged if "lately it was wrong" in one["sentence"]]
    assert wrong, "and when it knows nothing any more, that the estimate was not"
    assert _ms(wrong[0]["at"]) > tables.START_MS + ROWS * 500
    assert not any(
        _ms(one["at"]) > _ms(wrong[0]["at"]) for one in judged if "estimated at 0.95" in one["sentence"]
    )
