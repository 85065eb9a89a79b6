import json

import pytest
from command_line import Ran, Run
from redis import Redis

from alerts.ack import Ack
from alerts.alert import fingerprint
from driftline.embedded import EmbeddedStore
from streams.desk_views import DeskAlertRow
from streams.views import AlertRow, ModelSummary


@pytest.fixture
def alerts(store: str, driftline: Run) -> Run:
    """Run ``driftline alerts ARGUMENTS…`` on a store with two models."""
    rows = {
        "churn": [
            alert(
                "churn",
                "PSI of age is 0.4",
                severity="warning",
                feature="age",
                since=2,
                cause="mean 41.2 → 63\x1b[2J",
            ),
            alert("churn", "p99 is 730 ms", kind="LatencyHigh", severity="critical", since=3),
            alert("churn", "was late", kind="StaleStream", severity="critical", since=1, until=4),
        ],
        "fraud": [alert("fraud", "\x1b[2J PSI [red]high[/red]", severity="warning", since=1)],
    }
    with Redis.from_url(store) as redis:
        redis.flushdb()
        for model, held in rows.items():
            summary = ModelSummary(model=model, state="firing", updated_ms=1)
            redis.hset("driftline:models", model, summary.model_dump_json())
            for number, row in enumerate(held):
                redis.hset(f"driftline:model:{model}:alerts", str(number), row.model_dump_json())

    def run(*arguments: object) -> Ran:
        ran: Ran = driftline("alerts", *arguments, DRIFTLINE_REDIS=store)
        return ran

    return run


def alert(
    model: str, summary: str, *, severity: str, since: int, kind: str = "FeatureDrift", feature: str = "",
    until: int | None = None, cause: str = "",
) -> AlertRow:  # fmt: skip
    labels = {"alertname": kind, "model": model, "version": "1.4.2", "severity": severity}
    return AlertRow(
        at="2026-11-23T09:05:00.000Z",
        status="firing" if until is None else "resolved",
        labels=labels | ({"feature": feature} if feature else {}),
        annotations={"summary": summary, "runbook_url": f"http://web/runbooks/{kind}"}
        | ({"cause": cause} if cause else {}),
        startsAt=f"2026-11-23T09:0{since}:00.000Z",
        endsAt=None if until is None else f"2026-11-23T09:0{until}:00.000Z",
    )


def test_what_fires_is_listed_worst_first_then_longest(alerts: Run) -> None:
    ran = alerts()
    assert (ran.status, ran.err) == (0, "")
    assert [line.split() for line in ran.out.splitlines()][:1] == [
        [
            "severity",
            "kind",
            "model",
            "version",
            "feature",
            "since",
            "id",
            "ack",
            "state",
            "untold",
            "summary",
            "cause",
        ]
    ]
    assert [line.split()[:3] for line in ran.out.splitlines()[2:]] == [
        ["critical", "LatencyHigh", "churn"],
        ["warning", "FeatureDrift", "fraud"],
        ["warning", "FeatureDrift", "churn"],
    ]
    assert "was late" not in ran.out
    assert "\x1b" not in ran.out
    assert "PSI [red]high[/red]" in ran.out


def test_lately_resolved_ones_come_last_with_all(alerts: Run) -> None:
    ran = alerts("--all", "--model", "churn")
    last = ran.out.splitlines()[-1].split()
    assert last[:2] == ["critical", "StaleStream"]
    assert "2026-11-23T09:04:00.000Z" in last
    assert "fraud" not in ran.out


def test_json_has_all_a_script_needs(alerts: Run) -> None:
    rows = json.loads(alerts("--json", "--model", "churn").out)
    labels = {"alertname": "FeatureDrift", "model": "churn", "version": "1.4.2", "feature": "age"}
    assert rows[1] == {
        "id": fingerprint(labels), "ack": "", "state": "", "untold": "",
        "severity": "warning", "kind": "FeatureDrift", "model": "churn", "version": "1.4.2", "feature": "age",
        "segment": "", "status": "firing", "since": "2026-11-23T09:02:00.000Z", "until": None,
        "summary": "PSI of age is 0.4", "cause": "mean 41.2 → 63\\x1b[2J", "runbook": "http://web/runbooks/FeatureDrift",
        "generator": "",
    }  # fmt: skip


def test_a_model_nobody_saw_is_an_error_that_names_those_there_are(alerts: Run) -> None:
    ran = alerts("--model", "chrun")
    assert (ran.status, ran.err) == (1, "no model 'chrun' was seen; there are: churn, fraud\n")


def test_silence_is_said(driftline: Run) -> None:
    with EmbeddedStore() as store:
        ran = driftline("alerts", DRIFTLINE_REDIS=store.url)
        as_json = driftline("alerts", "--json")
    assert (ran.status, ran.out) == (0, "no alert is firing\n")
    assert json.loads(as_json.out) == []
    gone = driftline("alerts")
    assert gone.status == 1
    assert gone.err.endswith("Check that Redis runs there and that DRIFTLINE_REDIS names it.\n")
    assert len(gone.err.splitlines()) == 1


def test_an_alert_of_no_model_is_listed_with_those_of_all(alerts: Run, store: str) -> None:
    row = alert("", "Driftline is behind", kind="Backlog", severity="critical", since=4)
    row.labels = {"alertname": "Backlog", "component": "driftline", "severity": "critical"}
    with Redis.from_url(store) as redis:
        redis.hset("driftline:alerts", "1", row.model_dump_json())
    assert "Driftline is behind" in alerts().out
    assert json.loads(alerts("--json").out)[1]["kind"] == "Backlog"
    assert "Backlog" not in alerts("--model", "churn").out


def test_what_others_push_is_listed_under_its_own_id(alerts: Run, store: str) -> None:
    labels = {"alertname": "JobDown", "job": "\x1b[2Jnightly", "severity": "critical"}
    pushed = DeskAlertRow(
        fingerprint="a1b2", status="firing", labels=labels, annotations={"summary": "did not run"},
        starts_at_ms=0, ends_at_ms=9, updated_at_ms=0, pushed=True, generator_url="http://prometheus/graph",
    )  # fmt: skip
    others = {
        "of_churn": pushed.model_copy(
            update={"labels": labels | {"model": "churn"}, "fingerprint": "of_churn"}
        ),
        "over": pushed.model_copy(update={"status": "resolved", "fingerprint": "over"}),
        "own": pushed.model_copy(update={"pushed": False, "fingerprint": "own"}),
    }
    with Redis.from_url(store) as redis:
        for row in (pushed, *others.values()):
            redis.hset("driftline:desk:alerts", row.fingerprint, row.model_dump_json())
    rows = {row["id"]: row for row in json.loads(alerts("--json").out)}
    assert rows["a1b2"].items() >= {
        "kind": "JobDown", "model": "", "since": "1970-01-01T00:00:00.000Z", "until": None, "summary": "did not run",
        "generator": "http://prometheus/graph",
    }.items()  # fmt: skip
    assert {"of_churn", "over", "own"} & rows.keys() == {"of_churn"}
    assert "did not run" in alerts().out
    churn = {row["id"] for row in json.loads(alerts("--json", "--all", "--model", "churn").out)}
    assert {"a1b2", "of_churn", "over", "own"} & churn == {"of_churn"}


def test_the_cause_is_told_and_cannot_steer_the_terminal(alerts: Run) -> None:
    (line,) = [line for line in alerts("--model", "churn").out.splitlines() if "PSI of age" in line]
    assert line.rstrip().endswith("mean 41.2 → 63\\x1b[2J")
    causes = {row["feature"]: row["cause"] for row in json.loads(alerts("--model", "churn", "--json").out)}
    assert causes == {"age": "mean 41.2 → 63\\x1b[2J", "": ""}


def test_who_looks_after_an_alert_is_listed(alerts: Run, store: str) -> None:
    row = alert("churn", "p99 is 730 ms", kind="LatencyHigh", severity="critical", since=3)
    held = DeskAlertRow(
        fingerprint=fingerprint(row.labels), status="firing", labels=row.labels, annotations={},
        starts_at_ms=0, updated_at_ms=0, ack=Ack("ana", "on it", 0, "critical"),
    )  # fmt: skip
    with Redis.from_url(store) as redis:
        redis.hset("driftline:desk:alerts", held.fingerprint, held.model_dump_json())
    acks = {row["kind"]: row["ack"] for row in json.loads(alerts("--json").out) if row["model"] == "churn"}
    assert acks == {"LatencyHigh": "ana", "FeatureDrift": ""}


def test_what_keeps_an_alert_from_being_told_is_listed(alerts: Run, store: str) -> None:
    row = alert("churn", "p99 is 730 ms", kind="LatencyHigh", severity="critical", since=3)
    held = DeskAlertRow(
        fingerprint=fingerprint(row.labels), status="firing", labels=row.labels, annotations={},
        starts_at_ms=0, updated_at_ms=0, suppressed={"inhibited": ["0a1b2c3d4e5f6071"], "muted": ["nights"]},
    )  # fmt: skip
    with Redis.from_url(store) as redis:
        redis.hset("driftline:desk:alerts", held.fingerprint, held.model_dump_json())
    rows = json.loads(alerts("--json", "--model", "churn").out)
    assert {row["kind"]: row["untold"] for row in rows} == {
        "LatencyHigh": "inhibited by alert 0a1b2c3d4e5f6071; muted in nights",
        "FeatureDrift": "",
    }


def test_an_alert_that_flaps_is_listed_though_it_is_over_just_now(alerts: Run, store: str) -> None:
    row = alert("churn", "was late", kind="StaleStream", severity="critical", since=1, until=4)
    flaps = "Flaps: began or ended 4 times since 2026-11-23 08:50:00 UTC, held as firing until it is quiet."
    held = DeskAlertRow(
        fingerprint=fingerprint(row.labels), status="firing", labels=row.labels, annotations={},
        starts_at_ms=0, updated_at_ms=0, state=flaps,
    )  # fmt: skip
    with Redis.from_url(store) as redis:
        redis.hset("driftline:desk:alerts", held.fingerprint, held.model_dump_json())
    rows = json.loads(alerts("--json", "--model", "churn").out)
    assert {row["kind"]: row["state"] for row in rows} == {
        "StaleStream": flaps,
        "LatencyHigh": "",
        "FeatureDrift": "",
    }
