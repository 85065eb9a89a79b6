"""Commands for the desk from the command line: sent one by one, each answer said."""

import asyncio
import getpass
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from driftline import settings as configuration
from driftline.errors import DriftlineError

if TYPE_CHECKING:
    from alerts.answer import Answer
    from alerts.command import Acknowledge, AddSilence, ExpireSilence, Unacknowledge

    Kind = type[AddSilence | ExpireSilence | Acknowledge | Unacknowledge]


By = Annotated[str | None, typer.Option("--by", help="Who asks; unless given, your user name.")]


class AskedWrongly(DriftlineError):
    """A command that cannot be sent as it is."""


class NotDone(DriftlineError):
    """The desk did not do it; its answer says why."""


def asker(by: str | None) -> str:
    """Return who asks."""
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def do(asked: Sequence[Mapping[str, Any]], kind: "Kind") -> "list[Answer]":
    """Have the desk carry out commands, say what came of each, and return the answers.

    Raises
    ------
    AskedWrongly
        When one is not valid; nothing is sent then.
    NotDone
        When the desk did not do all of it; what it did stays done.
    """
    from pydantic import ValidationError

    from driftline.commands import new_id

    try:
        commands = [kind.model_validate({"id": new_id(), **fields}) for fields in asked]
    except ValidationError as error:
        raise AskedWrongly("\n".join(_reason(one) for one in error.errors(include_url=False))) from error
    answers = asyncio.run(_ask(commands))
    refused = [answer.sentence for answer in answers if answer.code != "done"]
    for answer in answers:
        if answer.code == "done":
            typer.echo(answer.sentence)
    if refused:
        raise NotDone("\n".join(refused))
    return answers


async def _ask(commands: Sequence[Any]) -> "list[Answer]":
    from driftline import access
    from driftline.commands import ask
    from streams.topics import Topics

    chosen = configuration.load()
    topics = Topics(chosen.topic_prefix)
    return [await ask(access.brokers(chosen), topics, command) for command in commands]


def _reason(error: Any) -> str:
    field = str(error["loc"][0]).removesuffix("_ms").replace("_", " ") if error["loc"] else "command"
    return f"{field}: {error['msg'].removeprefix('Value error, ')}"
