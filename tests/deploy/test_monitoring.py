import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from streams.metrics import MetricRow, Metrics

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "driftline.json").read_text())
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((DEPLOY / "rules.yml").read_text())["groups"] for rule in group["rules"]
]
TABLE = Metrics(CollectorRegistry()).table
SERIES: dict[str, MetricRow] = {series: row for row in TABLE for series in row.series}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def named(query: str) -> set[str]:
    return set(re.findall(r"\bdriftline_[a-z_]+", query))


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        assert os.environ.get("CI") != "true", "promtool is missing: install it (Debian package prometheus)"
        pytest.skip("promtool is missing: install it (Debian package prometheus) to check the rules")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_queries_use_only_metrics_there_are(where: str, query: str) -> None:
    assert named(query) <= SERIES.keys()
    assert named(query) or "up{" in query


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_queries_use_only_labels_their_metrics_have(where: str, query: str) -> None:
    known = {"job", "instance", "le"} | {label for name in named(query) for label in SERIES[name].labels}
    grouped = re.findall(r"\bby \(([^)]*)\)", query)
    matched = re.findall(r"([a-z]+)(?:=~|=|!=)\"", query)
    used = {label.strip() for group in grouped for label in group.split(",")} | set(matched)
    assert used <= known


def test_the_dashboard_shows_every_metric() -> None:
    shown = {
        SERIES[name].name
        for panel in panels()
        for target in panel["targets"]
        for name in named(target["expr"])
    }
    assert {row.name for row in TABLE} - shown == set()


def test_panels_say_what_they_show_and_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(identities) == len(set(identities))
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert all(panel["description"] for panel in panels())


def test_every_rule_leads_to_what_to_do() -> None:
    assert RULES
    for rule in RULES:
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        headings = re.findall(r"(?m)^#+ (\S+)$", (ROOT / path).read_text())
        assert anchor == rule["alert"].lower()
        assert rule["alert"] in headings
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_every_rule_has_a_case_that_fires_and_one_that_does_not() -> None:
    cases = [
        case
        for test in yaml.safe_load((DEPLOY / "rules_test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    alerts = {rule["alert"] for rule in RULES}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == alerts
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == alerts


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "rules.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
)
def test_prometheus_accepts_the_configuration(arguments: tuple[str, str, str]) -> None:
    verb, what, name = arguments
    result = promtool(verb, what, str(DEPLOY / name))
    assert result.returncode == 0, result.stdout + result.stderr


def test_prometheus_can_parse_every_query_of_the_dashboard(tmp_path: Path) -> None:
    expressions = [target["expr"] for panel in panels() for target in panel["targets"]]
    rules = [{"record": f"query:{at}", "expr": text} for at, text in enumerate(expressions)]
    assert rules
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    result = promtool("check", "rules", str(path))
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_provisioned_data_source_is_the_one_the_dashboard_asks_for() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "driftline.yml").read_text())["providers"]
    (variable,) = [v for v in DASHBOARD["templating"]["list"] if v["type"] == "datasource"]
    assert variable["query"] == source["type"]
    assert variable["current"]["value"] == source["uid"]
    compose = (ROOT / "docker-compose.yml").read_text()
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in compose
