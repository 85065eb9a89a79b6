"""Replay: the pipeline over files, in event time, as fast as it goes. It sends nothing."""

from driftline.replay.progress import ProgressBar
from driftline.replay.report import ReplayReport
from driftline.replay.run import ReplayError, replay

__all__ = ["ProgressBar", "ReplayError", "ReplayReport", "replay"]
