"""The exceptions of the front door.

::

    DriftlineError            the message says what is wrong, where, and the remedy
    ├── ConfigError           monitor files, the alerting file, settings: every problem at once
    └── (others, in the modules that raise them)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class DriftlineError(Exception):
    """Something a person can mend; shown without a traceback."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file: where it stands, and what to do about it."""

    path: Path
    line: int | None
    where: str
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{place}: {self.where}: {self.message}" if self.where else f"{place}: {self.message}"


class ConfigError(DriftlineError):
    """Config files with mistakes; ``problems`` has all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, problems)))
