"""The demo of ``driftline up --demo``: a credit-scoring model with incidents on a timetable."""

from pathlib import Path

from driftline.demo.preparation import prepare
from driftline.demo.production import produce

__all__ = ["ALERTING", "prepare", "produce"]

#: Who is told, where no other alerting file is named: the terminal, within seconds.
ALERTING = Path(__file__).with_name("alerting.yml")
