"""ARCHITECTURE.md is true: what it names exists, and every dependency has its line."""

import re
import tomllib
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


def test_it_fits_a_page() -> None:
    assert len(TEXT.splitlines()) < 100


def test_the_readme_links_to_files_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", readme) if "://" not in link]
    assert len(links) > 8
    assert [link for link in links if not (ROOT / link).exists()] == []
