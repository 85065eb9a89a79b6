import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

import runbooks
from alerts import silence_warning, watchdog
from detectors.registry import KINDS
from driftline.reference_docs import commands
from streams import backlog

HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
FOLDER = Path(runbooks.__file__).parent

COMMANDS = frozenset(commands())


def tokens(kind: str) -> list[Token]:
    source = runbooks.text(kind)
    assert source is not None
    return MarkdownIt().parse(source)


def sections(kind: str) -> list[tuple[str, list[Token]]]:
    found: list[tuple[str, list[Token]]] = []
    stream = tokens(kind)
    for at, token in enumerate(stream):
        if token.type == "heading_open":
            found.append((f"{token.markup} {stream[at + 1].content}", []))
        elif found:
            found[-1][1].append(token)
    return found


def test_every_alert_kind_has_a_runbook_and_every_runbook_an_alert_kind() -> None:
    assert len(KINDS) > 0
    assert runbooks.kinds() == sorted([*KINDS, backlog.KIND, silence_warning.KIND, watchdog.KIND])


def test_kinds_are_sorted_and_there_are_some() -> None:
    assert len(runbooks.kinds()) >= 14
    assert runbooks.kinds() == sorted(set(runbooks.kinds()))


@pytest.mark.parametrize(
    "kind", ["", "Nope", "../pyproject", "FeatureDrift.md", "__init__", "/etc/passwd", "a\0b"]
)
def test_what_is_no_kind_has_no_text(kind: str) -> None:
    assert runbooks.text(kind) is None


@pytest.mark.parametrize("kind", runbooks.kinds())
def test_headings_are_the_same_four_in_order(kind: str) -> None:
    assert [name for name, _ in sections(kind)] == [f"# {kind}", *(f"## {name}" for name in HEADINGS)]


@pytest.mark.parametrize("kind", runbooks.kinds())
def test_no_section_is_empty(kind: str) -> None:
    for name, body in sections(kind)[1:]:
        words = " ".join(token.content for token in body if token.type in {"inline", "fence"}).split()
        assert len(words) >= 10, name


@pytest.mark.parametrize("kind", runbooks.kinds())
def test_diagnosis_and_mitigation_are_numbered_steps(kind: str) -> None:
    for name, body in sections(kind):
        if name in {"## Diagnosis", "## Mitigation"}:
            assert any(token.type == "ordered_list_open" for token in body), name


@pytest.mark.parametrize("kind", runbooks.kinds())
def test_diagnosis_has_a_command_to_run(kind: str) -> None:
    (body,) = [body for name, body in sections(kind) if name == "## Diagnosis"]
    assert any(token.type == "fence" and token.info == "sh" and token.content.strip() for token in body)


@pytest.mark.parametrize("kind", runbooks.kinds())
def test_every_driftline_command_it_names_exists(kind: str) -> None:
    source = runbooks.text(kind) or ""
    named = re.findall(r"(?m)(?:^\s*|`)driftline ([a-z-]+(?: [a-z]+)?)", source)
    unknown = [name for name in named if name not in COMMANDS and name.split()[0] not in COMMANDS]
    assert unknown == []


@pytest.mark.parametrize("kind", runbooks.kinds())
def test_links_resolve(kind: str) -> None:
    links = [
        str(child.attrs["href"])
        for token in tokens(kind)
        for child in token.children or []
        if child.type == "link_open"
    ]
    assert [link for link in links if not (FOLDER / link).is_file()] == []


@pytest.mark.parametrize("kind", runbooks.kinds())
def test_files_it_points_to_exist(kind: str) -> None:
    named = re.findall(r"`(docs/[a-z-]+\.md)`", runbooks.text(kind) or "")
    assert [name for name in named if not (FOLDER.parent / name).is_file()] == []
