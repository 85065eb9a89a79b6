from pathlib import Path

import pytest
from command_line import Run

BROKEN = {
    "monitors/churn.yaml": """\
model: churn
features:
  age: {type: number, min: 100, max: 18}
  plan: {type: category, values: [yes, no]}
windows:
  pane: ten seconds
reference: {file: churn.json, trailing: 7d}
objectives:
  latency_p99: 500
""",
    "monitors/fraud.yaml": "model: fraud\n  team: risk\n",
    "monitors/risk.yml": "model: risk\nreference: {file: risk.json}\n",
    "alerting.yml": """\
route:
  receiver: nobody
receivers:
  - name: ops
    log_configs: [{}]
""",
}

SAID = """\
monitors/churn.yaml:3: features.age: min 100.0 is above max 18.0; swap them
monitors/churn.yaml:4: features.plan.values.0: expected text, found 'True'; write it in quotes
monitors/churn.yaml:4: features.plan.values.1: expected text, found 'False'; write it in quotes
monitors/churn.yaml:6: windows.pane: 'ten seconds' is not a duration; write one such as 30s, 5m, 1h30m or 1d
monitors/churn.yaml:7: reference: give exactly one of file, trailing, version; given: ['file', 'trailing']
monitors/churn.yaml:9: objectives.latency_p99: no such key; did you mean latency_p99_ms?
monitors/fraud.yaml:2: not YAML: mapping values are not allowed here
monitors/risk.yml:2: reference.file: monitors/risk.json: No such file or directory; build it: driftline reference \
build DATA --monitor monitors/risk.yml --out monitors/risk.json
alerting.yml:2: route.receiver: no receiver named 'nobody'; there are: ops
"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_every_mistake_is_printed_and_the_exit_is_1(
    driftline: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, BROKEN)
    monkeypatch.chdir(tmp_path)
    ran = driftline("check", "--alerting", "alerting.yml")
    assert ran.status == 1
    assert ran.out == ""
    assert ran.err == SAID


def test_a_mistake_about_a_detector_is_shown_at_its_own_line(driftline: Run, tmp_path: Path) -> None:
    text = """\
model: churn
detectors:
  psi:
    threshold: 0.2
    for: 2 minutes
    treshold: 0.3
  chi_square: {}
  latency:
    for: 1m
    quantile: much
  pssi: {}
  page_hinkley: 3
"""
    write(tmp_path, {"monitors/churn.yaml": text})
    ran = driftline("check", "--monitors", tmp_path / "monitors")
    assert ran.status == 1
    said = [line.removeprefix(f"{tmp_path}/monitors/churn.yaml:") for line in ran.err.splitlines()]
    assert [line.split(": ")[:2] for line in said] == [
        ["5", "detectors.psi.for"],
        ["6", "detectors.psi.treshold"],
        ["10", "detectors.latency.quantile"],
        ["11", "detectors.pssi"],
        ["12", "detectors.page_hinkley"],
    ]
    assert said[1].endswith("no such key; did you mean threshold?")
    assert "no detector 'pssi'; did you mean psi? There are: adwin, " in said[3]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("segments: country", "segments: expected a list, found 'country'; write [country]"),
        ("features: {plan: {type: category, values: free}}",
         "features.plan.values: expected a list, found 'free'; write [free]"),
        ("features: {age: {min: 1}}", "features.age.type: is missing; write it"),
        ("features: {age: {type: number, min: low}}", "features.age.min: expected a number, found 'low'"),
        ("features: {age: {type: number, required: maybe}}",
         "features.age.required: expected true or false, found 'maybe'"),
        ("prediction: score", "prediction: expected a mapping of keys, found 'score'"),
        ("prediction: {type: scores}",
         "prediction.type: expected 'score', 'class', 'number' or 'probabilities', found 'scores'"),
        ("reference: {trailing: 1s}", "reference.trailing: 1s is too short; write at least 1m"),
        ("windows: {pane: 10ms}", "windows.pane: 10ms is too short; write at least 1s"),
        ("windows: {pane: 60d, current: 60d}", "windows.pane: 60d is too long; write at most 30d"),
        ("windows: {pane: 7s}", "windows: current (5m) must be a multiple of pane (7s)"),
        ("windows: {min_samples: 0}", "windows.min_samples: must be 1 or more, found '0'"),
        ("objectives: {error_rate: 5}", "objectives.error_rate: must be 1 or less, found '5'"),
        ("false_alarms: {per_week: 0}", "false_alarms.per_week: must be above 0, found '0'"),
        ("objektives: {}", "objektives: no such key; did you mean objectives?"),
        ("objectives: {err_rate: 1}", "objectives.err_rate: no such key; did you mean error_rate?"),
        ("false_alarms: {zzz: 1}", "false_alarms.zzz: no such key; there are: per_week"),
    ],
)  # fmt: skip
def test_the_usual_mistakes_are_said_in_the_words_of_the_file(
    line: str, said: str, driftline: Run, tmp_path: Path
) -> None:
    write(tmp_path, {"monitors/churn.yaml": f"model: churn\n{line}\n"})
    ran = driftline("check", "--monitors", tmp_path / "monitors")
    assert ran.status == 1
    assert ran.err == f"{tmp_path}/monitors/churn.yaml:2: {said}\n"


def test_a_misspelt_key_of_the_alerting_file_is_answered_with_the_near_one(
    driftline: Run, tmp_path: Path
) -> None:
    text = "route: {receiver: ops}\nreceivers:\n  - name: ops\n    webhook_config: []\n"
    write(tmp_path, {"monitors/a.yml": "model: a\n", "alerting.yml": text})
    ran = driftline("check", "--monitors", tmp_path / "monitors", "--alerting", tmp_path / "alerting.yml")
    assert "receivers.0.webhook_config: no such key; did you mean webhook_configs?" in ran.err


def test_files_without_a_mistake_are_named_and_the_exit_is_0(driftline: Run, tmp_path: Path) -> None:
    write(tmp_path, {"monitors/b.yaml": "model: b\n", "monitors/a.yml": "model: a\n"})
    ran = driftline("check", "--monitors", tmp_path / "monitors")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == "monitors: a, b; alerting: none, alerts go to the log; no mistake found\n"


def test_what_should_be_written_otherwise_is_a_warning_with_its_line(driftline: Run, tmp_path: Path) -> None:
    text = """\
route:
  receiver: ops
  routes:
    - match: {team: growth}
      routes:
        - match_re:
            model: churn|fraud
receivers:
  - name: ops
inhibit_rules:
  - source_match: {severity: critical}
    target_matchers: [severity=warning]
"""
    write(tmp_path, {"monitors/a.yml": "model: a\n", "alerting.yml": text})
    file = tmp_path / "alerting.yml"
    ran = driftline("check", "--monitors", tmp_path / "monitors", "--alerting", file)
    assert ran.status == 0
    assert ran.err.splitlines() == [
        f"warning: {file}:4: route.routes.0.match: old; write matchers: ['team=\"growth\"']",
        f"warning: {file}:6: route.routes.0.routes.0.match_re: old; write matchers: ['model=~\"churn|fraud\"']",
        f"warning: {file}:11: inhibit_rules.0.source_match: old; write source_matchers: ['severity=\"critical\"']",
    ]


def test_mistakes_in_time_intervals_are_told_with_lines_and_what_was_meant(
    driftline: Run, tmp_path: Path
) -> None:
    text = """\
route:
  receiver: ops
  routes:
    - mute_time_intervals: [nigths]
receivers:
  - name: ops
time_intervals:
  - name: nights
    time_intervals:
      - weekday: [monday]
        times:
          - {start_time: 22:00, end_time: 06:00}
"""
    write(tmp_path, {"monitors/a.yml": "model: a\n", "alerting.yml": text})
    file = tmp_path / "alerting.yml"
    ran = driftline("check", "--monitors", tmp_path / "monitors", "--alerting", file)
    assert ran.err.splitlines() == [
        f"{file}:4: route.routes.0.mute_time_intervals.0: no time interval named 'nigths'; there are: nights",
        f"{file}:10: time_intervals.0.time_intervals.0.weekday: no such key; did you mean weekdays?",
        f"{file}:12: time_intervals.0.time_intervals.0.times.0: start_time is not before end_time; "
        "write one range up to 24:00, and one from 00:00",
    ]


def test_no_secret_of_an_alerting_file_is_printed(driftline: Run, tmp_path: Path) -> None:
    text = (
        "route: {receiver: ops}\nreceivers:\n  - name: ops\n    webhook_configs:\n"
        "      - url: 'ftp://hunter2@host/'\n        headers: {'a b': hunter2}\n        max_alerts: [hunter2]\n"
    )
    write(tmp_path, {"monitors/a.yml": "model: a\n", "alerting.yml": text})
    ran = driftline("check", "--monitors", tmp_path / "monitors", "--alerting", tmp_path / "alerting.yml")
    assert ran.status == 1
    assert [line.removeprefix(f"{tmp_path}/").split(": ")[0] for line in ran.err.splitlines()] == [
        "alerting.yml:5", "alerting.yml:6", "alerting.yml:7",
    ]  # fmt: skip
    assert "hunter2" not in ran.err
