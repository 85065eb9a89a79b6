"""Odd references and data: each is refused with its remedy, or has a meaning that is told and never raises."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables
from command_line import Run

from driftline.errors import DriftlineError
from driftline.history.columns import WrongColumnError
from driftline.history.files import TableError
from driftline.reference_build import ReferenceBuildError, build
from driftline.replay import replay
from driftline.replay.run import ReplayError
from streams import reference
from streams.stages.fleet import Watched
from streams.window import window_of

Table = dict[str, Any]


def _built(tmp_path: Path, table: Mapping[str, Any], **monitor: Any) -> tuple[Watched, list[str]]:
    """Return a monitor with a reference built of a table, and what was odd about it."""
    notes: list[str] = []
    one = tables.monitor(**monitor)
    stored = build([tables.parquet(tmp_path / "train.parquet", table)], one, note=notes.append)
    window = window_of(
        stored.read(), version="", segment="", start_ms=stored.start_ms, end_ms=stored.end_ms,
        spans=stored.read_spans(),
    )  # fmt: skip
    return Watched(one, stored.layout, window), notes


def _verdicts(tmp_path: Path, watched: Watched, table: Mapping[str, Any]) -> list[dict[str, Any]]:
    out = tmp_path / "verdicts.jsonl"
    replay([tables.parquet(tmp_path / "now.parquet", table)], {"churn": watched}, verdicts_out=out)
    return [json.loads(line) for line in out.read_text().splitlines()]


def _last(verdicts: list[dict[str, Any]], detector: str, feature: str) -> dict[str, Any]:
    return [one for one in verdicts if (one["detector"], one["feature"]) == (detector, feature)][-1]


# Refused, with the remedy.


@pytest.mark.parametrize("rows", [1, 29])
def test_a_reference_of_too_few_rows_is_refused(tmp_path: Path, rows: int) -> None:
    with pytest.raises(ReferenceBuildError, match=rf"only {rows} valid row.*at least 30.*give it more data"):
        _built(tmp_path, tables.columns(rows))
    assert _built(tmp_path, tables.columns(30))[1] == [
        "only 30 rows; below 200 a reference says little, give it more"
    ]


def test_a_reference_file_of_too_few_rows_is_not_loaded(tmp_path: Path) -> None:
    stored = build([tables.parquet(tmp_path / "train.parquet", tables.columns(30))], tables.monitor())
    stored.rows = 12
    with pytest.raises(
        reference.ReferenceError, match="from 12 rows, at least 30 are needed: build it from more"
    ):
        reference.load(reference.dump(stored), "churn")


SECONDS: dict[str, Callable[[Path, Table], Path]] = {
    "Parquet": lambda folder, table: tables.parquet(folder / "now.parquet", table),
    "CSV": lambda folder, table: tables.csv(folder / "now.csv", table),
    "JSON lines": lambda folder, table: tables.json_lines(
        folder / "now.jsonl",
        [
            json.dumps({"id": "1", "model": "churn", "prediction": 0.5, "ts": int(ts)}).encode()
            for ts in table["ts"]
        ],
    ),
}


@pytest.mark.parametrize("kind", SECONDS)
def test_times_in_epoch_seconds_are_refused_with_the_hint(tmp_path: Path, kind: str) -> None:
    table = tables.columns(50)
    table["ts"] = table["ts"] // 1000
    path = SECONDS[kind](tmp_path, table)
    for go in (lambda: build([path], tables.monitor()), lambda: replay([path], tables.watched())):
        with pytest.raises((TableError, WrongColumnError), match=r"1970.*so it is seconds; (multiply|write)"):
            go()


def test_times_of_early_1970_that_are_written_as_times_are_taken(tmp_path: Path) -> None:
    table = tables.columns(50)
    table["ts"] = (table["ts"] // 1000).astype("datetime64[ms]")
    assert replay([tables.parquet(tmp_path / "now.parquet", table)], tables.watched()).events["churn"] == 50


NO_GOOD_ROW: dict[str, tuple[Table, str]] = {
    "no number is finite": ({"age": np.full(50, np.inf)}, "50 invalid rows (age: not a finite number): mend"),
    "no prediction": ({"prediction": [None] * 50}, "50 invalid rows (prediction: missing"),
    "other models": ({"model": ["fraud"] * 50}, "50 rows of models without a monitor ('fraud'): write one"),
}


@pytest.mark.parametrize("name", NO_GOOD_ROW)
def test_a_replay_without_a_valid_row_fails_and_says_why(tmp_path: Path, name: str) -> None:
    changes, why = NO_GOOD_ROW[name]
    path = tables.parquet(tmp_path / "now.parquet", tables.columns(50) | changes)
    with pytest.raises(ReplayError, match="no valid row of model 'churn'") as caught:
        replay([path], tables.watched())
    assert why in str(caught.value)


def test_the_command_exits_1_without_a_valid_row(tmp_path: Path, driftline: Run) -> None:
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "churn.yaml").write_text("model: churn\nfeatures: {age: {type: number}}\n")
    path = tables.parquet(tmp_path / "now.parquet", tables.columns(50) | {"age": np.full(50, np.inf)})
    found = driftline("replay", str(path), "--monitors", str(tmp_path / "monitors"))
    assert found.status == 1
    assert "nothing was judged" in " ".join(found.err.split())


# Told, and with a meaning.


def test_a_constant_column_of_the_reference_is_told_and_any_other_value_is_drift(tmp_path: Path) -> None:
    watched, notes = _built(tmp_path, tables.columns(1000) | {"age": np.full(1000, 7.0)})
    assert notes == ["age: 7 in every row; any other value will read as drift"]
    same = _verdicts(tmp_path, watched, tables.columns(1000, seed=2) | {"age": np.full(1000, 7.0)})
    assert not any(one["firing"] for one in same)
    other = _verdicts(tmp_path, watched, tables.columns(1000, seed=2) | {"age": np.full(1000, 8.0)})
    assert _last(other, "psi", "age")["firing"]


def test_a_column_missing_all_through_the_reference_is_told_and_not_judged(tmp_path: Path) -> None:
    watched, notes = _built(tmp_path, tables.columns(1000) | {"age": [None] * 1000, "plan": [None] * 1000})
    assert notes == [f"{name}: missing in every row; its drift cannot be judged" for name in ("age", "plan")]
    found = _verdicts(tmp_path, watched, tables.columns(1000, seed=2))
    for name in ("age", "plan"):
        drift = _last(found, "psi", name)
        assert (drift["status"], drift["firing"]) == ("insufficient", False)
        assert "the reference" in drift["sentence"]


def test_a_column_missing_all_through_the_data_is_missing_values(tmp_path: Path) -> None:
    watched, _ = _built(tmp_path, tables.columns(1000))
    found = _verdicts(tmp_path, watched, tables.columns(1000, seed=2) | {"age": [None] * 1000})
    assert _last(found, "missing_rate", "age")["firing"]
    assert _last(found, "psi", "age")["status"] == "insufficient"


def test_listed_categories_that_were_never_seen_are_told_and_are_drift_when_they_come(tmp_path: Path) -> None:
    features = {"plan": {"type": "category", "values": ["free", "pro", "team", "gold"]}}
    watched, notes = _built(tmp_path, tables.columns(1000), features=features)
    assert notes == ["plan: 1 listed categories were never seen (gold)"]
    table = tables.columns(1000, seed=2)
    assert not any(one["firing"] for one in _verdicts(tmp_path, watched, table))
    table["plan"] = ["gold" if row % 4 == 0 else plan for row, plan in enumerate(table["plan"])]
    found = _verdicts(tmp_path, watched, table)
    assert _last(found, "psi", "plan")["firing"]
    assert not _last(found, "new_categories", "plan")["firing"]


@pytest.mark.parametrize("classes", [None, ["yes", "no"]])
def test_a_reference_of_one_class_is_told_and_the_other_class_is_drift(
    tmp_path: Path, classes: list[str] | None
) -> None:
    prediction = {"type": "class"} | ({} if classes is None else {"classes": classes})
    only = {"prediction": ["yes"] * 1000}
    watched, notes = _built(tmp_path, tables.columns(1000) | only, prediction=prediction)
    assert notes == [
        "prediction: 'yes' in every row; any other value will read as drift"
        if classes is None
        else "prediction: 1 listed categories were never seen (no)"
    ]
    same = _verdicts(tmp_path, watched, tables.columns(1000, seed=2) | only)
    assert not any(one["firing"] for one in same)
    both = tables.columns(1000, seed=2) | {"prediction": ["yes", "no"] * 500}
    assert _last(_verdicts(tmp_path, watched, both), "prediction_drift", "prediction")["firing"]


def test_a_feature_that_does_not_vary_in_a_segment_is_no_drift_of_it(tmp_path: Path) -> None:
    watched, _ = _built(tmp_path, tables.columns(3000), segments=["plan"])
    found = _verdicts(tmp_path, watched, tables.columns(9000, seed=2))
    assert not [one for one in found if one["firing"]]
    judged = [one for one in found if one["segment"] == "plan=pro" and one["status"] == "ok"]
    assert {"psi", "vanished_categories"} <= {one["detector"] for one in judged if one["feature"] == "plan"}
    moved = tables.columns(9000, seed=2)
    is_moved = (np.arange(9000) >= 6000) & (np.array(moved["plan"]) == "pro")
    moved["age"] = np.where(is_moved, moved["age"] + 30.0, moved["age"])
    assert {one["segment"] for one in _verdicts(tmp_path, watched, moved) if one["firing"]} >= {"plan=pro"}
    assert not [
        one
        for one in _verdicts(tmp_path, watched, moved)
        if one["firing"] and one["segment"] in ("plan=free", "plan=team")
    ]


def test_every_mistake_of_the_data_is_of_the_front_doors_tree() -> None:
    for kind in (TableError, WrongColumnError, ReferenceBuildError, ReplayError):
        assert issubclass(kind, DriftlineError)
