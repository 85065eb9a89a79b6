"""The command line, and what its exit codes say.

Commands import what they run inside their functions, so that ``--help`` and completion answer at once.
"""

import logging
import os
import sys
from typing import Annotated

import typer

from driftline import __version__
from driftline.cli import alerts, dead_letter, history, incident, offline, running, silence, topics

EXIT_CODES = (
    "Exit codes: 0 done, or stopped in order (up, worker, web); 1 something to mend; 2 wrong usage; "
    "130 cut short by Ctrl-C."
)
_NOISY = ("aiokafka", "faust", "mode", "streams.transport", "streams.stages.rows", "uvicorn")

app = typer.Typer(
    name="driftline",
    help="Monitoring for machine-learning models: events in, few true alerts out.\n\n"
    "Look around: driftline up --demo",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for module in (running, offline, history, incident):
    module.register(app)
app.add_typer(alerts.app, name="alerts")
app.add_typer(silence.app, name="silence")
app.add_typer(topics.app, name="topics")
app.add_typer(dead_letter.app, name="dead-letter")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"driftline {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options all commands share."""


def main() -> None:
    """Run the command line; what a person can mend is said in one sentence, without a traceback."""
    _log()
    try:
        app()
    except Exception as error:
        if not _is_for_people(error):
            raise
        typer.secho(str(error), fg="red", err=True)
        sys.exit(1)


def _is_for_people(error: Exception) -> bool:
    """Return whether an error's message says all there is to say."""
    from alerts.errors import AlertsError
    from detectors.errors import DetectorError
    from driftline.errors import DriftlineError
    from driftline.web.errors import WebError

    return isinstance(error, DriftlineError | WebError | AlertsError | DetectorError)


def _log() -> None:
    wanted = os.environ.get("DRIFTLINE_LOG_LEVEL", "").upper()
    logging.basicConfig(
        level=logging.getLevelNamesMapping().get(wanted, logging.INFO),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # kafka-python raises what it logs, and we say it.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
