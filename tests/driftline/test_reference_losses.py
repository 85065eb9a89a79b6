"""Which errors to expect of numbers, from the labels of a reference's data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables
from numpy.typing import NDArray

from detectors.estimation.losses import LOSSES, LossModel
from detectors.window import Window
from driftline import reference_losses
from driftline.errors import ConfigError
from driftline.history.files import Reading, read
from driftline.monitors import load_file
from driftline.reference_build import build
from driftline.thresholds import explain
from streams import reference
from streams.layout import Layout
from streams.monitor import Monitor
from streams.profile import Profile
from streams.stages.fleet import Watched
from streams.window import window_of

YAML = (
    "model: churn\nreference: {file: churn.reference.json}\nlabels: {objectives: {mae: 3.0, rmse: 4.0}}\n"
    "prediction: {type: number}\nfeatures:\n  age: {type: number, min: 0}\n  plan: {type: category}\n"
    "  member: {type: boolean}\nwindows: {pane: 10s, current: 1m, min_samples: 200}\n"
)


def monitor(**changes: Any) -> Monitor:
    return tables.monitor(prediction={"type": "number"}, labels={}, **changes)


def labelled(rows: int = 4_000, seed: int = 2, older: float = 0.0) -> dict[str, Any]:
    """Return predictions whose errors grow with the age, and are larger for members."""
    table = tables.columns(rows, seed=seed)
    rng = np.random.default_rng([seed, 7])
    age = np.round(np.clip(rng.normal(40.0 + older, 8.0, rows), 1.0, None), 2)
    deviation = 0.2 + 0.05 * np.clip(age - 20.0, 0.0, None) + np.where(table["member"], 1.0, 0.0)
    said = np.round(2.0 * age + rng.normal(size=rows), 4)
    return {
        **table,
        "age": age,
        "prediction": said,
        "label": np.round(said - rng.normal(size=rows) * deviation, 4),
    }


def built(path: Path, table: dict[str, Any], **options: Any) -> tuple[reference.ReferenceFile, list[str]]:
    notes: list[str] = []
    found = build([tables.parquet(path / "a.parquet", table)], monitor(), note=notes.append, **options)
    return found, notes


def placed(path: Path, found: reference.ReferenceFile) -> Watched:
    (path / "churn.reference.json").write_bytes(reference.dump(found))
    (path / "churn.yaml").write_text(YAML)
    return load_file(path / "churn.yaml")


def window(path: Path, layout: Layout, table: dict[str, Any]) -> Window:
    """Return the window of a table, folded as stage 1 does."""
    profile, file = Profile(layout), tables.parquet(path / "b.parquet", table)
    watched = {"churn": Watched(monitor(), layout)}
    for _, chunk in read([file], watched, mapping={}, reading=Reading(), timed=False):
        for rows in chunk.decoded.models.values():
            profile.fold(rows.batch)
    return window_of(profile, version="", segment="", start_ms=0, end_ms=1)


def learnt(watched: Watched) -> LossModel:
    assert watched.reference is not None
    assert watched.reference.loss_model is not None
    return watched.reference.loss_model


def realised(table: dict[str, Any]) -> dict[str, float]:
    errors: NDArray[np.float64] = np.asarray(table["prediction"]) - np.asarray(table["label"])
    return {"mae": float(np.abs(errors).mean()), "rmse": float((errors**2).mean() ** 0.5)}


def test_a_reference_with_labels_tells_what_errors_other_inputs_bring(tmp_path: Path) -> None:
    found, notes = built(tmp_path, labelled())
    assert not any("label" in note for note in notes)
    watched = placed(tmp_path, found)
    model = learnt(watched)
    assert (model.labels, model.source, model.why) == (4_000, "the reference file", "")
    assert {one.name for one in model.columns} == {"age", "member", "prediction"}
    for seed, older in ((3, 0.0), (4, 6.0), (5, -6.0)):
        fresh = labelled(3_000, seed, older)
        estimates = model.of_window(window(tmp_path, watched.layout, fresh))
        for name, truth in realised(fresh).items():
            assert estimates[name].low < truth < estimates[name].high, (name, older)
    harder = model.of_window(window(tmp_path, watched.layout, labelled(3_000, 4, 6.0)))
    assert (harder["mae"].value or 0.0) > 1.1 * (model.usual()["mae"].value or 0.0)


def test_over_the_reference_itself_the_estimate_is_its_own_metric(tmp_path: Path) -> None:
    table = labelled()
    watched = placed(tmp_path, built(tmp_path, table)[0])
    assert watched.reference is not None
    for name, truth in realised(table).items():
        assert learnt(watched).usual()[name].value == pytest.approx(truth, rel=1e-9)
        assert learnt(watched).of_window(watched.reference)[name].value == pytest.approx(truth, rel=2e-3)


def test_any_format_and_text_that_spells_numbers_come_to_the_same(tmp_path: Path) -> None:
    table = labelled(1_000)
    first, _ = built(tmp_path, table)
    texts = {**table, "label": [f"{one:.4f}" for one in table["label"]]}
    for path in (tables.csv(tmp_path / "a.csv", table), tables.parquet(tmp_path / "t.parquet", texts)):
        assert build([path], monitor()).losses == first.losses


def test_rows_without_labels_are_left_out_and_odd_ones_are_told(tmp_path: Path) -> None:
    table = labelled(1_500)
    truth = [f"{one:.4f}" for one in table.pop("label")]
    truth[:100] = [""] * 50 + ["n/a"] * 30 + ["inf"] * 20
    found, notes = built(tmp_path, table | {"truth": truth}, mapping={"label": "truth"})
    assert found.losses is not None
    assert found.losses.labels == 1_400
    assert any("50 labels left out: no finite numbers" in note for note in notes)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            labelled(300),
            "of the reference file only 300 rows can be used for it, with a label; 500 are needed",
        ),
        (
            labelled(900) | {"label": np.full(900, 5.0)},
            "the label is 5 in all 900 rows of the reference file",
        ),
        (
            labelled(900) | {"label": labelled(900)["prediction"]},
            "the error is 0 in all 900 rows of the reference file",
        ),
    ],
)
def test_data_that_say_nothing_of_errors_are_told_at_the_build_and_in_the_explanation(
    tmp_path: Path, table: dict[str, Any], said: str
) -> None:
    found, notes = built(tmp_path, table)
    assert any(f"no error can be expected before labels: {said}" in note for note in notes)
    watched = placed(tmp_path, found)
    assert said in learnt(watched).why
    rows = [row for row in explain(watched) if row["detector"] == "estimated_performance"]
    assert [row["feature"] for row in rows] == ["mae", "rmse"]
    assert all(f"says nothing, because {said}" in str(row["why"]) for row in rows)


def test_the_explanation_tells_by_which_columns_errors_are_expected(tmp_path: Path) -> None:
    watched = placed(tmp_path, built(tmp_path, labelled())[0])
    why = next(str(row["why"]) for row in explain(watched) if row["feature"] == "rmse")
    assert "expects errors by the bins of 'age'" in why or "by the bins of 'member'" in why
    assert "from 4,000 labels of the reference file" in why


def test_files_of_before_and_data_without_labels_know_no_errors(tmp_path: Path) -> None:
    found, _ = built(tmp_path, labelled(600))
    old = json.loads(reference.dump(found))
    del old["losses"]
    assert placed(tmp_path, reference.load(json.dumps(old).encode(), "churn")).reference is not None
    watched = load_file(tmp_path / "churn.yaml")
    assert watched.reference is not None
    assert watched.reference.loss_model is None
    why = next(str(row["why"]) for row in explain(watched) if row["feature"] == "mae")
    assert "says nothing: no reference file with a column 'label'" in why
    table = labelled(600)
    del table["label"]
    bare, notes = built(tmp_path, table)
    assert bare.losses is None
    assert any("no column 'label': which errors to expect" in note for note in notes)


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    found, _ = built(tmp_path, labelled(1_000))
    assert found.losses is not None
    found.losses.columns[0].cells += 1
    with pytest.raises(ConfigError, match="damaged"):
        placed(tmp_path, found)
    found.losses.columns[0].cells -= 1
    found.losses.blocks += 1
    with pytest.raises(ConfigError, match="numbers of expected errors"):
        placed(tmp_path, found)


def test_of_many_rows_a_sample_is_learnt_from_whatever_the_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_losses, "MOST_ROWS", 1_000)
    table = labelled(6_000)
    whole, _ = built(tmp_path, table)
    halves = [
        tables.parquet(
            tmp_path / f"{at}.parquet", {name: values[at : at + 3_000] for name, values in table.items()}
        )
        for at in (0, 3_000)
    ]
    parts = build(halves, monitor())
    assert whole.losses is not None
    assert whole.losses.labels == 1_000
    assert parts.losses == whole.losses
    model = learnt(placed(tmp_path, whole))
    assert model.of_window(window(tmp_path, whole.layout, table))["mae"].value == pytest.approx(
        realised(table)["mae"], rel=0.1
    )
    assert set(model.usual()) == set(LOSSES)
