"""What scores mean, from the labels of a reference's data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables

from detectors.estimation.calibration import Calibration
from detectors.outcomes.task import score_bin
from driftline.monitors import load_file
from driftline.reference_build import build
from streams import reference


def built(
    paths: list[Path], labels: dict[str, Any] | None = None, **options: Any
) -> tuple[reference.ReferenceFile, list[str]]:
    notes: list[str] = []
    watched = tables.monitor(labels=labels or {}, **options.pop("changes", {}))
    return build(paths, watched, note=notes.append, **options), notes


def labelled(rows: int = 1_000, seed: int = 2) -> dict[str, Any]:
    table = tables.columns(rows, seed=seed)
    right = np.random.default_rng(seed).random(rows) < table["prediction"]
    return {**table, "label": right.astype(int).tolist()}


def counted(table: dict[str, Any]) -> list[tuple[int, int, int]]:
    rows: dict[int, list[int]] = {}
    for score, label in zip(table["prediction"].tolist(), table["label"], strict=True):
        rows.setdefault(score_bin(score), [0, 0])[label] += 1
    return sorted((place, no, yes) for place, (no, yes) in rows.items())


def test_labels_of_a_table_are_counted_by_their_scores_in_any_format(tmp_path: Path) -> None:
    table = labelled()
    for path in (tables.parquet(tmp_path / "a.parquet", table), tables.csv(tmp_path / "a.csv", table)):
        found, notes = built([path])
        again = reference.load(reference.dump(found), "churn").read_scored()
        assert again["positive"].rows() == counted(table)
        assert not any("label" in note for note in notes)


def test_rows_of_several_files_have_their_own_labels_and_lines_that_are_no_rows_shift_none(
    tmp_path: Path,
) -> None:
    first, second = labelled(300, 3), labelled(200, 4)
    paths = [tables.csv(tmp_path / "a.csv", first), tables.csv(tmp_path / "b.csv", second)]
    lines = paths[0].read_text().splitlines()
    lines.insert(40, "a,line,of,too,many,cells,for,this,table,to,be,a,row")
    paths[0].write_text("\n".join(lines) + "\n")
    found, _ = built(paths)
    whole = {name: [*first[name], *second[name]] for name in ("prediction", "label")}
    whole["prediction"] = np.array(whole["prediction"])
    assert found.read_scored()["positive"].rows() == counted(whole)


def test_rows_without_a_label_are_left_out_and_odd_labels_are_told(tmp_path: Path) -> None:
    table = labelled(300)
    table["truth"] = ["yes" if one else "no" for one in table.pop("label")]
    table["truth"][:10] = [None] * 10
    path = tables.parquet(tmp_path / "a.parquet", table)
    found, _ = built([path], {"positive": "yes"}, mapping={"label": "truth"})
    assert found.read_scored()["positive"].labels == 290
    odd, notes = built([path], mapping={"label": "truth"})
    assert odd.read_scored() == {}
    assert any("290 labels left out: the label" in note for note in notes)


def test_without_labels_or_where_nobody_asked_there_are_none(tmp_path: Path) -> None:
    table = labelled(300)
    path = tables.parquet(tmp_path / "a.parquet", table)
    assert build([path], tables.monitor()).scored == {}
    del table["label"]
    found, notes = built([tables.parquet(tmp_path / "b.parquet", table)])
    assert found.scored == {}
    assert any("no column 'label'" in note for note in notes)
    held = json.loads(reference.dump(found))
    del held["scored"]
    assert reference.load(json.dumps(held).encode(), "churn").read_scored() == {}


def test_classes_have_a_table_each(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    shares = rng.dirichlet((1.0, 1.0), 300)
    table = tables.columns(300) | {
        "prediction.cat": shares[:, 0],
        "prediction.dog": shares[:, 1],
        "label": rng.choice(["cat", "dog", "cow"], 300).tolist(),
    }
    del table["prediction"]
    kind = {"prediction": {"type": "probabilities", "classes": ["cat", "dog"]}}
    found, _ = built([tables.parquet(tmp_path / "a.parquet", table)], changes=kind)
    cat, dog = (found.read_scored()[name] for name in ("cat", "dog"))
    assert cat.labels == dog.labels == 300
    assert int(cat.positives.sum()) == table["label"].count("cat")
    assert int(dog.positives.sum()) == table["label"].count("dog")


@pytest.mark.parametrize("labels", ["labels: {}", ""])
def test_a_monitor_reads_what_scores_mean_from_its_reference(tmp_path: Path, labels: str) -> None:
    found, _ = built([tables.parquet(tmp_path / "a.parquet", labelled())])
    (tmp_path / "churn.reference.json").write_bytes(reference.dump(found))
    (tmp_path / "churn.yaml").write_text(
        f"model: churn\nreference: {{file: churn.reference.json}}\n{labels}\nfeatures:\n"
        "  age: {type: number, min: 0}\n  plan: {type: category}\n  member: {type: boolean}\n"
    )
    window = load_file(tmp_path / "churn.yaml").reference
    assert window is not None
    assert isinstance(window.calibration, Calibration) == bool(labels)
    if window.calibration is not None:
        assert (window.calibration.labels, window.calibration.source) == (1_000, "the reference file")
