"""How a judge's state and outputs lie in Kafka: rows that survive a worker, and records for readers."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import msgspec

from alerts.alert import AlertUpsert
from streams.backlog import BacklogState
from streams.history import Pane
from streams.inbox import Group, Inbox, Progress
from streams.judge import JudgeState, ModelJudge
from streams.judged import Judged
from streams.publish import panes_json, verdicts_json
from streams.stages.layouts import layout_record
from streams.topics import Topics
from streams.watermark import NEVER_MS
from streams.wire import (
    Heartbeat,
    HeartbeatKey,
    OutcomeKey,
    decode_heartbeat,
    decode_outcomes,
    decode_part,
    parts_of,
    profile_of,
)
from streams.writes import Record, Step

Panes = Mapping[Group, list[Pane]]


class StateKey(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """Row key of a model's `JudgeState`."""

    model: str


class PaneKey(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """Row key of one closed (maybe rolled up) pane."""

    model: str
    version: str
    segment: str
    start_ms: int
    end_ms: int


class BacklogKey(msgspec.Struct, frozen=True, array_like=True, tag="b"):
    """Row key of the fleet's `BacklogState`."""


_RowKey = StateKey | PaneKey | HeartbeatKey | BacklogKey | OutcomeKey
_key: msgspec.msgpack.Decoder[_RowKey] = msgspec.msgpack.Decoder(_RowKey)
_BACKLOG = msgspec.msgpack.encode(BacklogKey())
#: What the keys of panes, and only those, begin with: an array's header and its tag.
_PANES = msgspec.msgpack.encode(PaneKey("", "", "", 0, 0))[:3]


class _Panes(msgspec.Struct, array_like=True):
    parts: list[bytes]


class _Closed(msgspec.Struct):
    closed_until_ms: int
    sequences: list[tuple[Any, int]]
    takeovers: int = 0

    @property
    def age(self) -> tuple[int, int, int]:
        """Grows as panes close, and between as others take over and as alerts begin and end."""
        return self.closed_until_ms, self.takeovers, sum(number for _, number in self.sequences)


def newer(key: bytes, held: bytes, found: bytes) -> bool:
    """At recovery what a worker wrote late, that lost its partition, must not win: it knows less."""
    place = _key.decode(key)
    if isinstance(place, BacklogKey):
        return _age(backlog_of({key: found})) >= _age(backlog_of({key: held}))
    if isinstance(place, OutcomeKey):
        return decode_outcomes(found).fence >= decode_outcomes(held).fence
    if isinstance(place, StateKey):
        closed = msgspec.msgpack.Decoder(_Closed)
        return closed.decode(found).age >= closed.decode(held).age
    if isinstance(place, HeartbeatKey):
        return decode_heartbeat(found).watermark_ms >= decode_heartbeat(held).watermark_ms
    return True


def _age(state: BacklogState) -> tuple[int, int]:
    return state.takeovers, state.sequence


def taken_over(judges: Iterable[ModelJudge], fleet: BacklogState | None) -> dict[bytes, bytes]:
    """Return the rows by which a late writer's are older, once others have taken its models up."""
    rows = {
        msgspec.msgpack.encode(StateKey(one.monitor.model)): msgspec.msgpack.encode(one.snapshot())
        for one in judges
    }
    return rows if fleet is None else rows | {_BACKLOG: msgspec.msgpack.encode(fleet)}


def begun_anew(rows: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the rows for source partitions whose offsets begin anew, as on a fresh broker.

    Nobody would say of the former ones that they are idle by now, and those that do not speak of a model
    again would hold its panes back for good. When their last events came is kept: silence goes on.
    """
    said = {raw_key: _key.decode(raw_key) for raw_key in rows}
    last = {key: decode_heartbeat(rows[raw]) for raw, key in said.items() if isinstance(key, HeartbeatKey)}
    kept: dict[bytes, bytes] = {}
    for raw_key, key in said.items():
        if isinstance(key, PaneKey | BacklogKey):
            kept[raw_key] = rows[raw_key]
        elif isinstance(key, StateKey):
            state = msgspec.msgpack.decode(rows[raw_key], type=JudgeState)
            inbox = Inbox(0)
            inbox.progress = state.progress
            for place, beat in last.items():
                if place.model == key.model:
                    inbox.heard(place.partition, beat)
            state.progress = {
                partition: Progress(NEVER_MS, True, one.last_event_ms, one.last_record_ms, former=True)
                for partition, one in inbox.progress.items()
            }
            kept[raw_key] = msgspec.msgpack.encode(state)
    return kept


def heartbeats(rows: Mapping[bytes, bytes]) -> list[tuple[HeartbeatKey, Heartbeat]]:
    """Return what each source partition last said of each model."""
    found = ((_key.decode(raw_key), value) for raw_key, value in rows.items())
    return [(key, decode_heartbeat(value)) for key, value in found if isinstance(key, HeartbeatKey)]


def outcomes(rows: Mapping[bytes, bytes]) -> list[tuple[OutcomeKey, bytes]]:
    """Return the outcomes of all models, as they came."""
    found = ((_key.decode(raw_key), value) for raw_key, value in rows.items())
    return [(key, value) for key, value in found if isinstance(key, OutcomeKey)]


def models(rows: Mapping[bytes, bytes]) -> dict[str, tuple[JudgeState, Callable[[ModelJudge], Panes]]]:
    """Return each model's state, and what turns its pane rows into panes once the judge knows its layouts."""
    states: dict[str, JudgeState] = {}
    panes: defaultdict[str, list[tuple[PaneKey, bytes]]] = defaultdict(list)
    for raw_key, value in rows.items():
        key = _key.decode(raw_key)
        if isinstance(key, StateKey):
            states[key.model] = msgspec.msgpack.decode(value, type=JudgeState)
        elif isinstance(key, PaneKey):
            panes[key.model].append((key, value))
    return {model: (state, _reader(state, panes[model])) for model, state in states.items()}


def _reader(state: JudgeState, rows: list[tuple[PaneKey, bytes]]) -> Callable[[ModelJudge], Panes]:
    def read(judge: ModelJudge) -> Panes:
        layouts = judge.layouts | {layout.hash: layout for layout in state.layouts}
        found: defaultdict[Group, list[Pane]] = defaultdict(list)
        for key, value in rows:
            parts = [decode_part(raw) for raw in msgspec.msgpack.decode(value, type=_Panes).parts]
            layout = layouts.get(parts[0].layout)
            if layout is not None and layout.hash == judge_layout(judge, state):
                pane = Pane(key.start_ms, key.end_ms, profile_of(layout, parts))
                found[(key.version, key.segment)].append(pane)
        return {group: apart(panes) for group, panes in found.items()}

    return read


def apart(panes: list[Pane]) -> list[Pane]:
    """Return panes without those that lie in another: a late writer's, of before they were rolled up."""
    kept: list[Pane] = []
    for pane in sorted(panes, key=lambda one: (one.start_ms, -one.end_ms)):
        if not kept or pane.start_ms >= kept[-1].end_ms:
            kept.append(pane)
    return kept


def judge_layout(judge: ModelJudge, state: JudgeState) -> str:
    """Return the hash of the layout in force: the reference file's, or the one cut last."""
    if judge.has_reference_file or not state.layouts:
        return judge.layout.hash
    return state.layouts[-1].hash


def changes(judge: ModelJudge, held: Set[bytes]) -> dict[bytes, bytes | None]:
    """Return the rows to write so that the judge can be restored as it is now; ``held`` are its `pane_keys`."""
    model = judge.monitor.model
    wanted: dict[bytes, Pane] = {
        msgspec.msgpack.encode(PaneKey(model, *group, pane.start_ms, pane.end_ms)): pane
        for group, history in judge.histories.items()
        for pane in history.panes
    }
    rows: dict[bytes, bytes | None] = {
        key: msgspec.msgpack.encode(_Panes(parts_of(pane.profile)))
        for key, pane in wanted.items()
        if key not in held
    }
    rows |= {key: None for key in held if key not in wanted}
    return rows | {msgspec.msgpack.encode(StateKey(model)): msgspec.msgpack.encode(judge.snapshot())}


def is_lasting(key: bytes) -> bool:
    """Return whether a row may stand for long as it is, and be replaced; a pane's is written once."""
    return not key.startswith(_PANES)


def pane_keys(model: str, rows: Iterable[bytes]) -> set[bytes]:
    """Return the keys of a model's panes among those of a partition's rows."""
    mine = _PANES + msgspec.msgpack.encode(model)
    return {key for key in rows if key.startswith(mine)}


def close_steps(topics: Topics, judge: ModelJudge, judged: Judged, held: Set[bytes]) -> list[Step]:
    """Return what a close writes: outputs first, for a state that is written does not say them again."""
    records = _output_records(topics, judge.monitor.model, judged)
    if judged.layout is not None:
        records.append(layout_record(topics.layouts.name, *judged.layout))
    return [Step(records), Step(rows=changes(judge, held))]


def tick_steps(topics: Topics, judge: ModelJudge, judged: Judged, held: Set[bytes]) -> list[Step]:
    """Return what a tick writes: what is over, the state, and then what fires.

    The clock has moved on when a crash is over, and a tick may find another answer. What fires is known to
    the state before anybody is told, so that its end will be; what is over is known to be till that is told.
    """
    over = replace(
        judged, alerts=[one for one in judged.alerts if one.status == "resolved"], verdicts=[], news=[]
    )
    fires = replace(judged, alerts=[one for one in judged.alerts if one.status == "firing"])
    model = judge.monitor.model
    return [
        Step(_output_records(topics, model, over)),
        Step(rows=changes(judge, held)),
        Step(_output_records(topics, model, fires)),
    ]


def backlog_of(rows: Mapping[bytes, bytes]) -> BacklogState:
    """Return the state of the fleet's alert on its backlog."""
    row = rows.get(_BACKLOG)
    return BacklogState() if row is None else msgspec.msgpack.decode(row, type=BacklogState)


def backlog_steps(topics: Topics, state: BacklogState, upserts: Sequence[AlertUpsert]) -> list[Step]:
    """Return what the fleet's alert on its backlog writes, in the order of `tick_steps` and for its reasons."""
    over = alert_records(topics, (one for one in upserts if one.status == "resolved"))
    fires = alert_records(topics, (one for one in upserts if one.status == "firing"))
    return [Step(over), Step(rows={_BACKLOG: msgspec.msgpack.encode(state)}), Step(fires)]


def _output_records(topics: Topics, model: str, judged: Judged) -> list[Record]:
    """Return the records that tell readers of panes, verdicts and alerts."""
    key = model.encode("utf-8", "surrogatepass")
    to_panes, to_verdicts = topics.panes.name, topics.verdicts.name
    panes = [Record(to_panes, None, key, _with_model(model, row)) for row in panes_json(judged)]
    verdicts = [Record(to_verdicts, None, key, row.encode()) for row in verdicts_json(model, judged)]
    return panes + verdicts + alert_records(topics, judged.alerts)


def alert_records(topics: Topics, upserts: Iterable[AlertUpsert]) -> list[Record]:
    """Return the records by which the desk hears of alerts."""
    return [
        Record(topics.alerts.name, 0, upsert.fingerprint.encode(), upsert.model_dump_json().encode())
        for upsert in upserts
    ]


def _with_model(model: str, row: str) -> bytes:
    return msgspec.json.encode({"model": model, "pane": msgspec.Raw(row.encode())})
