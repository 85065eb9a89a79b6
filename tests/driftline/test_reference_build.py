"""A reference is built from a table, loads again, and says in words what is odd about its data."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables
from scipy.stats import spearmanr
from tables import START_MS

from detectors.attributions import ranks
from detectors.sentence import percent
from detectors.window import Window
from driftline import reference_build
from driftline.errors import DriftlineError
from driftline.history import files
from driftline.monitors import load_file, load_monitor
from driftline.reference_build import ReferenceBuildError, build
from driftline.replay import replay
from streams import reference
from streams.segment_values import remarks


def built(path: Path, **options: Any) -> tuple[reference.ReferenceFile, list[str]]:
    notes: list[str] = []
    return build([path], tables.monitor(), note=notes.append, **options), notes


def test_a_reference_loads_again_as_the_window_of_its_monitor(tmp_path: Path) -> None:
    path = tables.parquet(tmp_path / "train.parquet", tables.columns(2000))
    found, notes = built(path)
    (tmp_path / "churn.reference.json").write_bytes(reference.dump(found))
    (tmp_path / "churn.yaml").write_text(
        "model: churn\nreference: {file: churn.reference.json}\nfeatures:\n"
        "  age: {type: number, min: 0}\n  plan: {type: category}\n  member: {type: boolean}\n"
    )
    watched = load_file(tmp_path / "churn.yaml")
    assert watched.reference is not None
    assert watched.layout.hash == found.layout.hash
    age, plan = watched.reference.features["age"], watched.reference.features["plan"]
    assert (watched.reference.events, age.count, plan.labels) == (
        2000,
        2000,
        ("free", "pro", "team", "(other)"),
    )
    assert age.bins.min() >= 150
    assert notes == []


def test_it_keeps_the_counts_of_its_spans_where_it_has_times(tmp_path: Path) -> None:
    table = tables.columns(2000)
    timed, _ = built(tables.parquet(tmp_path / "timed.parquet", table))
    (spans,) = timed.read_spans()
    again = reference.load(reference.dump(timed), "churn")
    assert np.array_equal(again.read_spans()[0], spans)
    profile = timed.read()
    assert np.array_equal(spans[:, : len(profile.bins)].sum(axis=0), profile.bins)
    del table["ts"]
    untimed, _ = built(tables.parquet(tmp_path / "untimed.parquet", table))
    assert untimed.read_spans() == ()


def test_a_reference_file_from_before_there_were_spans_is_read(tmp_path: Path) -> None:
    found, _ = built(tables.parquet(tmp_path / "train.parquet", tables.columns(500)))
    held = json.loads(reference.dump(found))
    del held["spans"]
    assert reference.load(json.dumps(held).encode(), "churn").read_spans() == ()


def test_it_keeps_the_pairs_of_its_number_features_whole_and_by_span(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    first = rng.normal(size=4000)
    table = {
        "ts": [START_MS + row * 1000 for row in range(4000)],
        "a": first.tolist(),
        "b": (0.8 * first + 0.6 * rng.normal(size=4000)).tolist(),
    }
    path = tmp_path / "pairs.yaml"
    path.write_text(
        "model: churn\nreference: {file: churn.reference.json}\n"
        "features:\n  a: {type: number}\n  b: {type: number}\n"
    )
    _, declared = load_monitor(path)
    found = build([tables.parquet(tmp_path / "pairs.parquet", table)], declared)
    (tmp_path / "churn.reference.json").write_bytes(reference.dump(found))
    usual = load_file(path).reference
    assert usual is not None
    assert usual.pairs is not None
    assert usual.pairs.names == ("a", "b")
    told = spearmanr(table["a"], table["b"]).statistic
    assert usual.pairs.of_pairs.values[0] == pytest.approx(told, abs=0.02)
    (spans,) = usual.pairs.spans
    assert len(spans) == 20
    whole = np.concatenate((usual.pairs.counts.reshape(-1), usual.pairs.gram.reshape(-1)))
    assert np.array_equal(spans.sum(axis=0), whole)
    held = json.loads(reference.dump(found))
    del held["pair_spans"]
    (tmp_path / "churn.reference.json").write_text(json.dumps(held))
    again = load_file(path).reference
    assert again is not None
    assert again.pairs is not None
    assert again.pairs.spans == ()


def test_it_says_where_it_comes_from(tmp_path: Path) -> None:
    path = tables.parquet(tmp_path / "train.parquet", tables.columns(500))
    found, _ = built(path)
    assert (found.source, found.rows) == ("train.parquet", 500)
    assert found.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.start_ms, found.end_ms) == (START_MS, START_MS + 49_901)


def test_a_table_needs_neither_times_nor_predictions(tmp_path: Path) -> None:
    table = tables.columns(500)
    for name in ("ts", "prediction", "id", "latency_ms"):
        del table[name]
    found, notes = built(tables.parquet(tmp_path / "train.parquet", table))
    assert (found.rows, found.start_ms, found.end_ms) == (500, 0, 0)
    assert any("no column for the prediction of churn" in note for note in notes)


def test_chunks_and_formats_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tables.columns(1500)
    whole, _ = built(tables.parquet(tmp_path / "a.parquet", table))
    lines, _ = built(tables.json_lines(tmp_path / "a.jsonl", tables.events(table)))
    monkeypatch.setattr(files, "CHUNK_ROWS", 100)
    cut, _ = built(tmp_path / "a.parquet")
    for other in (lines, cut):
        assert other.layout == whole.layout
        assert other.read().bins.tolist() == whole.read().bins.tolist()
        np.testing.assert_allclose(other.read().mean, whole.read().mean, rtol=1e-9)


def test_bins_of_a_sample_are_the_same_in_any_chunking_and_near_the_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tables.parquet(tmp_path / "a.parquet", tables.columns(20_000))
    exact, _ = built(path)
    monkeypatch.setattr(reference_build, "SAMPLE_ROWS", 2_000)
    sampled, _ = built(path)
    monkeypatch.setattr(files, "CHUNK_ROWS", 333)
    assert built(path)[0].layout == sampled.layout != exact.layout
    shares = sampled.read().bins[:10] / 20_000
    assert sampled.rows == 20_000
    np.testing.assert_allclose(shares, 0.1, atol=0.03)


def test_odd_columns_are_told_in_words(tmp_path: Path) -> None:
    table = tables.columns(150)
    table["age"] = np.full(150, 7.0)
    table["plan"] = [None] * 150
    table["member"] = [True] * 150
    _, notes = built(tables.csv(tmp_path / "train.csv", table))
    assert notes == [
        "only 150 rows; below 200 a reference says little, give it more",
        "age: 7 in every row; any other value will read as drift",
        "plan: missing in every row; its drift cannot be judged",
        "member: 1 listed categories were never seen (false)",
    ]


def test_bins_of_constant_and_missing_columns_are_defined(tmp_path: Path) -> None:
    table = tables.columns(300) | {"age": np.full(300, 7.0), "plan": [None] * 300}
    found, _ = built(tables.parquet(tmp_path / "train.parquet", table))
    age, plan = found.layout.numbers[0], found.layout.categories[0]
    assert len(age.edges) == 1
    assert plan.values == ()
    assert found.read().bins[:2].tolist() == [300, 0]


def test_rare_categories_of_a_column_of_ids_count_as_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_build, "DISTINCT_KEPT", 100)
    monkeypatch.setattr(files, "CHUNK_ROWS", 500)
    table = tables.columns(5000)
    table["plan"] = ["free" if row % 2 else f"user-{row}" for row in range(5000)]
    found, notes = built(tables.parquet(tmp_path / "train.parquet", table))
    assert found.layout.categories[0].values == ("free",)
    assert any("rare categories count together as other" in note for note in notes)


def test_invalid_rows_and_other_models_are_left_out_and_told(tmp_path: Path) -> None:
    table = tables.columns(600)
    table["model"] = ["churn", "churn", "fraud"] * 200
    table["age"][0] = np.inf
    found, notes = built(tables.parquet(tmp_path / "train.parquet", table))
    assert found.rows == 399
    assert "200 rows of model 'fraud' passed over" in notes
    assert "left out as invalid: 1 row: age: not a finite number (1)" in notes


def test_data_without_a_row_of_the_model_is_refused(tmp_path: Path) -> None:
    table = tables.columns(10) | {"model": ["fraud"] * 10}
    with pytest.raises(ReferenceBuildError, match="no valid row of model 'churn': 10 rows of model 'fraud'"):
        built(tables.parquet(tmp_path / "train.parquet", table))


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    path.write_bytes(b"PAR1 broken PAR1")
    with pytest.raises(DriftlineError, match=r"train\.parquet: cannot be read as parquet"):
        built(path)


def _attributed(rows: int, carrying: int) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    table = tables.columns(rows)
    del table["id"]
    for name, scale in (("age", 0.2), ("plan", 1.0), ("member", 0.6)):
        values = (scale * rng.normal(size=rows)).tolist()
        table[f"attributions.{name}"] = values[:carrying] + [None] * (rows - carrying)
    return table


def test_it_holds_attributions_of_tables_and_of_events(tmp_path: Path) -> None:
    table = _attributed(1_000, 800)
    found, notes = built(tables.parquet(tmp_path / "train.parquet", table))
    assert notes == []
    held = found.read().attributions
    assert held is not None
    assert held.events == 800
    lines = [
        json.loads(line)
        | {
            "attributions": {name: table[f"attributions.{name}"][row] for name in ("age", "plan", "member")}
            if row < 800
            else None
        }
        for row, line in enumerate(tables.events({k: v for k, v in table.items() if "." not in k}))
    ]
    events = [json.dumps(line | {"id": str(row)}).encode() for row, line in enumerate(lines)]
    same, _ = built(tables.json_lines(tmp_path / "train.jsonl", events))
    again = same.read().attributions
    assert again is not None
    assert again.events == 800
    np.testing.assert_allclose(again.sums, held.sums, rtol=1e-9)
    loaded = _window_of(tmp_path, found)
    assert loaded.attributions is not None
    assert ranks(loaded.attributions.means()[0]).tolist() == [3, 1, 2]  # age, plan, member


def _window_of(folder: Path, found: reference.ReferenceFile) -> Window:
    (folder / "churn.reference.json").write_bytes(reference.dump(found))
    (folder / "churn.yaml").write_text(
        "model: churn\nreference: {file: churn.reference.json}\nfeatures:\n"
        "  age: {type: number, min: 0}\n  plan: {type: category}\n  member: {type: boolean}\n"
    )
    window = load_file(folder / "churn.yaml").reference
    assert window is not None
    return window


def test_a_reference_without_attributions_has_none_and_one_with_a_few_says_so(tmp_path: Path) -> None:
    found, _ = built(tables.parquet(tmp_path / "bare.parquet", tables.columns(500)))
    assert _window_of(tmp_path, found).attributions is None
    _, notes = built(tables.parquet(tmp_path / "few.parquet", _attributed(500, 50)))
    assert notes == ["attributions in 50 rows; below 200 their drift cannot be judged"]


def test_it_keeps_attributions_by_span_where_it_has_times(tmp_path: Path) -> None:
    table = _attributed(4_000, 3_000)
    found, _ = built(tables.parquet(tmp_path / "timed.parquet", table))
    held = _window_of(tmp_path, found).attributions
    assert held is not None
    (spans,) = held.spans
    assert len(spans) == 30  # of forty, ten have none
    np.testing.assert_allclose(spans[:, 0].sum(), held.events)
    np.testing.assert_allclose(spans[:, 1:].sum(axis=0), held.sums[:2].reshape(-1), rtol=1e-9, atol=1e-9)
    del table["ts"]
    untimed, _ = built(tables.parquet(tmp_path / "untimed.parquet", table))
    assert untimed.read_attribution_spans() == ()
    old = json.loads(reference.dump(found))
    del old["attribution_spans"]
    again = _window_of(tmp_path, reference.load(json.dumps(old).encode(), "churn")).attributions
    assert again is not None
    assert again.spans == ()


def _by_country(rows: int, seed: int, odds: list[float]) -> dict[str, Any]:
    names = [f"c{at:02d}" for at in range(len(odds))]
    chosen = np.random.default_rng(seed).choice(names, rows, p=np.array(odds) / sum(odds))
    return tables.columns(rows, seed=seed) | {"country": chosen.tolist()}


def test_the_most_frequent_values_of_a_segment_have_its_places_in_every_replay(tmp_path: Path) -> None:
    declared = tables.monitor(segments=["country"], reference={"file": "churn.reference.json"})
    usual = _by_country(4000, 1, [0.5] * 10 + [10.0] * 50)
    notes: list[str] = []
    found = build([tables.parquet(tmp_path / "usual.parquet", usual)], declared, note=notes.append)
    kept = tuple(f"c{at:02d}" for at in range(10, 60))
    assert [(one.name, one.values) for one in found.layout.segments] == [("country", kept)]
    (told,) = [sentence for sentence in notes if "country" in sentence]
    rare = [value for value in usual["country"] if value not in kept]
    beyond = (
        f"{len(set(rare))} values beyond the 50 most frequent, {percent(len(rare) / 4000, 2)} of its rows"
    )
    assert told == f"segment country: {beyond}, count as 'other'"
    (tmp_path / "churn.reference.json").write_bytes(reference.dump(found))
    (tmp_path / "churn.yaml").write_text(
        "model: churn\nreference: {file: churn.reference.json}\nsegments: [country]\n"
        "features:\n  age: {type: number, min: 0}\n  plan: {type: category}\n  member: {type: boolean}\n"
    )
    watched = load_file(tmp_path / "churn.yaml")
    assert list(remarks(watched.monitor, watched.layout)) == [
        "segment country: 50 values (the reference's most frequent), all others count as 'other'"
    ]
    # The rare ones and new ones come first, and often: they take nobody's place.
    odd = _by_country(3000, 2, [10.0] * 10 + [1.0] * 50 + [10.0] * 5)
    order = np.argsort(np.isin(odd["country"], kept), kind="stable")
    odd["country"] = np.array(odd["country"])[order].tolist()
    path = tables.parquet(tmp_path / "odd.parquet", odd)
    verdicts = tmp_path / "verdicts.jsonl"
    replay([path], {"churn": watched}, verdicts_out=verdicts)
    segments = {json.loads(line)["segment"] for line in verdicts.read_text().splitlines()}
    assert "country=other" in segments
    assert segments - {"", "country=other"} <= {f"country={value}" for value in kept}


def test_a_segment_the_data_does_not_have_gets_its_values_as_they_come(tmp_path: Path) -> None:
    declared = tables.monitor(segments=["country"], reference={"file": "churn.reference.json"})
    found = build([tables.parquet(tmp_path / "usual.parquet", tables.columns(500))], declared)
    assert found.layout.segments == ()
    (told,) = remarks(declared, found.layout)
    assert "the first 50 values that come" in told
    assert told.endswith(
        "list them under `values`, or build the reference again from data with a column 'country'"
    )
