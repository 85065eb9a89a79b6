"""A stage that kills itself: the real ``driftline worker``, with one step of it wrapped.

``python deadly.py STEP@N worker --stage profile`` runs the command line and sends its own process SIGKILL
at the N-th time it comes to the step. ``STEP@N:STOP`` sends SIGSTOP, and SIGCONT lets it go on from there;
``HANG`` has the step wait for ever, ``SPIN`` blocks the whole process in an endless loop. ``SLOW`` has every call
from the N-th on take a second more, as on a machine that is too slow.

A step is a method (`METHODS`: as the call begins), or records of a kind on their way to the broker
(`RECORDS`), with the moment after a dot:

``before``
    none of them has left; whatever is sent beside them has been confirmed;
``half``
    the first half of them has been confirmed;
``after``
    all of them have been confirmed.
"""

import asyncio
import functools
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

METHODS = {
    "fold": ("streams.profile", "Profile", "fold"),
    "take": ("streams.stages.profile_stage", "ProfileStage", "take"),
    "flush": ("streams.stages.profile_stage", "ProfileStage", "flush"),
    "put": ("streams.inbox", "Inbox", "put"),
    "close": ("streams.judge", "ModelJudge", "close"),
    "commit": ("streams.transport.driver", "Consumer", "commit"),
    "recover": ("streams.stages.rows", "RowStore", "apply_changelog_batch"),
    "restore": ("streams.profiler", "Profiler", "restore"),
    "restore-judge": ("streams.judge", "ModelJudge", "restore"),
    "join": ("streams.joins.join", "PartitionJoin", "take"),
    "restore-join": ("streams.joins.join", "PartitionJoin", "restore"),
    "revoking": ("streams.transport.driver", "Consumer", "let_go"),
    "assigned": ("streams.transport.driver", "Consumer", "on_partitions_assigned"),
}

SLOW_S = 1.0
_CHECKPOINT, _PROBE = b"checkpoint", b"probe"


def _tag(key: bytes | None) -> Any:
    return msgspec.msgpack.decode(key)[0] if key and key not in (_CHECKPOINT, _PROBE) else None


#: Whether a record (topic, key, value) is of the kind.
RECORDS: dict[str, Callable[[str, Any, Any], bool]] = {
    "upserts": lambda topic, key, _: topic.endswith(".profiles") and not _is_heartbeat(key),
    "heartbeats": lambda topic, key, _: topic.endswith(".profiles") and _is_heartbeat(key),
    "rows": lambda topic, key, value: _is_state(topic, "profile") and key != _CHECKPOINT and bool(value),
    "checkpoint": lambda topic, key, _: _is_state(topic, "profile") and key == _CHECKPOINT,
    "closed": lambda topic, key, value: _is_state(topic, "profile") and value is None,
    "joined": lambda topic, key, _: topic.endswith(".joins"),
    "pairs": lambda topic, key, value: _is_state(topic, "join") and key != _CHECKPOINT and bool(value),
    "join-checkpoint": lambda topic, key, _: _is_state(topic, "join") and key == _CHECKPOINT,
    "outputs": lambda topic, key, _: topic.endswith(".panes"),
    "raised": lambda topic, key, value: _is_state(topic, "judge") and _is_raised(key, value),
    "state": lambda topic, key, _: _is_state(topic, "judge") and not _is_heartbeat(key),
}


def _is_state(topic: str, stage: str) -> bool:
    return topic.endswith(f"-{stage}-state-changelog")


def _is_heartbeat(key: bytes | None) -> bool:
    from streams.wire import HeartbeatKey, encode

    return _tag(key) == _tag(encode(HeartbeatKey(0, "")))


def _is_raised(key: bytes | None, value: bytes | None) -> bool:
    """Whether it is the state of the fleet's alert, and the alert fires."""
    from streams.backlog import BacklogState

    return _tag(key) == "b" and msgspec.msgpack.decode(value or b"", type=BacklogState).alert is not None


class Fuse:
    """Does something to the process when it is lit the ``n``-th time."""

    def __init__(self, n: int, action: str) -> None:
        self._left = n
        self._action = action

    def lit(self) -> bool:
        self._left -= 1
        return self._left == 0 or (self._left < 0 and self._action == "SLOW")

    @property
    def hangs(self) -> bool:
        return self._action == "HANG"

    def act(self) -> None:
        if self._action == "SLOW":
            time.sleep(SLOW_S)
            return
        if self._action == "SPIN":
            while True:
                pass
        os.kill(os.getpid(), signal.Signals[f"SIG{self._action}"])

    async def act_in_time(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        self.act()


def wrap_method(module: str, class_name: str, method: str, fuse: Fuse) -> None:
    """Act as the method is called."""
    owner = getattr(importlib.import_module(module), class_name)
    real = getattr(owner, method)

    @functools.wraps(real)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if fuse.lit():
            if fuse.hangs:
                return fuse.act_in_time()
            fuse.act()
        return real(*args, **kwargs)

    setattr(owner, method, wrapped)


def wrap_sender(kind: str, moment: str, fuse: Fuse) -> None:
    """Act around the sending of records of a kind."""
    from streams.stages.sender import Sender

    real = Sender.send
    under_way = 0

    async def others_are_through() -> None:
        quiet = 0
        while quiet < 5:
            await asyncio.sleep(0.005)
            quiet = 0 if under_way else quiet + 1

    async def wrapped(self: Sender, records: Any) -> list[Any]:
        nonlocal under_way
        placed: list[Any] = []
        records = list(records)
        is_struck = any(RECORDS[kind](topic, key, value) for topic, _, key, value, _ in records)
        is_struck = is_struck and (moment != "half" or len(records) > 1) and fuse.lit()
        if is_struck and moment == "before":
            await others_are_through()
            await fuse.act_in_time()
        half = len(records) // 2 if is_struck and moment == "half" else 0
        under_way += 1
        try:
            if half:
                placed += await real(self, records[:half])
                await fuse.act_in_time()
            placed += await real(self, records[half:])
        finally:
            under_way -= 1
        if is_struck and moment == "after":
            await fuse.act_in_time()
        return placed

    Sender.send = wrapped  # type: ignore[method-assign]


def main() -> None:
    """Wrap the step, and run the command line with what is left of the arguments."""
    spec, _, action = sys.argv.pop(1).partition(":")
    step, _, count = spec.partition("@")
    fuse = Fuse(int(count), action or "KILL")
    name, _, moment = step.partition(".")
    if name in METHODS:
        wrap_method(*METHODS[name], fuse)
    else:
        wrap_sender(name, moment, fuse)
    from driftline.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
