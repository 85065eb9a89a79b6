import json
import re
import socket
import tomllib
from pathlib import Path

import pytest
from command_line import Run

from driftline.embedded import EmbeddedServer
from driftline.reference_docs import commands

ROOT = Path(__file__).parents[2]


def plain(text: str) -> str:
    """Help as one line of words, without frames."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|[╭╮╰╯─│]", " ", text).split())


@pytest.mark.parametrize("command", commands())
def test_every_command_teaches_with_a_summary_and_an_example(command: str, driftline: Run) -> None:
    ran = driftline(*command.split(), "--help")
    assert ran.status == 0
    said = plain(ran.out)
    assert re.search(rf"Example: (\w+=\S+ )*driftline {command}\b", said)
    assert len(said.partition("Example:")[0].split()) > 8


def test_the_commands_of_the_house_are_all_there() -> None:
    assert set(commands()) == {
        "up", "worker", "web", "replay", "reference build", "check",
        "alerts", "alerts show", "alerts report", "alerts ack", "alerts unack",
        "silence add", "silence list", "silence extend", "silence expire", "dead-letter list", "dead-letter requeue",
        "detectors", "schemas", "topics create", "incident",
    }  # fmt: skip


def test_the_exit_codes_are_documented(driftline: Run) -> None:
    said = plain(driftline("--help").out)
    assert "Exit codes: 0 done, or stopped in order (up, worker, web); 1 something to mend;" in said
    assert "130 cut short by Ctrl-C." in said


def test_the_version_is_the_packages(driftline: Run) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert driftline("--version").out == f"driftline {declared}\n"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(["worke"], "worker"), (["replya"], "replay"), (["dead-letter", "requeu"], "requeue"),
     (["topics", "creat"], "create"), (["dead-leter"], "dead-letter")],
)  # fmt: skip
def test_a_mistyped_command_is_answered_with_the_near_one(
    typed: list[str], meant: str, driftline: Run
) -> None:
    ran = driftline(*typed)
    assert ran.status == 2
    assert f"Did you mean '{meant}'?" in plain(ran.err)


def test_a_stage_that_is_none_is_wrong_usage_and_the_stages_are_named(driftline: Run) -> None:
    ran = driftline("worker", "--stage", "jugde", DRIFTLINE_KAFKA="a:1", DRIFTLINE_REDIS="redis://a")
    assert ran.status == 2
    assert "'jugde' is no stage; there are profile, judge, desk" in plain(ran.err)


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["web"], "DRIFTLINE_REDIS"),
        (["alerts"], "DRIFTLINE_REDIS"),
        (["topics", "create"], "DRIFTLINE_KAFKA"),
        (["dead-letter", "list"], "DRIFTLINE_KAFKA"),
        (["dead-letter", "requeue"], "DRIFTLINE_KAFKA"),
    ],
)
def test_a_setting_that_is_missing_is_one_sentence_with_an_example(
    arguments: list[str], missing: str, driftline: Run, tmp_path: Path
) -> None:
    ran = driftline(*arguments, DRIFTLINE_MONITORS=str(tmp_path))
    assert (ran.status, ran.out) == (1, "")
    (line,) = ran.err.splitlines()
    assert line.startswith(f"{missing} is not set; e.g. {missing}=")


def test_a_worker_names_all_settings_it_lacks_at_once(driftline: Run) -> None:
    ran = driftline("worker")
    assert (ran.status, ran.out) == (1, "")
    assert [line.partition(" is not set; e.g. ")[0] for line in ran.err.splitlines()] == [
        "DRIFTLINE_KAFKA", "DRIFTLINE_REDIS",
    ]  # fmt: skip


def test_settings_that_make_no_sense_are_said_without_a_traceback(driftline: Run) -> None:
    ran = driftline("check", DRIFTLINE_LOG_LEVEL="loud", DRIFTLINE_PARTITIONS="0")
    assert ran.status == 1
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == [
        "DRIFTLINE_PARTITIONS", "DRIFTLINE_LOG_LEVEL",
    ]  # fmt: skip


def test_a_port_that_is_taken_is_said_with_the_remedy(driftline: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = driftline("web", "--port", port, DRIFTLINE_REDIS="redis://127.0.0.1:1")
    assert ran.status == 1
    assert ran.err.splitlines()[-1].startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert "Traceback" not in ran.err


def test_up_says_that_its_port_is_taken_before_anything_starts(
    driftline: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddedServer, "start", not_to_be_started)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = driftline("up", "--port", port)
    assert ran.status == 1
    (line,) = ran.err.splitlines()
    assert line.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert line.endswith("; choose another with --port")


@pytest.mark.parametrize("below", ["", "data"])
def test_up_says_that_its_data_folder_is_none_before_anything_starts(
    below: str, driftline: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(EmbeddedServer, "start", not_to_be_started)
    (tmp_path / "file").write_text("kept")
    ran = driftline("up", "--data", tmp_path / "file" / below, "--port", 0)
    assert ran.status == 1
    (line,) = ran.err.splitlines()
    assert line.startswith(f"--data {tmp_path / 'file' / below} cannot be used: ")
    assert (tmp_path / "file").read_text() == "kept"


def not_to_be_started(server: EmbeddedServer) -> None:
    pytest.fail(f"the {server.name} was started")


def test_detectors_are_listed_and_explained(driftline: Run) -> None:
    listed = driftline("detectors").out
    assert "psi" in listed
    assert {row["detector"] for row in json.loads(driftline("detectors", "--json").out)} >= {"psi", "latency"}
    one = driftline("detectors", "psi").out
    assert "threshold" in one
    assert "0.2" in one
    assert driftline("detectors", "pis").status == 2


def test_the_thresholds_of_a_monitor_are_explained(driftline: Run, tmp_path: Path) -> None:
    file = tmp_path / "churn.yaml"
    file.write_text(
        "model: churn\nfeatures: {age: {type: number}}\nfalse_alarms: {per_week: 2}\n"
        "detectors: {psi: {threshold: 0.3}}\nobjectives: {latency_p99_ms: 250}\n"
    )
    rows = json.loads(driftline("detectors", "explain", "--monitor", str(file), "--json").out)
    found = {(row["detector"], row["feature"]): row for row in rows}
    assert found["latency", "latency_ms"]["threshold"] == 250
    assert "given in the monitor" in found["psi", "age"]["why"]
    assert "120,960 panes of 10s" in found["lasting_shift", "age"]["why"]
    assert "50 % of 2 false alarms a week" in found["lasting_shift", "age"]["why"]
    file.write_text(file.read_text() + "segments: {country: {values: [de]}, plan: }\n")
    told = driftline("detectors", "explain", "--monitor", str(file)).out
    assert "segment country: 1 value (listed in the monitor)" in told
    assert "segment plan: the first 50 values that come" in told
    shown = driftline("detectors", "psi", "--monitor", str(file)).out
    assert "segment" not in shown
    assert "psi" in shown
    assert "lasting_shift" not in shown
    assert driftline("detectors", "explain").status == 2


def test_schemas_are_json_schema(driftline: Run) -> None:
    assert set(json.loads(driftline("schemas").out)) == {"prediction", "label"}
    assert "ts" in json.loads(driftline("schemas", "prediction").out)["properties"]
    assert driftline("schemas", "event").status == 2


MONITOR = "model: churn\nfeatures: {age: {type: number}}\n"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "churn.yaml").write_text(MONITOR)
    rows = [f"{1_795_424_400_000 + 100 * row},{20 + row % 40},0.{row % 10}" for row in range(3_000)]
    (tmp_path / "november.csv").write_text("time,age,score\n" + "\n".join(rows) + "\n")
    return tmp_path


def test_a_reference_is_built_and_history_replayed(history: Path, driftline: Run) -> None:
    data, monitor = history / "november.csv", history / "monitors" / "churn.yaml"
    mapping = ("--map", "ts=time,prediction=score")
    out = history / "monitors" / "churn.json"
    built = driftline("reference", "build", data, "--monitor", monitor, "--out", out, *mapping)
    assert built.status == 0
    assert built.out.splitlines()[0] == f"{out}: reference of churn from 3,000 rows"
    assert "reference: {file: churn.json}" in built.out
    monitor.write_text(MONITOR + "reference: {file: churn.json}\n")
    verdicts = history / "verdicts.jsonl"
    ran = driftline(
        "replay", data, "--monitors", monitor.parent, "--verdicts-out", verdicts,
        "--alerts-out", history / "alerts.jsonl", *mapping,
    )  # fmt: skip
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("3,000 rows in ")
    assert json.loads(verdicts.read_text().splitlines()[0])["model"] == "churn"
    assert (history / "alerts.jsonl").exists()
    quiet = driftline("replay", data, "--monitors", monitor.parent, "--quiet", *mapping)
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")


@pytest.mark.parametrize("out", ["churn.json", "monitors/churn.json", "references/of churn.json"])
def test_what_a_built_reference_advises_is_found_by_check_wherever_it_was_built(
    out: str, history: Path, driftline: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (history / "references").mkdir()
    monkeypatch.chdir(history)
    built = driftline(
        "reference", "build", "november.csv", "--monitor", "monitors/churn.yaml", "--out", out,
        "--map", "ts=time,prediction=score",
    )  # fmt: skip
    advice = built.out.splitlines()[1].partition("monitors/churn.yaml: ")[2]
    (history / "monitors" / "churn.yaml").write_text(f"{MONITOR}{advice}\n")
    assert driftline("check").status == 0


@pytest.mark.parametrize("option", ["--alerts-out", "--verdicts-out"])
def test_replay_never_writes_over_what_it_reads(option: str, history: Path, driftline: Run) -> None:
    data = history / "november.csv"
    before = data.read_text()
    ran = driftline("replay", data, "--monitors", history / "monitors", option, data)
    assert (ran.status, data.read_text()) == (1, before)
    assert "is read or written already by this command; name another file" in ran.err


def test_a_reference_that_cannot_be_written_leaves_nothing_behind(history: Path, driftline: Run) -> None:
    out = history / "nowhere" / "churn.json"
    ran = driftline(
        "reference", "build", history / "november.csv", "--monitor", history / "monitors" / "churn.yaml",
        "--out", out, "--map", "ts=time,prediction=score",
    )  # fmt: skip
    assert ran.status == 1
    assert ran.err.endswith(
        f"{out}: cannot be written: No such file or directory; name another file, or free some space\n"
    )


@pytest.mark.parametrize("arguments", [["--map", "ts"], ["--monitors", "nowhere"], []])
def test_what_is_wrong_with_a_replay_is_said_without_a_traceback(
    arguments: list[str], history: Path, driftline: Run
) -> None:
    ran = driftline("replay", history / "none.csv", "--monitors", history / "monitors", *arguments)
    assert ran.status == 1
    assert "Traceback" not in ran.err
    assert len(ran.err.splitlines()) == 1
