"""The command line. Exit codes: 0 done, 1 something to mend, 2 wrong usage, 130 stopped by Ctrl-C."""

import logging
import os
import sys

import typer
from rich.console import Console

from detectors.errors import DetectorError
from driftline.cli import live, offline, running
from driftline.errors import DriftlineError

app = typer.Typer(
    name="driftline",
    help="Monitoring for machine-learning models: events in, few true alerts out.\n\n"
    "Look around: driftline up --demo",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for module in (running, offline, live):
    module.register(app)


def main() -> None:
    """Run the command line; what a person can mend is said in one sentence, without a traceback."""
    logging.basicConfig(
        level=os.environ.get("DRIFTLINE_LOG_LEVEL", "INFO").upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for noisy in ("aiokafka", "kafka", "faust", "mode"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        app()
    except (DriftlineError, DetectorError) as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(str(error), style="red", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
