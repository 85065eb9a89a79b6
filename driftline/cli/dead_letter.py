"""``driftline dead-letter``: see bad events, and put them back."""

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from driftline import settings as configuration
from driftline.cli.tables import AsJson, beginning, print_rows, printable
from streams.topics import Topics

if TYPE_CHECKING:
    from driftline.dead_letters import DeadLetters, Letter, Place

Code = Annotated[str | None, typer.Option(help="Only events with this error code, e.g. not_json.")]
Model = Annotated[str | None, typer.Option(help="Only events of this model, where their bytes tell.")]

app = typer.Typer(help="Events that broke the contract, as they came.", no_args_is_help=True)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Events to show.")] = 20,
    code: Code = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """List bad events, newest first: where, when, what was wrong, how they begin.

    Example: driftline dead-letter list --code not_json --limit 5
    """
    from driftline.dead_letters import Wanted
    from streams.views import rfc3339

    letters = itertools.islice(_dead_letters().newest(Wanted(code, model)), limit)
    rows = [
        {
            "offset": letter.place,
            "time": rfc3339(letter.at_ms),
            "code": printable(letter.code),
            "model": None if letter.model is None else printable(letter.model),
            "reason": printable(letter.reason),
            "value": beginning(letter.value),
            "requeued": letter.requeued,
        }
        for letter in letters
    ]
    if rows or as_json:
        print_rows(rows, ("offset", "time", "code", "requeued", "reason", "value"), as_json=as_json)
    else:
        typer.echo("no dead letter" + (" fits" if code or model else ""))


@app.command()
def requeue(
    code: Code = None,
    model: Model = None,
    offset: Annotated[
        str | None, typer.Option(help="Only this one, as `list` shows it: partition:offset.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Put bad events back onto their topic, with key and raw bytes, once what made them bad is mended.

    Each is put back once; events behind the watermark will count as late.

    Example: driftline dead-letter requeue --code unexpected_feature --dry-run
    """
    from driftline.dead_letters import Wanted, refusal

    wanted = Wanted(code, model, None if offset is None else _place(offset))
    dead, sources = _dead_letters(), _sources()
    chosen: list[Letter] = []
    passed_over: Counter[str] = Counter()
    for letter in dead.newest(wanted):
        why_not = refusal(letter, sources)
        if why_not is None:
            chosen.append(letter.without_value())
        else:
            passed_over[why_not] += 1
    for why_not, count in passed_over.items():
        typer.echo(f"passed over: {_events(count)}, {why_not}", err=True)
    if not chosen:
        typer.echo("nothing to put back")
        return
    targets = ", ".join(sorted({letter.topic for letter in chosen}))
    if dry_run:
        typer.echo(f"would put {_events(len(chosen))} back onto {targets}")
        return
    if not yes:
        typer.confirm(f"Put {_events(len(chosen))} back onto {targets}?", abort=True)
    typer.echo(f"put {_events(dead.requeue(chosen))} back onto {targets}")


def _dead_letters() -> "DeadLetters":
    from driftline import access
    from driftline.dead_letters import DeadLetters

    chosen = configuration.load()
    return DeadLetters(access.brokers(chosen), Topics(chosen.topic_prefix).dead_letter.name)


def _sources() -> set[str]:
    topics = Topics(configuration.load().topic_prefix)
    return {topics.predictions.name, topics.labels.name}


def _place(text: str) -> "Place":
    partition, _, offset = text.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise typer.BadParameter(f"{text!r} is no partition:offset, e.g. 0:1234", param_hint="--offset")
    return int(partition), int(offset)


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count:,} events"
