import re
from pathlib import Path

import pytest
import yaml

from alerts.config import parse
from alerts.templates.catalogue import Catalogue, Source

PAGE = Path(__file__).resolve().parents[2] / "docs" / "alerting.md"
EXAMPLES = [
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
]
WHOLE = [example for example in EXAMPLES if {"route", "receivers"} <= example.keys()]


def test_the_page_has_examples_that_are_whole_files() -> None:
    assert WHOLE


@pytest.mark.parametrize("example", WHOLE, ids=lambda example: "-".join(example))
def test_examples_that_are_whole_files_are_valid(example: dict[str, object]) -> None:
    macros = re.findall(r"```jinja\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    parse(example, Catalogue(tuple(Source(f"{number}.jinja", text) for number, text in enumerate(macros))))
