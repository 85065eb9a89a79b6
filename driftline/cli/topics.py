"""``driftline topics``: create what the fleet needs."""

from typing import Annotated

import typer

from driftline import settings as configuration
from driftline.cli.tables import AsJson, print_rows

app = typer.Typer(help="The topics Driftline reads and writes.", no_args_is_help=True)


@app.command()
def create(
    partitions: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Partitions; DRIFTLINE_PARTITIONS unless given.")
    ] = None,
    replication: Annotated[
        int | None, typer.Option(min=1, max=9, help="Replicas; DRIFTLINE_REPLICATION unless given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create the topics that are missing; those that exist are left as they are.

    Warns of a topic that is not as Driftline needs it, and says what to do.

    Example: DRIFTLINE_KAFKA=localhost:9092 driftline topics create --partitions 8 --replication 3
    """
    from driftline import access, fleet
    from driftline.topics import with_policies

    chosen = configuration.load()
    changes = {"partitions": partitions, "replication": replication}
    given = {name: value for name, value in changes.items() if value is not None}
    chosen = chosen.model_copy(update=given)
    found = with_policies(access.brokers(chosen), fleet.prepare_topics(chosen))
    rows = [
        {
            "topic": topic.name,
            "partitions": topic.partitions,
            "cleanup": topic.cleanup or topic.topic.cleanup,
            "state": "created" if topic.created else "there",
        }
        for topic in found
    ]
    print_rows(rows, ("topic", "partitions", "cleanup", "state"), as_json=as_json)
    for topic in found:
        for warning in topic.warnings:
            typer.secho(f"warning: {warning}", fg="yellow", err=True)
