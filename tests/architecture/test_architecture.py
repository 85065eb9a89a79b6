"""ARCHITECTURE.md is true: what it names exists, and every dependency has its line."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def test_every_path_it_names_exists() -> None:
    named = re.findall(r"`([a-z_]+/[a-z_/.]*)`", TEXT)
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_dependency_has_its_line_and_every_line_its_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {
        re.split(r"[<>=\[]", one)[0]
        for one in [*project["dependencies"], *project["optional-dependencies"]["embedded"]]
    }
    section = TEXT.split("## Libraries, one line each")[1]
    missing = sorted(name for name in wanted if not re.search(rf"\b{re.escape(name)}\b", section))
    assert missing == []


#: What makes a client, and the one place that tells it where the server is and how one is let in.
WAYS = {
    "AIOKafkaConsumer": "aiokafka_options",
    "AIOKafkaProducer": "aiokafka_options",
    "AIOKafkaAdminClient": "aiokafka_options",
    "KafkaAdminClient": None,  # `driftline.brokers.connect` makes it
    "KafkaConsumer": None,
    "KafkaProducer": None,
    "Redis": None,  # `streams.connections.connect` makes it
    "from_url": None,
}


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node


def name_of(called: ast.expr) -> str:
    return called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")


def test_no_client_is_made_past_the_one_place_that_knows_the_way_in() -> None:
    home = ROOT / "streams" / "connections"
    modules = [path for package in ("driftline", "streams") for path in (ROOT / package).rglob("*.py")]
    assert home / "store.py" in modules
    past = []
    for path in modules:
        for call in calls(path) if path.parent != home else ():
            name, named = name_of(call.func), [word.arg for word in call.keywords]
            taken = {name_of(word.value.func) for word in call.keywords if isinstance(word.value, ast.Call)}
            if "bootstrap_servers" in named or (name in WAYS and WAYS[name] not in taken):
                past.append(f"{path.relative_to(ROOT)}:{call.lineno}: {name}")
    assert past == [], "take the arguments from streams.connections"


def test_it_fits_a_page() -> None:
    assert len(TEXT.splitlines()) < 100


def test_the_readme_links_to_files_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", readme) if "://" not in link]
    assert len(links) > 8
    assert [link for link in links if not (ROOT / link).exists()] == []
