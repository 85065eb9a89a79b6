"""Commands that talk to a running fleet: alerts, topics, dead letters."""

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
