"""What a worker of stage 1 writes late, after another has its partitions, takes nothing back and nothing away."""

from typing import Any

import msgspec
from prediction_events import T0, event, monitor
from profile_rows import Record, Rows, fold

from streams.layout import compile_layout
from streams.partition import Checkpoint, Flush
from streams.profiler import Profiler
from streams.stages.profile_rows import CHECKPOINT, newer
from streams.watermark import Clock
from streams.wire import ProfileKey, decode_part

MONITOR = monitor()
MODELS = {"churn": (MONITOR, compile_layout(MONITOR))}
KEY = ProfileKey(0, "churn", "", "", T0)


def _checkpoint(next_offset: int, **watermarks_ms: int) -> bytes:
    clocks = {model: Clock(watermark_ms=at_ms) for model, at_ms in watermarks_ms.items()}
    return msgspec.msgpack.encode(Checkpoint(next_offset, clocks))


def _restored(rows: Rows) -> Profiler:
    one = Profiler(MODELS)
    one.restore(0, rows.checkpoint, rows.profiles(one.layout))
    return one


def _flushed(one: Profiler, now_ms: int, *, caught_up: bool = False) -> Flush:
    return one.flush(0, now_ms, caught_up=caught_up)


def test_of_two_checkpoints_of_one_offset_the_one_whose_time_went_on_further_wins() -> None:
    early, late = _checkpoint(7, churn=T0), _checkpoint(7, churn=T0 + 20_000)
    assert newer(CHECKPOINT, early, late)
    assert not newer(CHECKPOINT, late, early)
    assert newer(CHECKPOINT, late, late)
    assert newer(CHECKPOINT, late, _checkpoint(8, churn=T0))
    assert not newer(CHECKPOINT, early, _checkpoint(6, churn=T0 + 20_000))


def test_a_checkpoint_that_has_forgotten_a_model_or_knows_another_is_not_older_for_it() -> None:
    both, one = _checkpoint(7, churn=T0, fraud=T0), _checkpoint(7, churn=T0)
    assert newer(CHECKPOINT, both, one)
    assert newer(CHECKPOINT, one, both)
    assert not newer(CHECKPOINT, both, _checkpoint(7, churn=T0 - 1))


def test_a_checkpoint_of_before_is_read_and_compared() -> None:
    clock: dict[str, Any] = {"watermark_ms": T0, "newest_ms": T0, "last_record_ms": T0, "versions": {}}
    before = msgspec.msgpack.encode({"next_offset": 1, "clocks": {"churn": clock}, "segments": {}})
    assert newer(CHECKPOINT, before, _checkpoint(1, churn=T0))
    one = Profiler(MODELS)
    one.restore(0, before, [])
    later = T0 + 60_000
    fold(one, [(event(0), T0), (event(1, later), later)], 1, 2)
    assert one.partitions[0].clocks["churn"].recorded_ms == later - 10_000


def test_rows_of_panes_that_only_a_quiet_spell_has_closed_are_kept_until_records_pass_them() -> None:
    one = Profiler(MODELS)
    later = T0 + 60_000
    log: list[Record] = [(event(0), T0), (event(1, later), later)]
    fold(one, log, 0, 1)
    _flushed(one, 0, caught_up=True)
    quiet = _flushed(one, 40_000, caught_up=True)
    assert not one.partitions[0].open
    assert quiet.closed == []
    fold(one, log, 1, 2)
    assert _flushed(one, 41_000).closed == [KEY]
    assert _flushed(one, 42_000).closed == []


def test_what_a_worker_left_behind_deletes_late_is_not_missed_by_those_that_counted_on() -> None:
    # The world as the one left behind saw it: quiet, and the pane closed. Its deletions come after its
    # successor, which knew nothing of that, has counted one more event in the pane.
    log: list[Record] = [(event(i), T0 + 35_000 * (i > 2)) for i in range(5)]
    rows, left_behind = Rows(), Profiler(MODELS)
    fold(left_behind, log, 0, 3)
    rows.write(_flushed(left_behind, 0, caught_up=True))
    late = _flushed(left_behind, 30_000, caught_up=True)
    assert not left_behind.partitions[0].open
    successor = _restored(rows)
    fold(successor, log, 3, 4)
    rows.write(_flushed(successor, 0))
    for key in late.closed:
        rows.open.pop(key, None)
    third = _restored(rows)
    fold(third, log, 4, 5)
    (key, parts), *_ = _flushed(third, 0).profiles
    assert (key, decode_part(parts[0]).rows[0]) == (KEY, 5)


def test_a_forgotten_model_leaves_no_row() -> None:
    one = Profiler(MODELS)
    fold(one, [(event(0), T0)], 0, 1)
    week = 7 * 24 * 3_600_000
    flushes = [_flushed(one, now_ms, caught_up=True) for now_ms in (0, 60_000, week + 1)]
    assert [flush.closed for flush in flushes] == [[], [], [KEY]]
