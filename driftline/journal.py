"""``driftline up --data DIR``: what a memory broker would forget, kept in files.

State topics (layouts, the judge's and the desk's rows) are kept as their latest value by key, the record
of closed panes as its newest rows. At start the files are written compactly again, and produced to the
fresh broker before any stage runs; of the judge's rows, what was said of the former broker's source
partitions is left out. One process at a time has the folder, by `owned`.

Whoever runs the journal stops it after the stages have ended: what they write last is what they sent last.
Killed instead, it loses the last moment's rows, and what was told in it is told again.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
from base64 import b64decode, b64encode
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from driftline.brokers import connect
from driftline.errors import DriftlineError
from streams.connections import Brokers, aiokafka_options
from streams.stages import judge_rows
from streams.stages.rows import PROBE
from streams.topics import Topics
from streams.views import PANES_KEPT

Row = tuple[int, bytes, bytes | None]

#: How long a broker with nothing new holds a fetch, and how long it must have none for all to be read.
_FETCH_WAIT_MS, _QUIET_MS = 100, 1_000

_logger = logging.getLogger(__name__)


class JournalError(DriftlineError):
    """A data folder that cannot be used."""


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Have a folder, made if it is missing, for oneself: two journals in one would undo each other's rows.

    Raises
    ------
    JournalError
        When another process has it, or it cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "owner.lock").open("a+", encoding="ascii")
    except OSError as error:
        raise JournalError(
            f"--data {folder} cannot be used: {error.strerror}; name a folder that can be written"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise JournalError(
                f"--data {folder} is in use by another driftline up (pid {lock.read().strip() or 'unknown'}); "
                "stop that one, or take another folder"
            ) from error
        try:
            lock.truncate(0)
            print(os.getpid(), file=lock, flush=True)
        except OSError as error:
            raise JournalError(f"--data {folder} cannot be written: {error.strerror}") from error
        yield


class Journal:
    """Keeps some topics of one broker in a folder.

    Parameters
    ----------
    folder
        Made if it is missing; the caller has it as `owned`.
    partitions
        Of the judge's rows; a folder written with another number cannot be read.
    """

    def __init__(self, folder: Path, brokers: Brokers | str, topics: Topics, partitions: int) -> None:
        self._folder = folder
        self._brokers = brokers
        self._state = [topics.layouts.name, topics.desk.name, f"{topics.prefix}-judge-state-changelog"]
        self._record = topics.panes.name
        self._partitions = partitions
        self._restored: Counter[tuple[str, int]] = Counter()
        self._files: dict[str, TextIO] = {}

    async def restore(self) -> int:
        """Produce what the files hold; return the number of records."""
        self._check_folder()
        await asyncio.to_thread(self._declare)
        producer = AIOKafkaProducer(**aiokafka_options(self._brokers))
        await producer.start()
        total = 0
        try:
            for topic in [*self._state, self._record]:
                rows = self._compacted(topic)
                await self._produce(producer, topic, rows)
                self._rewrite(topic, rows)
                self._restored.update((topic, part) for part, _, _ in rows)
                total += len(rows)
        finally:
            await producer.stop()
        return total

    async def _produce(self, producer: Any, topic: str, rows: list[Row]) -> None:
        # The last record of a partition goes alone: the embedded broker tells the start of the last batch
        # as the end of the partition, and recovery reads no further than it is told.
        last = {part: place for place, (part, _, _) in enumerate(rows)}.values()
        for places in (set(range(len(rows))) - set(last), set(last)):
            sent = [
                await producer.send(topic, rows[place][2], key=rows[place][1], partition=rows[place][0])
                for place in sorted(places)
            ]
            await asyncio.gather(*sent)

    async def run(self, stop: asyncio.Event) -> None:
        """Write down what comes, until ``stop``, and what came before it.

        Raises
        ------
        JournalError
            When a file cannot be written, as on a full disk; what it holds until then is good.
        """
        consumer = AIOKafkaConsumer(
            **aiokafka_options(self._brokers), enable_auto_commit=False, fetch_max_wait_ms=_FETCH_WAIT_MS
        )
        await consumer.start()
        try:
            consumer.assign(
                [TopicPartition(name, part) for name in self._files for part in self._parts(name)]
            )
            await consumer.seek_to_beginning()
            skip = self._restored.copy()
            while not stop.is_set():
                await self._take(await consumer.getmany(timeout_ms=500), skip)
            while found := await consumer.getmany(timeout_ms=_QUIET_MS):
                await self._take(found, skip)
        finally:
            await consumer.stop()
            for file in self._files.values():
                # One that is full says so once more as it closes; that has been told.
                with contextlib.suppress(OSError):
                    file.close()

    async def _take(self, found: dict[Any, list[Any]], skip: Counter[tuple[str, int]]) -> None:
        for partition, records in found.items():
            file = self._files[partition.topic]
            for record in records:
                if skip[tuple(partition)] > 0:
                    skip[tuple(partition)] -= 1
                    continue
                self._append(file, _line((partition.partition, record.key or b"", record.value)))
            self._append(file, "", flush=True)

    def _append(self, file: TextIO, line: str, *, flush: bool = False) -> None:
        try:
            file.write(line)
            if flush:
                file.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> JournalError:
        return JournalError(
            f"--data {self._folder} cannot be written: {error.strerror}; free some space there and start again: "
            "what was written before is kept"
        )

    def _parts(self, topic: str) -> range:
        return range(self._partitions if topic not in self._state[:2] else 1)

    def _check_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            meta = self._folder / "journal.json"
            if not meta.exists():
                meta.write_text(json.dumps({"format": 1, "partitions": self._partitions}))
            held = json.loads(meta.read_text())
        except (OSError, ValueError) as error:
            raise JournalError(f"--data {self._folder} cannot be used: {error}") from error
        if held != {"format": 1, "partitions": self._partitions}:
            raise JournalError(
                f"--data {self._folder} was written as {held}, now DRIFTLINE_PARTITIONS is {self._partitions}; "
                "set it back, or take another folder"
            )

    def _declare(self) -> None:
        admin = connect(KafkaAdminClient, self._brokers)
        try:
            if self._state[2] not in admin.list_topics():
                config = {"cleanup.policy": "compact"}
                admin.create_topics([NewTopic(self._state[2], self._partitions, 1, topic_configs=config)])
        finally:
            admin.close()

    def _compacted(self, topic: str) -> list[Row]:
        path = self._path(topic)
        if not path.exists():
            return []
        if topic == self._record:
            newest: deque[Row] = deque(maxlen=PANES_KEPT * 20)
            newest.extend(_rows(path))
            return list(newest)
        latest: dict[tuple[int, bytes], bytes | None] = {}
        for partition, key, value in _rows(path):
            latest[(partition, key)] = value
        held = {place: value for place, value in latest.items() if value is not None}
        if topic == self._state[2]:
            held = _for_new_sources(held)
        return [(partition, key, value) for (partition, key), value in held.items()]

    def _rewrite(self, topic: str, rows: list[Row]) -> None:
        path = self._path(topic)
        fresh = path.with_suffix(".new")
        try:
            with fresh.open("w", encoding="ascii") as file:
                file.writelines(map(_line, rows))
            fresh.replace(path)
            self._files[topic] = path.open("a", encoding="ascii")
        except OSError as error:
            raise self._unwritable(error) from error

    def _path(self, topic: str) -> Path:
        return self._folder / f"{topic}.jsonl"


def _for_new_sources(held: dict[tuple[int, bytes], bytes]) -> dict[tuple[int, bytes], bytes]:
    """Return the judge's rows for a broker whose predictions begin at offset 0 again."""
    rows: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
    for (partition, key), value in held.items():
        if key != PROBE:
            rows[partition][key] = value
    return {
        (partition, key): value
        for partition, mine in rows.items()
        for key, value in judge_rows.begun_anew(mine).items()
    }


def _line(row: Row) -> str:
    partition, key, value = row
    fields = [partition, b64encode(key).decode(), None if value is None else b64encode(value).decode()]
    return json.dumps(fields, separators=(",", ":")) + "\n"


def _rows(path: Path) -> list[Row]:
    rows: list[Row] = []
    with path.open(encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            try:
                partition, key, value = json.loads(line)
                rows.append((partition, b64decode(key), None if value is None else b64decode(value)))
            except ValueError:
                # A kill may cut the last line; what it held comes again with the next change.
                _logger.warning("%s:%d is cut off and is passed over", path, number)
    return rows
