"""Bad events: each is turned away with a reason its producer can act on, and the stream goes on."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_events import T0, event, monitor

from streams.bad_event import BadCode, BadEvent
from streams.folding import Folded
from streams.layout import compile_layout
from streams.profiler import Profiler

RAW = '{"id":"1","model":"churn","ts":1780000000000,"prediction":%s,"features":{"age":%s}}'


def _fold(*values: bytes | None, **fields: Any) -> Folded:
    watched = monitor(**fields)
    profiler = Profiler({"churn": (watched, compile_layout(watched))})
    return profiler.fold_records(0, list(values), np.arange(len(values)), np.full(len(values), T0))


def _raw(prediction: str = "0.5", age: str = "1") -> bytes:
    return (RAW % (prediction, age)).encode()


def _without(name: str) -> bytes:
    held = json.loads(event())
    del held[name]
    return json.dumps(held).encode()


DEEP = "[" * 60_000 + "]" * 60_000
TIME_REMEDY = "send RFC 3339 with a time zone"

BAD: dict[str, tuple[bytes | None, BadCode, tuple[str, ...]]] = {
    "no value": (None, BadCode.EMPTY, ("no value",)),
    "no bytes": (b"", BadCode.EMPTY, ("no value",)),
    "blanks": (b"  \n", BadCode.NOT_JSON, ("not JSON",)),
    "broken": (b'{"id": "1", "model"', BadCode.NOT_JSON, ("not JSON",)),
    "two events": (event() + event(), BadCode.NOT_JSON, ("not JSON",)),
    "byte order mark": (b"\xef\xbb\xbf" + event(), BadCode.NOT_JSON, ("not JSON",)),
    "an array": (b"[1]", BadCode.WRONG_TYPE, ("expected an object, got an array",)),
    "a number": (b"3", BadCode.WRONG_TYPE, ("expected an object, got a whole number",)),
    "null": (b"null", BadCode.WRONG_TYPE, ("expected an object, got null",)),
    "not UTF-8": (event().replace(b"id-0", b"id-\xff"), BadCode.NOT_UTF8, ("byte 11", "0xff", "send UTF-8")),
    "not UTF-8 in a feature": (_raw(age='"\xff"').replace(b"\xc3\xbf", b"\xff"), BadCode.NOT_UTF8, ("0xff",)),
    "UTF-16": (event().decode().encode("utf-16"), BadCode.NOT_UTF8, ("send UTF-8",)),
    "lone surrogate": (event().replace(b"id-0", b"\\ud800"), BadCode.NOT_JSON, ("not JSON",)),
    "too large": (event(x="y" * 1_000_000), BadCode.TOO_LARGE, ("bytes", "262,144")),
    "deep in an unknown field": (
        event()[:-1] + f', "x": {DEEP}}}'.encode(), BadCode.NOT_JSON, ("nested too deeply",),
    ),
    "deep in a feature": (_raw(age=DEEP), BadCode.NOT_JSON, ("nested too deeply",)),
    "NaN": (_raw("NaN"), BadCode.NOT_JSON, ("NaN is not JSON", "null")),
    "infinity": (_raw(age="-Infinity"), BadCode.NOT_JSON, ("-Infinity is not JSON", "null")),
    "NaN as text": (_raw('"NaN"'), BadCode.WRONG_TYPE, ("prediction: expected a number", "got text")),
    "1e400": (_raw("1e400"), BadCode.WRONG_TYPE, ("prediction: the number is too large",)),
    "10**400": (_raw(age="1" + "0" * 400), BadCode.WRONG_TYPE, ("features.age: the number is too large",)),
    "feature of a wrong type": (_raw(age='"x"'), BadCode.WRONG_TYPE, ("features.age: expected a number",)),
    "category of a wrong type": (event(features={"plan": 3}), BadCode.WRONG_TYPE, ("features.plan", "text")),
    "boolean as a number": (event(features={"new": 1}), BadCode.WRONG_TYPE, ("features.new", "true or false")),
    "features as an array": (event(features=[1]), BadCode.WRONG_TYPE, ("features: expected an object",)),
    "features null": (event(features=None), BadCode.WRONG_TYPE, ("features: expected an object",)),
    "no id": (_without("id"), BadCode.MISSING_FIELD, ("id: missing",)),
    "no ts": (_without("ts"), BadCode.MISSING_FIELD, ("ts: missing",)),
    "no prediction": (_without("prediction"), BadCode.MISSING_FIELD, ("prediction: missing",)),
    "no model": (_without("model"), BadCode.MISSING_FIELD, ("model: missing",)),
    "empty id": (event(id=""), BadCode.WRONG_TYPE, ("id: is empty",)),
    "long id": (event(id="x" * 257), BadCode.WRONG_TYPE, ("id: has more than 256 characters",)),
    "id as a number": (event(id=7), BadCode.WRONG_TYPE, ("id: expected text, got a whole number",)),
    "model as a number": (event(model=7), BadCode.WRONG_TYPE, ("model: expected text, got a number",)),
    "model as an array": (event(model=["churn"]), BadCode.WRONG_TYPE, ("model: expected text, got an array",)),
    "empty model": (event(model=""), BadCode.WRONG_TYPE, ("model: needs 1 to 200 characters",)),
    "long model": (event(model="m" * 201), BadCode.WRONG_TYPE, ("model: needs 1 to 200 characters",)),
    "version as a number": (event(version=1.4), BadCode.WRONG_TYPE, ("version: expected text",)),
    "long version": (event(version="v" * 201), BadCode.WRONG_TYPE, ("version: has more than 200",)),
    "negative latency": (event(latency_ms=-1), BadCode.WRONG_TYPE, ("latency_ms: is negative",)),
    "latency as text": (event(latency_ms="1"), BadCode.WRONG_TYPE, ("latency_ms: expected a number",)),
    "error as a number": (event(error=3), BadCode.WRONG_TYPE, ("error: expected text",)),
    "null prediction": (event(prediction=None), BadCode.MISSING_FIELD, ("prediction: null", "`error`")),
    "boolean prediction": (event(prediction=True), BadCode.WRONG_TYPE, ("prediction: expected a number",)),
    "time without a zone": (event(ts="2026-05-28T20:26:40"), BadCode.WRONG_TYPE, ("ts: the time has no zone",)),
    "date alone": (event(ts="2026-05-28"), BadCode.WRONG_TYPE, ("ts: not a time", TIME_REMEDY)),
    "time as words": (event(ts="yesterday"), BadCode.WRONG_TYPE, ("ts: not a time", TIME_REMEDY)),
    "time as seconds": (event(ts=1.78e9), BadCode.WRONG_TYPE, ("ts: expected a time, got a number",)),
    "time null": (event(ts=None), BadCode.WRONG_TYPE, ("ts: expected a time, got null",)),
    "time beyond the calendar": (event(ts=10**18), BadCode.WRONG_TYPE, ("ts: no such date",)),
    "time of 400 digits": (event(ts=10**400), BadCode.WRONG_TYPE, ("ts: no such date",)),
    "from the future": (event(ts=T0 + 10**7), BadCode.FUTURE, ("ts is 10,000 s ahead", "300 s")),
    "unmonitored and bad": (event(model="x", ts="?"), BadCode.WRONG_TYPE, ("ts: not a time",)),
    "unmonitored and not UTF-8": (
        event(model="x").replace(b"id-0", b"id-\xff"), BadCode.NOT_UTF8, ("0xff",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_each_bad_event_is_turned_away_with_a_plain_reason_and_the_stream_goes_on(name: str) -> None:
    value, code, said = BAD[name]
    result = _fold(event(1), value, event(2))
    (bad,) = result.bad
    assert (bad.row, bad.code) == (1, code)
    assert all(words in bad.reason for words in said), bad.reason
    assert "`f0`" not in bad.reason
    assert len(bad.reason) < 2_000
    assert result.events["churn"] == 2


def test_all_bad_events_in_one_chunk_leave_the_good_ones_alone() -> None:
    values = [value for value, _, _ in BAD.values()]
    mixed = [one for value in values for one in (event(1), value)]
    result = _fold(*mixed)
    assert sorted(bad.row for bad in result.bad) == list(range(1, 2 * len(values), 2))
    assert result.events["churn"] == len(values)


@pytest.mark.parametrize(
    "value",
    [
        event(unknown={"deep": [1, 2]}, more=None),
        event(features={}),
        event(features={"age": None, "plan": None, "city": None, "new": None}),
        event(prediction=None, error="timeout"),
        event(latency_ms=0, error=None),
        event(ts="2026-05-28T20:26:40.123456Z"),
        event(ts="2026-05-28T22:26:40+02:00"),
        event(ts="0001-01-01T00:00:00+14:00"),
        event(ts=-386_310_686_000),
        event(segments=None),
        event(features={"age": 1.7e308}),
    ],
)
def test_odd_but_good_events_are_counted(value: bytes) -> None:
    assert _fold(value).bad == []


def test_unexpected_features_are_counted_turned_away_or_ignored_as_the_monitor_says() -> None:
    odd = event(features={"age": 1, "zip.code": 1, 'quo"te': 2})
    for policy, expected in (("warn", {"zip.code": 1, 'quo"te': 1}), ("ignore", {})):
        watched = monitor(unexpected_features=policy)
        profiler = Profiler({"churn": (watched, compile_layout(watched))})
        result = profiler.fold_records(0, [odd], np.arange(1), np.full(1, T0))
        (profile,) = profiler.partitions[0].open.values()
        assert result.bad == []
        assert profile.unexpected == expected
    (bad,) = _fold(odd, unexpected_features="reject").bad
    assert bad.code == BadCode.UNEXPECTED_FEATURE
    assert "zip.code" in bad.reason
    assert "unexpected_features: warn" in bad.reason
    assert isinstance(bad, BadEvent)
    (bad,) = _fold(event(features={"x" * 200_000: 1}), unexpected_features="reject").bad
    assert len(bad.reason) < 2_000


@pytest.mark.parametrize("name", ["a.b", "it's", "back`tick", "größe", "特徴", "a - at `$.b`", " blank "])
def test_a_reason_names_the_feature_as_the_monitor_does(name: str) -> None:
    fields = {"features": {"first": {"type": "number"}, name: {"type": "number"}}}
    good, bad = event(features={name: 1.5}), event(features={name: "x"})
    result = _fold(good, bad, **fields)
    assert [one.row for one in result.bad] == [1]
    assert f"features.{name}" in result.bad[0].reason
    assert result.events["churn"] == 1


def test_null_predictions_in_one_chunk_with_unexpected_features_do_not_disturb_each_other() -> None:
    values = [event(1, prediction=None), event(2, features={"odd": 1}), event(3, prediction=None)]
    result = _fold(*values)
    assert [bad.row for bad in result.bad] == [0, 2]
    assert result.events["churn"] == 1


@settings(max_examples=150)
@given(st.lists(st.one_of(st.binary(max_size=60), st.none(), st.just(event())), min_size=1, max_size=8))
def test_no_bytes_whatever_stop_the_stream(values: list[bytes | None]) -> None:
    result = _fold(*values)
    assert len(result.bad) + sum(result.events.values()) == len(values)


@settings(max_examples=150)
@given(places=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), min_size=1, max_size=3))
def test_no_damaged_event_stops_the_stream(places: list[tuple[int, int]]) -> None:
    raw = bytearray(event(features={"age": 41, "plan": "pro", "city": "Bonn", "new": True}, latency_ms=1))
    for place, byte in places:
        raw[place % len(raw)] = byte
    result = _fold(bytes(raw), event())
    assert len(result.bad) + sum(result.events.values()) + sum(result.late.values()) == 2
