"""The exactly-once law: any chunks, flushes and crashes give the profiles of one pass, to the bit."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_events import T0, bits, event, monitor
from profile_rows import Record, Rows, fold, one_pass, with_crashes

from streams import folding, labels
from streams.layout import compile_layout, unmonitored_layout
from streams.monitor import Monitor
from streams.profiler import Profiler
from streams.wire import decode_part

MONITOR = monitor(segments=["country"])
MODELS = {"churn": (MONITOR, compile_layout(MONITOR))}
DAY_S = 24 * 3600

good = st.fixed_dictionaries(
    {
        "kind": st.just("good"),
        "version": st.sampled_from(["", "1", "2", "3", "4"]),
        "country": st.sampled_from(["", "de", "fr", "pl", "se"]),
        "age": st.sampled_from([None, 1.0, 20.0, 99.5]),
        "city": st.sampled_from([None, "Bonn", "Köln"]),
        "extra": st.booleans(),
        "back_s": st.sampled_from([0, 0, 0, 5, 15, 60, -200, -1000, DAY_S]),
    }
)
other = st.fixed_dictionaries(
    {"kind": st.sampled_from(["broken", "unmonitored", "garbage", "empty", "null"]), "n": st.integers(0, 4)}
)
records = st.lists(
    st.tuples(st.one_of(good, good, other), st.sampled_from([0, 1, 4, 30, DAY_S])), max_size=40
)
steps = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from(["fold", "flush", "hurry", "crash", "hurried crash"]),
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    max_size=12,
)


def _log(plan: list[tuple[dict[str, Any], int]]) -> list[Record]:
    log: list[Record] = []
    now_s = 0
    for number, (one, passed_s) in enumerate(plan):
        now_s += passed_s
        record_ms = T0 + 1000 * now_s
        log.append((_value(number, one, record_ms), record_ms))
    return log


def _value(number: int, one: dict[str, Any], record_ms: int) -> bytes | None:
    match one["kind"]:
        case "good":
            extra = {"extra": 1} if one["extra"] else {}
            return event(
                number,
                record_ms - 1000 * one["back_s"],
                version=one["version"],
                features={"age": one["age"], "city": one["city"], **extra},
                segments={"country": one["country"]},
                latency_ms=float(number),
            )
        case "broken":
            return event(number, record_ms, version=str(one["n"]), features={"age": "old"})
        case "null":
            return event(number, record_ms, version=str(one["n"]), prediction=None)
        case "unmonitored":
            return event(number, record_ms, model=f"m{one['n']}")
        case "garbage":
            return b"\xff{"
        case _:
            return None


def _agree(rows: Rows, finder: Profiler, expected: dict[Any, Any]) -> None:
    found = rows.final(finder)
    counted = {
        key: one for key, one in expected.items() if one.events or one.late or one.invalid or one.unexpected
    }
    assert found.keys() == counted.keys()
    for key, one in counted.items():
        assert bits(found[key]) == bits(one), key


@pytest.fixture(autouse=True)
def _low_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that a few records reach them.
    monkeypatch.setattr(labels, "VERSIONS_KEPT", 3)
    monkeypatch.setattr(labels, "SEGMENT_VALUES_KEPT", 2)
    monkeypatch.setattr(folding, "UNMONITORED_KEPT", 2)


@settings(max_examples=150)
@given(plan=records, steps=steps)
def test_any_chunks_flushes_and_crashes_give_the_profiles_of_one_pass(
    plan: list[tuple[dict[str, Any], int]], steps: list[tuple[int, str, int, int]]
) -> None:
    log = _log(plan)
    rows, finder = with_crashes(MODELS, log, steps)
    _agree(rows, finder, one_pass(MODELS, log) if log else {})


@settings(max_examples=60)
@given(plan=records, chunk=st.integers(1, 9))
def test_the_clocks_and_caps_of_a_checkpoint_do_not_depend_on_the_chunks(
    plan: list[tuple[dict[str, Any], int]], chunk: int
) -> None:
    log = _log(plan)
    if not log:
        return
    whole, parts = Profiler(MODELS), Profiler(MODELS)
    fold(whole, log, 0, len(log))
    for low in range(0, len(log), chunk):
        fold(parts, log, low, low + chunk)
    one, two = whole.partitions[0], parts.partitions[0]
    assert (one.next_offset, one.clocks, one.segments) == (two.next_offset, two.clocks, two.segments)


def test_offsets_below_the_checkpoint_are_skipped_whole() -> None:
    log: list[Record] = [(event(i), T0) for i in range(10)]
    first, rows = Profiler(MODELS), Rows()
    fold(first, log, 0, 6)
    rows.write(first.flush(0, 0, caught_up=False))
    again = Profiler(MODELS)
    again.restore(0, rows.checkpoint, rows.profiles(again.layout))
    assert fold(again, log, 0, 6).events == {}
    assert fold(again, log, 0, 10).events == {"churn": 4}


def test_a_thousand_tiny_panes_are_each_written_once_and_let_go() -> None:
    log: list[Record] = [(event(i, T0 + 10_000 * i), T0 + 10_000 * i) for i in range(1_000)]
    profiler_, rows = Profiler(MODELS), Rows()
    for low in range(0, 1_000, 50):
        fold(profiler_, log, low, low + 50)
        rows.write(profiler_.flush(0, 0, caught_up=False))
        assert len(profiler_.partitions[0].open) <= 3
    profiler_.close_all()
    rows.write(profiler_.flush(0, 0, caught_up=False))
    assert not profiler_.partitions[0].open
    assert not rows.open
    assert [one.events for one in rows.final(profiler_).values()] == [1] * 1_000


def test_models_without_a_monitor_are_tracked_up_to_the_cap_and_the_rest_together() -> None:
    log: list[Record] = [
        (event(i, model=f"m{i % 5}", latency_ms=1.0, error="x" if i % 2 else None), T0) for i in range(50)
    ]
    found = {key.model: profile for key, profile in one_pass(MODELS, log).items()}
    assert {model: one.events for model, one in found.items()} == {
        "m0": 10,
        "m1": 10,
        folding.OTHER_MODELS: 30,
    }
    assert found["m0"].layout == unmonitored_layout("m0")
    assert found["m0"].errors == 5
    assert found["m0"].count.tolist() == [10]


def test_a_monitored_model_called_other_is_not_mixed_with_the_overflow() -> None:
    named = monitor(model="other")
    models = {**MODELS, "other": (named, compile_layout(named))}
    log: list[Record] = [(event(i, model=f"m{i}"), T0) for i in range(5)]
    log.append((event(9, model="other"), T0))
    events = {key.model: one.events for key, one in one_pass(models, log).items()}
    assert events == {"m0": 1, "m1": 1, "other": 1, folding.OTHER_MODELS: 3}


def test_versions_beyond_the_cap_count_as_other_until_an_old_one_has_gone_for_a_day() -> None:
    log: list[Record] = [(event(i, version=f"v{i}"), T0) for i in range(5)]
    later = T0 + 1000 * (DAY_S + 60)
    log += [(event(10, later, version="v1"), later), (event(11, later, version="v9"), later)]
    found = [(key.version, key.pane_start_ms >= later - 10_000) for key in one_pass(MODELS, log)]
    assert sorted(found) == [
        ("other", False), ("v0", False), ("v1", False), ("v1", True), ("v2", False), ("v9", True),
    ]  # fmt: skip


def test_segments_have_profiles_of_their_own_beside_the_whole() -> None:
    countries = ["de", "fr", "de", "", "pl", "se"]
    log: list[Record] = [(event(i, segments={"country": c}), T0) for i, c in enumerate(countries)]
    found = {key.segment: one.events for key, one in one_pass(MODELS, log).items()}
    assert found == {"": 6, "country=de": 2, "country=fr": 1, "country=other": 2}


def test_memory_is_bounded_under_endless_names() -> None:
    one = Profiler(MODELS)
    for low in range(0, 3_000, 500):
        log: list[Record] = [
            (
                event(
                    i,
                    version=f"v{i}",
                    model="churn" if i % 2 else f"m{i}",
                    features={"city": f"c{i}", f"extra-{i}" * 20: 1},
                    segments={"country": f"x{i}" * 100},
                ),
                T0,
            )
            for i in range(low, low + 500)
        ]
        one.fold_records(
            0,
            [value for value, _ in log],
            np.arange(low, low + 500),
            np.array([at for _, at in log], dtype=np.int64),
        )
    state = one.partitions[0]
    assert len(state.open) <= 4 * (1 + 3) + 3 * 4
    assert len(state.clocks) <= 1 + 2 + 1
    flush = one.flush(0, 0, caught_up=False)
    assert max(len(part) for _, parts in flush.profiles for part in parts) < 200_000


def test_a_new_layout_takes_effect_at_its_pane_and_open_panes_stay_as_they_are() -> None:
    cut = compile_layout(MONITOR, edges={"age": (30.0,)}, values={"city": ("Bonn",)})
    one, rows = Profiler(MODELS), Rows()
    log: list[Record] = [
        (event(i, T0 + 1000 * i, features={"age": i, "city": "Bonn"}), T0 + 1000 * i) for i in range(60)
    ]
    fold(one, log, 0, 15)
    one.relayout(cut, T0 + 30_000)
    fold(one, log, 15, 60)
    rows.write(one.flush(0, 0, caught_up=False))
    hashes = {
        (key.pane_start_ms - T0) // 10_000: profile.layout.hash for key, profile in rows.final(one).items()
    }
    old = MODELS["churn"][1].hash
    assert hashes == {0: old, 1: old, 2: old, 3: cut.hash, 4: cut.hash, 5: cut.hash}


def test_events_before_the_epoch_fall_in_panes_like_any_others() -> None:
    sputnik = -386_310_686_000
    log: list[Record] = [(event(i, sputnik + 4_000 * i), T0) for i in range(10)]
    found = one_pass(MODELS, log)
    assert all(key.pane_start_ms % 10_000 == 0 and key.pane_start_ms < 0 for key in found)
    assert sum(one.events for one in found.values()) == 10
    starts = {(sputnik + 4_000 * i) // 10_000 * 10_000 for i in range(10)}
    assert {key.pane_start_ms for key in found} == starts


def test_one_bad_event_first_does_not_make_an_old_backlog_late() -> None:
    hour = 3_600_000
    log: list[Record] = [(event(0, features={"age": "x"}), T0)]
    log += [(event(i, T0 - hour + 1000 * i), T0 + i) for i in range(1, 20)]
    found = one_pass(MODELS, log)
    assert sum(one.late for one in found.values()) == 0
    assert sum(one.events for one in found.values()) == 19
    assert sum(one.invalid for one in found.values()) == 1


def test_events_from_the_future_are_bad_counted_as_invalid_and_leave_the_clock_alone() -> None:
    one = Profiler(MODELS)
    log: list[Record] = [(event(0), T0), (event(1, T0 + 301_000), T0), (event(2, T0 + 300_000), T0)]
    result = fold(one, log, 0, 3)
    assert [(bad.row, bad.code.value) for bad in result.bad] == [(1, "future")]
    assert "301 s ahead" in result.bad[0].reason
    assert result.events == {"churn": 2}
    assert sum(profile.invalid for profile in one.partitions[0].open.values()) == 1
    assert one.partitions[0].clocks["churn"].watermark_ms == T0 - 10_000


def _beats(one: Profiler, now_ms: int, *, caught_up: bool = True) -> list[tuple[str, bool, int]]:
    flush = one.flush(0, now_ms, caught_up=caught_up)
    return [(key.model, beat.idle, beat.watermark_ms) for key, beat in flush.heartbeats]


def test_a_quiet_model_says_once_that_it_is_idle_and_again_when_a_pane_closes() -> None:
    one = Profiler(MODELS)
    fold(one, [(event(), T0)], 0, 1)
    assert _beats(one, 1_000) == [("churn", False, T0 - 10_000)]
    assert _beats(one, 5_000) == []
    assert _beats(one, 11_000) == [("churn", True, T0)]
    assert _beats(one, 15_000) == []
    assert _beats(one, 22_000) == [("churn", True, T0 + 11_000)]
    assert not one.partitions[0].open
    assert [_beats(one, 22_000 + 1_000 * i) for i in range(1, 50)] == [[]] * 49


def test_a_partition_with_a_backlog_again_takes_its_idleness_back() -> None:
    one = Profiler(MODELS)
    fold(one, [(event(), T0)], 0, 1)
    for now_ms in (0, 12_000):
        one.flush(0, now_ms, caught_up=True)
    assert [(model, idle) for model, idle, _ in _beats(one, 13_000, caught_up=False)] == [("churn", False)]


def test_a_model_is_forgotten_after_a_week_of_silence_but_not_with_a_pane_open() -> None:
    monthly = monitor(windows={"pane": "30d", "current": "30d", "allowed_lateness": "0s"})
    one = Profiler({"churn": (monthly, compile_layout(monthly))})
    fold(one, [(event(), T0)], 0, 1)
    week = 7 * DAY_S * 1000
    for now_ms in (0, week + 1, 2 * week, 5 * week, 5 * week + 1):
        one.flush(0, now_ms, caught_up=True)
    assert not one.partitions[0].open
    assert not one.partitions[0].clocks


def test_bad_events_alone_still_close_their_pane() -> None:
    one, rows = Profiler(MODELS), Rows()
    fold(one, [(event(features={"age": "x"}), T0)], 0, 1)
    for now_ms in (0, 12_000, 40_000):
        rows.write(one.flush(0, now_ms, caught_up=True))
    assert [profile.invalid for profile in rows.final(one).values()] == [1]
    assert not one.partitions[0].open
    assert rows.heartbeats[-1][1].idle


def test_monitors_may_watch_models_of_any_name() -> None:
    names = ["modèle", "模型", 'quo"ted', "back\\slash", "dots.and-dashes"]
    models = {}
    for name in names:
        watched = Monitor.model_validate({"model": name})
        models[name] = (watched, compile_layout(watched))
    log: list[Record] = []
    for escaped in (True, False):
        for name in names:
            own = {"id": "1", "model": name, "ts": T0, "prediction": 0.1}
            log.append((json.dumps(own, ensure_ascii=escaped).encode(), T0))
    one = Profiler(models)
    result = fold(one, log, 0, len(log))
    assert result.bad == []
    assert result.events == dict.fromkeys(names, 2)


def test_a_chunk_that_begins_before_the_checkpoint_names_its_bad_rows_as_they_stand_in_it() -> None:
    # Simulator, seed 53: the dead letters of such a chunk held other records than the bad ones.
    log: list[Record] = [(event(i), T0) for i in range(6)] + [(b"{", T0), (event(7, T0 + 301_000), T0)]
    one = Profiler(MODELS)
    fold(one, log, 0, 4)
    assert sorted(bad.row for bad in fold(one, log, 0, 8).bad) == [6, 7]


def test_a_profile_whose_row_was_written_and_that_may_not_have_been_sent_is_sent_after_a_crash() -> None:
    # Simulator, seed 170: row and upsert go out together, and the crash came between them.
    one, rows = Profiler(MODELS), Rows()
    log: list[Record] = [(event(i), T0) for i in range(5)]
    fold(one, log, 0, 2)
    rows.write(one.flush(0, 0, caught_up=False))
    fold(one, log, 2, 4)
    rows.write(one.flush(0, 0, caught_up=False), rows=1, upserts=0)
    two = Profiler(MODELS)
    two.restore(0, rows.checkpoint, rows.profiles(two.layout))
    fold(two, log, 2, 3)
    (_, parts), *_ = two.flush(0, 0, caught_up=False).profiles
    assert (decode_part(parts[0]).fence, decode_part(parts[0]).rows[0]) == (3, 4)
    fold(two, log, 3, 5)
    (_, parts), *_ = two.flush(0, 0, caught_up=False).profiles
    assert (decode_part(parts[0]).fence, decode_part(parts[0]).rows[0]) == (4, 5)
