"""The published contract and the compiled decoder give the same answers; the schemas are current."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_events import T0
from pydantic import ValidationError

from streams.codec import ModelCodec
from streams.decode import Decoder
from streams.events import EVENTS, PredictionEvent
from streams.layout import compile_layout
from streams.monitor import Monitor

SCHEMAS = Path(__file__).parent / "schemas"

values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5), st.just([]), st.just({"a": 1}), st.just("x" * 300),
)  # fmt: skip
times = st.one_of(
    values,
    st.integers(-(10**13), T0),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.sampled_from(
        ["2026-05-28T20:26:40Z", "2026-05-28 20:26:40Z", "2026-05-28T20:26:40", "20260528T202640Z",
         "2026-05-28T20:26Z", "2026-05-28T22:26:40.5+02:00", "2026-05-28T20:26:60Z", "2026-W22-4T20:26:40Z"]
    ),
)  # fmt: skip
names = st.one_of(values, st.text(min_size=1, max_size=5), st.just("1.4.2"))
events = st.fixed_dictionaries(
    {},
    optional={
        "id": names,
        "ts": times,
        "prediction": st.one_of(st.floats(0, 1), values, st.just({"a": 0.5})),
        "version": names,
        "latency_ms": st.one_of(st.floats(0, 10), values),
        "error": st.one_of(st.just("timeout"), values),
        "unknown": values,
    },
)
complete = st.fixed_dictionaries({"id": st.just("1"), "ts": st.just(T0), "prediction": st.just(0.5)})


def _decoder(monitor: Monitor | None) -> Decoder:
    return Decoder({} if monitor is None else {monitor.model: ModelCodec(monitor, compile_layout(monitor))})


def _taken(decoder: Decoder, raw: bytes) -> bool:
    decoded = decoder.decode([raw], np.zeros(1, np.int64), np.full(1, T0))
    return not decoded.bad


def _published(raw: bytes) -> bool:
    try:
        found = PredictionEvent.model_validate_json(raw)
    except ValidationError:
        return False
    # The one rule JSON Schema has no words for here: null only together with an error.
    return found.prediction is not None or found.error is not None


KINDS: dict[str, tuple[Monitor, tuple[type, ...]]] = {
    "number": (Monitor.model_validate({"model": "m", "prediction": {"type": "number"}}), (int, float)),
    "class": (Monitor.model_validate({"model": "m", "prediction": {"type": "class"}}), (str,)),
    "probabilities": (
        Monitor.model_validate({"model": "m", "prediction": {"type": "probabilities", "classes": ["a"]}}),
        (dict,),
    ),
}
DECODERS = {kind: _decoder(monitor) for kind, (monitor, _) in KINDS.items()}


@settings(max_examples=400)
@given(
    kind=st.sampled_from(sorted(KINDS)), whole=complete, changes=events, drop=st.sampled_from([None, "id"])
)
def test_contract_and_decoder_accept_the_same_events(
    kind: str, whole: dict[str, Any], changes: dict[str, Any], drop: str | None
) -> None:
    held = {"model": "m"} | whole | changes
    if drop is not None:
        held.pop(drop)
    raw = json.dumps(held).encode()
    # Intended: a monitor says which of the contract's kinds of prediction its model gives.
    fits = held["prediction"] is None or (
        isinstance(held["prediction"], KINDS[kind][1]) and not isinstance(held["prediction"], bool)
    )
    assert _taken(DECODERS[kind], raw) == (_published(raw) and fits)


@settings(max_examples=150)
@given(value=values, kind=st.sampled_from(["number", "category", "boolean"]))
def test_features_are_the_contracts_and_of_the_monitors_type(value: Any, kind: str) -> None:
    decoder = _decoder(Monitor.model_validate({"model": "m", "features": {"x": {"type": kind}}}))
    held = {"model": "m", "id": "1", "ts": T0, "prediction": 0.5, "features": {"x": value}}
    raw = json.dumps(held).encode()
    types: tuple[type, ...] = {"number": (int, float), "category": (str,), "boolean": (bool,)}[kind]
    fits = value is None or (isinstance(value, types) and isinstance(value, bool) == (kind == "boolean"))
    assert _taken(decoder, raw) == (_published(raw) and fits)


@settings(max_examples=150)
@given(value=values, is_named=st.booleans())
def test_attributions_are_the_contracts_and_may_name_features_nobody_lists(
    value: Any, is_named: bool
) -> None:
    decoder = _decoder(Monitor.model_validate({"model": "m", "features": {"x": {"type": "category"}}}))
    held: dict[str, Any] = {"model": "m", "id": "1", "ts": T0, "prediction": 0.5, "features": {"x": "a"}}
    given = held | {"attributions": {"x": value} if is_named else value}
    assert _taken(decoder, json.dumps(given).encode()) == _published(json.dumps(given).encode())
    # Intended, as with features: what the monitor does not list enters no statistics.
    assert _taken(decoder, json.dumps(held | {"attributions": {"x": 0.5, "other": value}}).encode())


@settings(max_examples=100)
@given(whole=complete, changes=events)
def test_without_a_monitor_the_decoder_takes_all_that_the_contract_takes(
    whole: dict[str, Any], changes: dict[str, Any]
) -> None:
    raw = json.dumps({"model": "m"} | whole | changes).encode()
    assert _taken(_decoder(None), raw) or not _published(raw)


@pytest.mark.parametrize("field", ["variant", "data_version", "value", "labels"], ids=lambda name: name)
def test_fields_that_statistics_do_not_use_are_not_checked_on_the_hot_path(field: str) -> None:
    # Intended: a slip in them must not cost an event its statistics.
    raw = json.dumps({"model": "m", "id": "1", "ts": T0, "prediction": 0.5, field: [[]]}).encode()
    assert _taken(DECODERS["number"], raw)
    assert not _published(raw)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_the_golden_schema_is_current(name: str) -> None:
    # To write them again:
    # python -c "import json, streams.events as e; [open(f'tests/streams/schemas/{n}.json', 'w').write(
    #   json.dumps(m.model_json_schema(), indent=2) + '\n') for n, m in e.EVENTS.items()]"
    golden = json.loads((SCHEMAS / f"{name}.json").read_text())
    assert EVENTS[name].model_json_schema() == golden


def test_there_is_a_golden_schema_for_each_event_and_no_other() -> None:
    assert {path.stem for path in SCHEMAS.glob("*.json")} == EVENTS.keys()
