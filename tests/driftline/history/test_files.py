"""Tables and JSON lines come in as the rows they hold, and say what is wrong with them."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables
from tables import START_MS

from driftline.errors import DriftlineError
from driftline.history.columns import WrongColumnError
from driftline.history.files import Chunk, Reading, TableError, parse_mapping, read
from driftline.history.plan import MissingColumnError
from streams.bad_event import BadEvent
from streams.batch import Batch, hash_ids


def chunks(*files: Path, watched: Any = None, mapping: Any = None, **options: Any) -> list[Chunk]:
    models = watched or tables.watched()
    found = read(files, models, mapping=mapping or {}, reading=options.pop("reading", Reading()), **options)
    return [chunk for _, chunk in found]


def batch_of(*files: Path, **options: Any) -> Batch:
    (chunk,) = chunks(*files, **options)
    return chunk.decoded.models["churn"].batch


def bad_of(*files: Path, **options: Any) -> list[BadEvent]:
    return [bad for chunk in chunks(*files, **options) for bad in chunk.decoded.bad]


def assert_same(one: Batch, other: Batch) -> None:
    for name in ("offsets", "ts_ms", "record_ms", "id_hashes", "errors", "numbers"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert [list(texts) for texts in one.texts] == [list(texts) for texts in other.texts]
    assert list(one.versions) == list(other.versions)
    assert [list(values) for values in one.segments] == [list(values) for values in other.segments]


def test_parquet_csv_and_json_lines_of_the_same_rows_are_the_same_batch(tmp_path: Path) -> None:
    table = tables.columns(500)
    table["age"][7] = np.nan
    from_events = batch_of(tables.json_lines(tmp_path / "a.jsonl", tables.events(table)))
    assert_same(batch_of(tables.parquet(tmp_path / "a.parquet", table)), from_events)
    table["age"] = [None if np.isnan(age) else age for age in table["age"].tolist()]
    assert_same(batch_of(tables.csv(tmp_path / "a.csv", table)), from_events)


def test_gzipped_text_is_read_as_it_is(tmp_path: Path) -> None:
    plain = tables.csv(tmp_path / "a.csv", tables.columns(300))
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert_same(batch_of(packed), batch_of(plain))


def test_row_numbers_go_on_over_files(tmp_path: Path) -> None:
    one = tables.parquet(tmp_path / "one.parquet", tables.columns(30))
    two = tables.csv(tmp_path / "two.csv", tables.columns(20))
    offsets = np.concatenate([chunk.offsets for chunk in chunks(one, two)])
    assert offsets.tolist() == list(range(50))


def test_a_missing_id_is_the_row_number_and_a_missing_model_the_only_monitor(tmp_path: Path) -> None:
    table = tables.columns(12)
    del table["id"]
    found = batch_of(tables.parquet(tmp_path / "a.parquet", table))
    assert found.id_hashes.tolist() == hash_ids([str(row) for row in range(12)]).tolist()


def test_several_monitors_need_a_model_column(tmp_path: Path) -> None:
    both = tables.watched(tables.monitor(), tables.monitor("fraud"))
    table = tables.columns(10)
    with pytest.raises(MissingColumnError, match=r"no column 'model' \(2 monitors.*--map model=COLUMN"):
        chunks(tables.parquet(tmp_path / "a.parquet", table), watched=both)
    table["model"] = ["churn", "fraud", "other", None, "churn"] * 2
    (chunk,) = chunks(tables.parquet(tmp_path / "b.parquet", table), watched=both)
    assert {model: rows.rows.tolist() for model, rows in chunk.decoded.models.items()} == {
        "churn": [0, 4, 5, 9],
        "fraud": [1, 6],
    }
    assert chunk.decoded.unmonitored["other"].rows.tolist() == [2, 7]
    assert [bad.row for bad in chunk.decoded.bad] == [3, 8]


def test_a_table_without_a_time_names_map(tmp_path: Path) -> None:
    table = tables.columns(10)
    table["timestamp"] = table.pop("ts")
    path = tables.parquet(tmp_path / "a.parquet", table)
    with pytest.raises(MissingColumnError, match=r"no column 'ts'.*--map ts=COLUMN.*timestamp"):
        chunks(path)
    assert batch_of(path, mapping={"ts": "timestamp"}).ts_ms[0] == START_MS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ts", "no pair"),
        ("ts=", "no pair"),
        ("=a", "no pair"),
        ("ts=a,ts=b", "twice"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        parse_mapping(text)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"agee": "age"}, "'agee' is neither a field"),
        ({"age": "years"}, r"has no column 'years'; there are: age, id"),
    ],
)
def test_a_mapping_must_fit_the_file_and_the_monitor(
    tmp_path: Path, mapping: dict[str, str], message: str
) -> None:
    path = tables.parquet(tmp_path / "a.parquet", tables.columns(10))
    with pytest.raises(MissingColumnError, match=message):
        chunks(path, mapping=mapping)


def test_json_lines_take_no_mapping(tmp_path: Path) -> None:
    path = tables.json_lines(tmp_path / "a.jsonl", tables.events(tables.columns(3)))
    with pytest.raises(TableError, match="--map is for tables"):
        chunks(path, mapping={"ts": "t"})


def test_a_feature_named_like_a_field_has_its_own_column(tmp_path: Path) -> None:
    declared = tables.watched(tables.monitor(features={"version": {"type": "category"}}))
    table = tables.columns(2) | {"features.version": ["A", "B"]}
    found = batch_of(tables.parquet(tmp_path / "a.parquet", table), watched=declared)
    assert (list(found.versions), list(found.texts[0])) == (["1.4.2", "1.4.2"], ["A", "B"])


def test_nested_columns_and_segments_are_found(tmp_path: Path) -> None:
    table = tables.columns(2)
    for name in ("age", "plan", "member"):
        del table[name]
    table["features"] = [
        {"age": 30.0, "plan": "pro", "member": True},
        {"age": None, "plan": None, "member": None},
    ]
    table["country"] = ["DE", None]
    declared = tables.watched(tables.monitor(segments=["country"]))
    found = batch_of(tables.parquet(tmp_path / "a.parquet", table), watched=declared)
    np.testing.assert_array_equal(found.numbers[:, 0], [30.0, np.nan])
    assert [list(texts) for texts in found.texts] == [["pro", None], ["true", None]]
    assert [list(values) for values in found.segments] == [["DE", ""]]


def test_a_column_per_class_makes_probabilities(tmp_path: Path) -> None:
    classes = tables.monitor(prediction={"type": "probabilities", "classes": ["no", "yes"]})
    table = tables.columns(2) | {"prediction.no": [0.25, 0.5], "prediction.yes": [0.75, 0.5]}
    found = batch_of(tables.parquet(tmp_path / "a.parquet", table), watched=tables.watched(classes))
    np.testing.assert_array_equal(found.numbers[:, 1:3], [[0.25, 0.75], [0.5, 0.5]])


def test_absent_features_are_noted_once_and_missing(tmp_path: Path) -> None:
    reading = Reading()
    table = tables.columns(10)
    del table["plan"]
    found = batch_of(tables.parquet(tmp_path / "a.parquet", table), reading=reading)
    assert list(found.texts[0]) == [None] * 10
    assert [note.split(": ", 1)[1] for note in reading.notes] == [
        "no column for 1 feature of churn (plan); all missing"
    ]


def test_a_table_with_none_of_the_features_is_refused(tmp_path: Path) -> None:
    table = {
        name: values for name, values in tables.columns(5).items() if name not in ("age", "plan", "member")
    }
    with pytest.raises(MissingColumnError, match=r"none of the features of churn is a column.*--map"):
        chunks(tables.parquet(tmp_path / "a.parquet", table))


def test_a_column_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ts,prediction,age,age\n1,0.5,3,4\n")
    with pytest.raises(DriftlineError, match="'age' is there twice"):
        chunks(path)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("age", ["old"] * 4, "'age' holds 'old', a number is needed"),
        ("age", [True] * 4, "'age' is bool, a number is needed"),
        ("plan", [0.5] * 4, "'plan' is double, a category is needed"),
        ("member", ["maybe"] * 4, "'member' holds 'maybe', true or false is needed"),
        ("ts", [0.5] * 4, "'ts' is double, a time is needed"),
        ("ts", [START_MS * 1_000_000] * 4, "no time in milliseconds"),
        ("ts", ["yesterday"] * 4, "'ts' holds 'yesterday', a time"),
    ],
)
def test_a_column_of_the_wrong_type_is_named(
    tmp_path: Path, column: str, values: list[Any], message: str
) -> None:
    path = tables.parquet(tmp_path / "a.parquet", tables.columns(4) | {column: values})
    with pytest.raises(WrongColumnError, match=message) as raised:
        chunks(path)
    assert str(path) in str(raised.value)


def test_a_wrong_cell_costs_its_row_only(tmp_path: Path) -> None:
    table = {
        name: [str(value) for value in np.asarray(values).tolist()]
        for name, values in tables.columns(9).items()
    }
    table["age"][1] = "old"
    table["member"][2] = "maybe"
    table["ts"][3] = "yesterday"
    table["latency_ms"][4] = "-1"
    table["prediction"][5] = ""
    table["age"][6] = "inf"
    table["age"][7] = ""
    path = tables.csv(tmp_path / "a.csv", table)
    assert [(bad.row, bad.reason.split(":")[0]) for bad in bad_of(path)] == [
        (1, "age"), (2, "member"), (3, "ts"), (4, "latency_ms"), (5, "prediction"), (6, "age"),
    ]  # fmt: skip
    found = batch_of(path)
    assert found.offsets.tolist() == [0, 7, 8]
    assert np.isnan(found.numbers[1, 0])


def test_lines_with_too_many_cells_are_invalid_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ts,prediction,age,plan,member\n1000,0.5,3,pro,true\n2000,0.5\n3000,0.5,4,free,false\n")
    (bad,) = bad_of(path)
    assert (bad.model, bad.reason) == ("churn", "a line has 2 cells where the header has 5")
    assert batch_of(path).ts_ms.tolist() == [1000, 3000]


def test_a_failed_prediction_needs_none(tmp_path: Path) -> None:
    table = tables.columns(3) | {"prediction": [0.5, None, None], "error": [None, "timeout", None]}
    path = tables.parquet(tmp_path / "a.parquet", table)
    assert batch_of(path).errors.tolist() == [False, True]
    assert [bad.row for bad in bad_of(path)] == [2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.parquet", b"", "the file is empty"),
        ("a.parquet", b"PAR1 no such thing PAR1", "cannot be read as parquet"),
        ("a.csv", b"\xff\xfe\x00a,b\n1,2\n", "cannot be read as csv|no column"),
        ("a.xlsx", b"x", "cannot tell its format by its name.*.parquet"),
        ("a.csv.gz", b"no gzip", "cannot be read"),
    ],
)
def test_files_that_cannot_be_read_say_so(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DriftlineError, match=message) as raised:
        chunks(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("name", ["none.parquet", "none.csv", "none.jsonl"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(TableError, match="no such file"):
        chunks(tmp_path / name)


def test_a_file_without_rows_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ts,prediction,age\n")
    reading = Reading()
    assert sum(map(len, chunks(path, reading=reading))) == 0
    assert f"{path}: holds no rows" in reading.notes


def test_bad_json_lines_are_bad_events(tmp_path: Path) -> None:
    lines = [*tables.events(tables.columns(2)), b"{", b'{"model": "churn"}', b""]
    path = tables.json_lines(tmp_path / "a.jsonl", lines)
    assert [(bad.row, bad.code.value) for bad in bad_of(path)] == [(2, "not_json"), (3, "missing_field")]


def test_attributions_are_columns_named_so_nested_or_mapped(tmp_path: Path) -> None:
    table = tables.columns(4)
    flat = table | {"attributions.age": [0.5, None, None, -1.0], "attributions.plan": [1.0, 2.0, None, None]}
    wanted = [[0.5, 0.0, 1.0], [0.0, 0.0, 2.0], [np.nan] * 3, [-1.0, 0.0, 0.0]]
    features = tables.watched()["churn"].layout.features
    order = [("age", "member", "plan").index(name) for name in features]
    nested = table | {
        "attributions": [
            {"age": age, "plan": plan}
            for age, plan in zip(flat["attributions.age"], flat["attributions.plan"], strict=True)
        ]
    }
    named = table | {"shap_age": flat["attributions.age"], "shap_plan": flat["attributions.plan"]}
    mapping = {"attributions.age": "shap_age", "attributions.plan": "shap_plan"}
    for path, options in [
        (tables.parquet(tmp_path / "flat.parquet", flat), {}),
        (tables.csv(tmp_path / "flat.csv", flat), {}),
        (tables.parquet(tmp_path / "nested.parquet", nested), {}),
        (tables.parquet(tmp_path / "named.parquet", named), {"mapping": mapping}),
    ]:
        found = batch_of(path, **options).attributions
        assert found is not None
        np.testing.assert_array_equal(found, np.array(wanted)[:, order])
    assert batch_of(tables.parquet(tmp_path / "none.parquet", table)).attributions is None


def test_an_attribution_that_is_no_number_costs_its_row_alone(tmp_path: Path) -> None:
    table = tables.columns(3) | {"attributions.age": ["0.5", "much", "1.5"]}
    (bad,) = bad_of(tables.csv(tmp_path / "a.csv", table))
    assert (bad.row, bad.reason) == (1, "attributions.age: not a finite number")
    with pytest.raises(MissingColumnError, match=r"'attributions\.size' is neither a field"):
        chunks(tmp_path / "a.csv", mapping={"attributions.size": "attributions.age"})
