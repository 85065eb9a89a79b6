"""Which part of stage 2 spends the CPU time: each is timed without the parts within it."""

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from detectors.registry import DETECTORS
from streams import judge
from streams.alerting import AlertBook
from streams.history import History
from streams.stages import judge_rows
from streams.stages.board import Board
from streams.stages.judges import Judges

#: What is timed: whose attribute, its name, and what it is called.
_TIMED: tuple[tuple[Any, str, str], ...] = (
    (Judges, "take", "decode profiles"),
    (judge, "profile_of", "merge partitions"),
    (judge, "merged", "merge partitions"),
    (History, "add", "history"),
    (History, "past_behind", "reference"),
    (judge, "window_of", "reference"),
    (judge, "current_window", "current window"),
    (AlertBook, "take_all", "alerts"),
    (judge_rows, "close_steps", "encode outputs"),
    (judge_rows, "changes", "encode rows"),
    (Board, "show", "put up for pages"),
)


class Parts:
    """CPU seconds by part; a part within another is not counted in that one."""

    def __init__(self) -> None:
        self.spent_s: defaultdict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since_s = 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what is spent within as a part's."""
        self._switch()
        self._open.append(name)
        try:
            yield
        finally:
            self._switch()
            self._open.pop()

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is counted as a part."""

        @functools.wraps(function)
        def run(*args: Any, **named: Any) -> Any:
            self._switch()
            self._open.append(name)
            try:
                return function(*args, **named)
            finally:
                self._switch()
                self._open.pop()

        return run

    @property
    def total_s(self) -> float:
        """CPU seconds of all parts."""
        return sum(self.spent_s.values())

    def by_size(self) -> list[tuple[str, float]]:
        """Return the parts, largest first."""
        return sorted(self.spent_s.items(), key=lambda one: -one[1])

    def _switch(self) -> None:
        now_s = time.process_time()
        if self._open:
            self.spent_s[self._open[-1]] += now_s - self._since_s
        self._since_s = now_s


@contextmanager
def timing(parts: Parts, timed: Iterable[tuple[Any, str, str]]) -> Iterator[None]:
    """Time functions while this is open: whose attribute each is, its name, and the part it is counted as."""
    with ExitStack() as patched:
        for owner, name, part in timed:
            patched.enter_context(patch.object(owner, name, parts.timed(part, getattr(owner, name))))
        yield


@contextmanager
def watched(parts: Parts) -> Iterator[None]:
    """Time the parts of stage 2, and each detector, with those of its rule, while this is open."""
    # Some inherit from others: all are looked up before any is replaced.
    detectors = [
        (one, "observe_many", staticmethod(parts.timed(name, one.observe_many)))
        for name, one in DETECTORS.items()
    ]
    with timing(parts, _TIMED), ExitStack() as patched:
        for owner, attribute, observe in detectors:
            patched.enter_context(patch.object(owner, attribute, observe))
        yield
