"""Files of incidents: what is wrong is told with file, line and remedy, all of it at once."""

from pathlib import Path

import pytest
import tables

from driftline.errors import ConfigError
from driftline.replay.incident_file import load_incidents
from driftline.replay.matching import Incident

TEN, ELEVEN = 1_793_700_000_000, 1_793_703_600_000
YAML = """\
incidents:
  - name: upstream bug
    model: churn
    start: 2026-11-03T10:00:00Z
    end: "2026-11-03T12:00:00+01:00"
    features: [age, prediction]
"""
CSV = """\
name,model,start,end,features
upstream bug,churn,2026-11-03T10:00:00Z,2026-11-03T12:00:00+01:00,age; prediction
"""
FOUND = Incident("upstream bug", "churn", TEN, ELEVEN, frozenset({"age", "prediction"}))


def written(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "name", "line"), [(YAML, "a.yaml", 2), (CSV, "a.csv", 2)])
def test_yaml_and_csv_say_the_same(text: str, name: str, line: int, tmp_path: Path) -> None:
    assert load_incidents(written(tmp_path, text, name), tables.watched()) == {FOUND: line}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("10:00:00Z", "10:00:00", ":4: incidents.0.start: 2026-11-03T10:00:00 has no time zone; write"),
        ("2026-11-03T10:00:00Z", "2026-11-03", ":4: incidents.0.start: a date alone is no time; write one"),
        ("2026-11-03T10:00:00Z", "lunch", ":4: incidents.0.start: 'lunch' is no time; write one such as"),
        ("12:00:00+01:00", "10:00:00+01:00", ":2: incidents.0: end must be after start; swap them"),
        ("model: churn", "model: chrun", ":2: model: 'chrun' has no monitor; did you mean churn?"),
        ("[age,", "[agee,", ":2: features: 'agee' is no feature of churn; did you mean age?"),
        ("    model: churn\n", "", ":2: incidents.0.model: is missing; write it"),
        ("features:", "feature:", ":6: incidents.0.feature: no such key; did you mean features?"),
    ],
)
def test_a_mistake_is_told_where_it_stands_with_its_remedy(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    path = written(tmp_path, YAML.replace(old, new), "a.yaml")
    with pytest.raises(ConfigError) as raised:
        load_incidents(path, tables.watched())
    assert str(raised.value).startswith(f"{path}{said}")


def test_every_mistake_of_a_csv_is_told_with_its_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        CSV + "late,churn,2026-11-03T10:00:00Z,,\nupstream bug,churn,soon,2026-11-03T12:00:00Z,,more\n",
        "a.csv",
    )
    with pytest.raises(ConfigError) as raised:
        load_incidents(path, tables.watched())
    lines = str(raised.value).splitlines()
    assert lines[0] == f"{path}:3: end: is missing; write it"
    assert {line.partition(f"{path}:4: ")[2].partition(":")[0] for line in lines[1:]} == {
        "start", "a cell without a column",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("incidents: []\n", "a.yaml", "holds no incident; write one"),
        ("name,model,start,end\n", "a.csv", "holds no incident; write one"),
        ("", "a.csv", "holds no incident; write one"),
        (CSV + CSV.splitlines()[1] + "\n", "a.csv", "'upstream bug' stands in line 2 already; rename one"),
    ],
)
def test_no_incident_and_one_that_stands_twice_are_mistakes(
    text: str, name: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        load_incidents(written(tmp_path, text, name), tables.watched())
