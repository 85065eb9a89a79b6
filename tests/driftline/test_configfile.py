import time
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from driftline.configfile import MAX_BYTES, YamlFile
from driftline.errors import ConfigError


class Item(BaseModel):
    size: int = 0


class Shape(BaseModel):
    name: str = ""
    kind: Literal["a", "b"] = "a"
    items: list[Item] = []
    named: dict[str, Item] = {}


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(folder: Path, text: str | bytes) -> str:
    """What is said of a file, without its folder."""
    with pytest.raises(ConfigError) as refused:
        YamlFile(write(folder, text))
    (problem,) = refused.value.problems
    return str(problem).removeprefix(f"{folder}/")


def problems(folder: Path, text: str) -> list[str]:
    file = YamlFile(write(folder, text))
    with pytest.raises(ValidationError) as refused:
        Shape.model_validate(file.data)
    return [str(problem).removeprefix(f"{folder}/") for problem in file.problems(refused.value)]


def test_each_mistake_has_the_line_of_its_key_or_item(tmp_path: Path) -> None:
    text = """\
# a comment
name: 1.4
items:
  - size: 1

  - size: large
  - {size: 2}
  - none
named:
  first: {size: 1}
  second:
    size: many
"""
    assert problems(tmp_path, text) == [
        "file.yaml:2: name: expected text, found '1.4'; write it in quotes",
        "file.yaml:6: items.1.size: expected a whole number, found 'large'",
        "file.yaml:8: items.3: expected a mapping of keys, found 'none'",
        "file.yaml:12: named.second.size: expected a whole number, found 'many'",
    ]


def test_a_mistake_in_what_an_anchor_brings_is_shown_where_it_was_written(tmp_path: Path) -> None:
    text = "named:\n  one: &base\n    size: x\n  two:\n    <<: *base\n"
    assert [line.split(": ")[0] for line in problems(tmp_path, text)] == ["file.yaml:3", "file.yaml:3"]


def test_a_mappings_own_key_wins_over_what_an_anchor_brings(tmp_path: Path) -> None:
    file = YamlFile(write(tmp_path, "one: &base\n  size: 1\n  kind: a\ntwo:\n  <<: *base\n  size: 2\n"))
    assert file.data["two"] == {"size": 2, "kind": "a"}
    assert (file.line(("two", "size")), file.line(("two", "kind"))) == (6, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "file.yaml:1: expected a mapping of keys, found nothing"),
        ("# only this\n", "file.yaml:1: expected a mapping of keys, found nothing"),
        ("- a\n- b\n", "file.yaml:1: expected a mapping of keys, found list"),
        ("just words\n", "file.yaml:1: expected a mapping of keys, found str"),
        ("a: 1\nb: 2\na: 3\n", "file.yaml:3: not YAML: key 'a' stands here twice; keep one"),
        ("x:\n  a: 1\n  a: 2\n", "file.yaml:3: not YAML: key 'a' stands here twice; keep one"),
        ("one: &a {b: 1, b: 2}\ntwo: *a\n", "file.yaml:1: not YAML: key 'b' stands here twice; keep one"),
        ("2026-13-45: a\n",
         "file.yaml:1: not YAML: '2026-13-45' cannot be read (month must be in 1..12)"),
        (
            "a:\n\tb: 1\n",
            "file.yaml:2: not YAML: while scanning for the next token, found character '\\t' that cannot "
            "start any token; indent with spaces",
        ),
        ("a: 1\n---\nb: 2\n",
         "file.yaml:2: not YAML: expected a single document in the stream, but found another document"),
        ("a: [1, 2\n",
         "file.yaml:2: not YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'"),
        ("ok: 1\n[a, b]: 2\n", "file.yaml:2: not YAML: a key must be one word or text, not a list or mapping"),
        ("ok: 1\na: *nowhere\n", "file.yaml:2: not YAML: found undefined alias 'nowhere'"),
        ("ok: 1\na: &a [*a]\n", "file.yaml:2: not YAML: an anchor holds itself; write it out"),
        (
            "ok: 1\nday: 2026-13-45\n",
            "file.yaml:2: not YAML: '2026-13-45' cannot be read (month must be in 1..12)",
        ),
        (
            "ok: 1\nrun: !!python/object/apply:os.system [ls]\n",
            "file.yaml:2: not YAML: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
        (b"ok: 1\nname: caf\xe9\n", "file.yaml:2: byte 15 is not UTF-8; save it as UTF-8"),
        (b"name: a\x00b\n", "file.yaml: not YAML: character #x0000: special characters are not allowed"),
        (b"\xff\xfea\x00:\x00", "file.yaml:1: byte 0 is not UTF-8; save it as UTF-8"),
    ],
)  # fmt: skip
def test_what_is_no_config_file_is_refused_with_line_and_remedy(
    text: str | bytes, said: str, tmp_path: Path
) -> None:
    assert refusal(tmp_path, text) == said


def test_every_key_given_twice_and_every_unreadable_value_is_told_at_once(tmp_path: Path) -> None:
    text = """\
model: a
features:
  age: {type: number}
  day: {type: 2026-13-45}
  age: {type: number}
model: b
windows: {pane: 10s, pane: 20s}
model: c
run: !!python/name:os.system
"""
    with pytest.raises(ConfigError) as refused:
        YamlFile(write(tmp_path, text))
    assert [(problem.line, problem.message.removeprefix("not YAML: ")) for problem in refused.value.problems] == [
        (4, "'2026-13-45' cannot be read (month must be in 1..12)"),
        (5, "key 'age' stands here twice; keep one"),
        (6, "key 'model' stands here twice; keep one"),
        (7, "key 'pane' stands here twice; keep one"),
        (8, "key 'model' stands here twice; keep one"),
        (9, "could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system'"),
    ]  # fmt: skip


@pytest.mark.parametrize("digits", [5_000, 100_000])
def test_a_number_too_long_to_read_has_its_line(digits: int, tmp_path: Path) -> None:
    assert refusal(tmp_path, f"ok: 1\nsize: {'9' * digits}\n").startswith("file.yaml:2: not YAML: '9999")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a: b\n" * (MAX_BYTES // 5 + 1)) == (
        "file.yaml: larger than 1,048,576 bytes; is it a config file?"
    )


@pytest.mark.parametrize("levels", [9, 40])
def test_anchors_that_write_out_to_billions_are_refused_at_once(levels: int, tmp_path: Path) -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    began_s = time.monotonic()
    said = refusal(tmp_path, "\n".join(lines))
    assert said == "file.yaml:1: not YAML: anchors write out to more than 200,000 values"
    assert time.monotonic() - began_s < 2.0


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(opening: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, "a:\n  " + opening * 20_000).endswith("nested too deeply; is it a config file?")


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file or directory"):
        YamlFile(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        YamlFile(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    file = YamlFile(write(tmp_path, b"\xef\xbb\xbfname: a\r\nitems: []\r\n"))
    assert file.data == {"name": "a", "items": []}
    assert file.line(("items",)) == 2


@given(
    st.binary(max_size=200) | st.text(alphabet=":-[]{}&*!|>'\"#%@`?,\t\n ab1", max_size=80).map(str.encode)
)
def test_no_bytes_at_all_raise_anything_but_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = write(tmp_path_factory.getbasetemp(), content)
    said = []
    try:
        YamlFile(path)
    except ConfigError as error:
        said = [problem.message for problem in error.problems]
    assert all(message and "\n" not in message for message in said)
