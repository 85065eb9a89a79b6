"""Rows as a table for people, or as JSON for scripts."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, a list of objects, for scripts.")]
#: Columns of text where the output is no terminal: `grep` wants a row on a line.
PIPE_WIDTH = 400


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows: all they hold as JSON, or the named columns as a table."""
    if as_json:
        typer.echo(json.dumps(list(rows), indent=2, ensure_ascii=False))
        return
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    console().print(table)


def console() -> Console:
    """Return where tables go."""
    found = Console(highlight=False, markup=False)
    return found if found.is_terminal else Console(highlight=False, markup=False, width=PIPE_WIDTH)


def printable(text: str) -> str:
    r"""Return text of somebody else's with everything escaped that could steer a terminal.

    Examples
    --------
    >>> print(printable("a\x1b[2J"))
    a\x1b[2J
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def beginning(raw: bytes | None, characters: int = 80) -> str:
    r"""Return how raw bytes begin, safe to print.

    Examples
    --------
    >>> print(beginning(b"caf\xc3\xa9 \xff", 20))
    café \xff
    """
    return printable((raw or b"")[: 4 * characters].decode("utf-8", "backslashreplace"))[:characters]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
