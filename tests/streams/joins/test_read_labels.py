"""Label events as they come: good ones for the join, bad ones with a reason."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from streams.bad_event import BadCode
from streams.events import LabelEvent
from streams.joins.labels import ReadLabels, read_labels
from streams.joins.records import decode
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.stages.fleet import Fleet, Watched
from streams.stages.join_rows import join_records
from streams.stages.run import STAGES, stages_for

GOOD: dict[str, Any] = {"id": "a", "model": "churn", "label": True, "ts": 5_000}


def read(*values: bytes | None) -> ReadLabels:
    rows = range(len(values))
    return read_labels(1, values, [10 + row for row in rows], [10_000 for _ in rows])


@pytest.mark.parametrize("label", [True, 1, 0.5, "churned", ""])
def test_a_label_is_true_or_false_a_number_or_text(label: Any) -> None:
    (found,) = read(json.dumps(GOOD | {"label": label}).encode()).labels
    assert found.label == label
    assert (found.model, found.id, found.source, found.ts_ms, found.record_ms) == (
        "churn", "a", (1, 10), 5_000, 10_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "code", "said"),
    [
        (None, BadCode.EMPTY, "no value"),
        (b"{", BadCode.NOT_JSON, "not JSON"),
        (b"\xff", BadCode.NOT_JSON, ""),
        (b" " * 300_000, BadCode.TOO_LARGE, "300,000 bytes"),
        ({"label": None}, BadCode.WRONG_TYPE, "label: expected"),
        ({"label": []}, BadCode.WRONG_TYPE, "label: expected"),
        ({"id": ""}, BadCode.WRONG_TYPE, "id: is empty"),
        ({"model": 3}, BadCode.WRONG_TYPE, "model: expected text, got a number"),
        ({"ts": "yesterday"}, BadCode.WRONG_TYPE, "ts"),
        ({"ts": 10_000 + 301_000}, BadCode.FUTURE, "say when the label became known"),
    ],
)
def test_a_bad_label_says_why_and_holds_up_nobody(value: Any, code: BadCode, said: str) -> None:
    raw = json.dumps(GOOD | value).encode() if isinstance(value, dict) else value
    found = read(raw, json.dumps(GOOD).encode())
    assert len(found.labels) == 1
    (bad,) = found.bad
    assert bad.row == 0
    assert bad.code in (code, BadCode.NOT_UTF8)
    assert said in bad.reason


@pytest.mark.parametrize(
    "event",
    [GOOD, {}, GOOD | {"label": None}, GOOD | {"label": {}}, GOOD | {"value": "x"}, GOOD | {"value": 3.5},
     GOOD | {"id": "x" * 257}, GOOD | {"model": ""}, GOOD | {"ts": "2026-11-25T09:00:00"}, GOOD | {"more": 1}],
)  # fmt: skip
def test_the_decoder_and_the_published_contract_agree(event: dict[str, Any]) -> None:
    try:
        LabelEvent.model_validate(event)
        is_good = True
    except ValidationError:
        is_good = False
    found = read_labels(0, [json.dumps(event).encode()], [0], [1 << 50])
    assert bool(found.labels) == is_good


def test_only_what_is_in_the_sample_of_a_model_with_labels_is_sent_to_be_joined() -> None:
    monitors = [
        Monitor.model_validate({"model": "churn", "labels": {"sample": 0.5}}),
        Monitor.model_validate({"model": "fraud"}),
    ]
    models = {one.model: Watched(one, compile_layout(one)) for one in monitors}
    fleet = Fleet("", "", models, join_partitions=3)
    values = [
        json.dumps(GOOD | {"id": str(n), "model": m}).encode()
        for n in range(200)
        for m in ("churn", "fraud", "x")
    ]
    sent = list(join_records(fleet, fleet.join_plans, read(*values).labels))
    assert 70 < len(sent) < 130
    assert {one.partition for one in sent} == {0, 1, 2}
    assert {decode(one.value or b"").model for one in sent} == {"churn"}
    assert stages_for(models) == STAGES
    assert stages_for({"fraud": models["fraud"]}) == ("profile", "judge", "desk")
