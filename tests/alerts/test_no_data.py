"""No data is a state of its own: neither over, nor silently as it was. group_interval 300 s, no_data_after 10 min."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.alert import NO_DATA_SINCE, AlertUpsert, fingerprint
from alerts.config import Config, parse
from alerts.decision import Reason
from alerts.outcome import Sent
from alerts.receivers.slack_blocks import reply
from streams.desk_views import alert_row

LABELS = {"alertname": "a", "model": "m", "severity": "warning"}
A = fingerprint(LABELS)
SINCE = "No data since 1970-01-01 00:01:40 UTC: nothing newer was judged, so it stands as it was."


def config(**more: Any) -> Config:
    return parse(
        {
            "route": {"receiver": "ops", "group_by": ["model"], "repeat_interval": "1h"},
            "receivers": [{"name": "ops", "webhook_configs": [{"url": "http://localhost/"}]}],
            **more,
        }
    )


def tell(desk: Any, at_s: float, status: Any = "firing", **annotations: str) -> None:
    """Have the judge speak of the alert."""
    desk.run_until(at_s)
    desk.sequence += 1
    desk.take(
        AlertUpsert(
            status=status, labels=LABELS, annotations=annotations, starts_at_ms=0, pane_end_ms=desk.now_ms,
            sequence=desk.sequence, ends_at_ms=desk.now_ms if status == "resolved" else None,
        )
    )  # fmt: skip


def state(desk: Any) -> str:
    row = alert_row(desk.desk, A, desk.now_ms)
    return "" if row is None else row.state


def reasons(desk: Any) -> list[Reason]:
    return [one.reason for one in desk.desk.receipts(A)]


def test_what_a_judge_cannot_judge_says_so_at_once_and_goes_on_firing(world: Any) -> None:
    desk = world(config())
    tell(desk, 0)
    tell(desk, 160, **{NO_DATA_SINCE: "1970-01-01T00:01:40.000Z"})
    assert state(desk) == SINCE
    desk.run_until(20_000)
    assert {words for _, words in desk.timeline()} == {"+a"}
    tell(desk, 20_060)
    assert state(desk) == ""
    assert [one for one in reasons(desk) if one in (Reason.NO_DATA, Reason.DATA_AGAIN)] == [
        Reason.NO_DATA, Reason.DATA_AGAIN,
    ]  # fmt: skip


def test_what_nobody_speaks_of_any_more_says_so(world: Any) -> None:
    desk = world(config())
    tell(desk, 0)
    tell(desk, 100)
    desk.run_until(629)
    assert state(desk) == ""
    desk.run_until(931)
    assert state(desk) == SINCE
    tell(desk, 1000)
    assert state(desk) == ""


def test_a_repeat_says_so(world: Any) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [None, None]
    tell(desk, 0)
    desk.run_until(60)
    assert "No data" not in desk.out[0].notification.alerts[0].sentence
    desk.settle(desk.out.pop(), Sent())
    tell(desk, 100)
    desk.run_until(4000)
    repeat = desk.out[0].notification
    assert repeat.reason is Reason.REPEAT
    assert repeat.alerts[0].sentence.startswith(SINCE)
    assert repeat.common_annotations["note"] == SINCE
    assert SINCE in reply(repeat)


def test_an_end_ends_it_too(world: Any) -> None:
    desk = world(config())
    tell(desk, 0)
    tell(desk, 100, **{NO_DATA_SINCE: "1970-01-01T00:01:40.000Z"})
    tell(desk, 400, "resolved")
    assert state(desk) == ""
    desk.run_until(1000)
    assert desk.timeline()[-1][1] == "-a"
    assert desk.desk.alerts[A].no_data_ms is None


def test_the_time_can_be_chosen(world: Any) -> None:
    desk = world(config(**{"global": {"no_data_after": "1h"}}))
    tell(desk, 100)
    desk.run_until(3600)
    assert state(desk) == ""
    desk.run_until(4300)
    assert state(desk) == SINCE


def test_a_time_that_cannot_be_read_is_no_state(world: Any) -> None:
    desk = world(config())
    tell(desk, 0, **{NO_DATA_SINCE: "yesterday"})
    assert state(desk) == ""


def test_the_watchdog_never_lacks_data(world: Any) -> None:
    route = {"receiver": "ops", "matchers": ['alertname="Watchdog"']}
    desk = world(config())
    desk.reconfigure(config(route={"receiver": "ops", "routes": [route]}))
    desk.run_until(10_000)
    (record,) = desk.desk.alerts.values()
    assert (record.firing, record.no_data_ms) == (True, None)


def test_a_takeover_keeps_the_state_and_rows_of_before_are_read(world: Any) -> None:
    desk = world(config())
    tell(desk, 100)
    desk.run_until(1000)
    desk.crash()
    assert state(desk) == SINCE
    row = json.loads(desk.rows[f"alert/{A}"])
    del row["no_data_ms"], row["heard_ms"]
    desk.rows[f"alert/{A}"] = json.dumps(row).encode()
    desk.crash()
    desk.run_until(3000)
    assert state(desk) == ""


moves = st.lists(
    st.tuples(
        st.sampled_from(["firing", "missing", "resolved", "silent"]), st.sampled_from([1, 60, 301, 1000])
    ),
    max_size=15,
)


@given(moves=moves)
@settings(max_examples=60)
def test_only_word_of_an_end_ends_an_alert(world: Any, moves: list[tuple[str, int]]) -> None:
    desk, fires = world(config(**{"global": {"flapping": {"transitions": 0}}})), False
    for verb, seconds in moves:
        if verb == "missing":
            tell(desk, desk.now_ms / 1000, **{NO_DATA_SINCE: "1970-01-01T00:01:40.000Z"})
        elif verb != "silent":
            tell(desk, desk.now_ms / 1000, verb)
        fires = verb in ("firing", "missing") or (verb == "silent" and fires)
        desk.run_until(desk.now_ms / 1000 + seconds)
        assert (A in desk.desk.firing) == fires
    desk.run_until(desk.now_ms / 1000 + 1000)
    believed = desk.tries[-1].words if desk.tries else ""
    assert believed.startswith("+") == fires
    assert bool(state(desk)) == fires
