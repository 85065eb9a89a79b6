"""docs/alerting.md: its example of templates is a file one can use, and its tables have every name there is."""

import re
from pathlib import Path

import yaml
from pydantic import BaseModel

from alerts.config import Receiver, parse
from alerts.templates.catalogue import Catalogue, Source
from alerts.templates.data import NAMES, AlertData
from alerts.templates.field import template_fields
from alerts.templates.rehearsal import failing

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "alerting.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, flags=re.DOTALL)


def names(header: str) -> set[str]:
    """The names in the first column of a table."""
    table = re.search(rf"(?m)^\| {header} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE)
    assert table, header
    firsts = [line.split(" | ")[0] for line in table[1].splitlines()]
    return {name for first in firsts for name in re.findall(r"`(\w+)`", first)}


def test_the_example_of_templates_works_for_an_ordinary_alert() -> None:
    (example,) = [block for block in blocks("yaml") if block.startswith("templates:")]
    catalogue = Catalogue(tuple(Source(f"{number}", text) for number, text in enumerate(blocks("jinja"))))
    assert catalogue.mistakes == ()
    assert list(failing(parse(yaml.safe_load(example), catalogue))) == []


def test_every_name_that_templates_have_is_documented() -> None:
    assert names("name") == NAMES
    assert names("of an alert") == AlertData.NAMES


def test_every_key_that_is_a_template_is_documented() -> None:
    kinds: dict[str, type[BaseModel]] = {
        name: field.annotation.__args__[0]  # type: ignore[union-attr]
        for name, field in Receiver.model_fields.items()
        if name.endswith("_configs")
    }
    found = {name: set(template_fields(kind)) for name, kind in kinds.items()}
    table = re.search(r"(?m)^\| receiver \| templates \|\n\|[-|]+\n((?:\|.*\n)+)", PAGE)
    assert table
    rows = [re.findall(r"`(\w+)`", line) for line in table[1].splitlines()]
    assert {row[0]: set(row[1:]) for row in rows} == {
        name: fields for name, fields in found.items() if fields
    }
