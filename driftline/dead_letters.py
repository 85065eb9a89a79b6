"""The dead-letter topic, read newest first, and bad events put back where they came from.

A letter that was put back gets a receipt: a record of its own behind it in the same partition, with the
letter's offset in the header ``driftline-requeued`` and no code. So it is not put back twice, whoever asks.
"""

import heapq
import itertools
import json
import re
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from driftline.brokers import BrokerError, connect, refused
from streams.connections import Brokers

REQUEUED = "driftline-requeued"
#: Records read at a time; each may be half a megabyte.
BLOCK = 100
SILENCE_S = 15.0
#: Seconds without a record after which a topic counts as read to its end, and how long one looks for it.
QUIET_S, SEARCH_S = 1.0, 10.0

_MODEL = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.){0,200}")')
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Letter:
    """A bad event as it stands in the dead-letter topic.

    Parameters
    ----------
    partition, offset
        Where it stands.
    at_ms
        When it was put there, epoch ms.
    topic, source_partition
        Where the event came from.
    code, reason
        What was wrong with it.
    key, value
        As the producer sent them.
    cut
        Whether the value was too long to be kept whole.
    requeued
        Whether it was put back before.
    """

    partition: int
    offset: int
    at_ms: int
    topic: str
    source_partition: int | None
    code: str
    reason: str
    key: bytes | None
    value: bytes | None
    cut: bool = False
    requeued: bool = False

    @property
    def place(self) -> str:
        """Partition and offset, as ``--offset`` takes them."""
        return f"{self.partition}:{self.offset}"

    @property
    def model(self) -> str | None:
        """The event's model, where its bytes still tell."""
        return model_of(self.value or b"")

    def without_value(self) -> "Letter":
        """Return it without its bytes: many thousands fit into memory."""
        return replace(self, value=None)


def model_of(raw: bytes) -> str | None:
    """Return the model an event names; of an event that is no JSON, the first ``"model": "…"`` in it.

    Examples
    --------
    >>> model_of(b'{"features": {"model": "x"}, "model": "churn"}'), model_of(b'{"model": "churn", "a'), model_of(b"")
    ('churn', 'churn', None)
    """
    try:
        event = json.loads(raw)
    except (ValueError, RecursionError):
        found = _MODEL.search(raw)
        if found is None:
            return None
        try:
            return str(json.loads(found[1]))
        except ValueError:
            return None
    model = event.get("model") if isinstance(event, dict) else None
    return model if isinstance(model, str) else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters: those that fit everything that is given."""

    code: str | None = None
    model: str | None = None
    place: Place | None = None

    def fits(self, letter: Letter) -> bool:
        """Return whether a letter is one of them."""
        return (
            (self.code is None or letter.code == self.code)
            and (self.place is None or (letter.partition, letter.offset) == self.place)
            and (self.model is None or letter.model == self.model)
        )


class DeadLetters:
    """The dead-letter topic of a fleet, read without a group: reading moves no one's offsets.

    Parameters
    ----------
    brokers
        Where, and how one is let in.
    topic
        Name of the dead-letter topic.

    Raises
    ------
    BrokerError
        If the broker or the topic is not there, or stops answering.
    """

    def __init__(self, brokers: Brokers | str, topic: str) -> None:
        self._brokers = brokers
        self._topic = topic

    def newest(self, wanted: Wanted) -> Iterator[Letter]:
        """Yield letters, newest first, for as long as they are asked for."""
        with self._consumer() as consumer:
            bounds = self._bounds(consumer)
            streams = [self._backwards(consumer, part, *bounds[part]) for part in bounds]
            letters = heapq.merge(*streams, key=lambda letter: letter.at_ms, reverse=True)
            yield from (letter for letter in letters if wanted.fits(letter))

    def requeue(self, letters: Collection[Letter]) -> int:
        """Put letters back onto the topics they came from, oldest first, and return how many.

        Each gets its receipt after the broker has confirmed it; a crash in between puts one back again
        next time, where its `id` makes it a duplicate.
        """
        done = 0
        with self._consumer() as consumer, self._producer() as producer:
            for part, group in itertools.groupby(
                sorted(letters, key=lambda letter: (letter.partition, letter.offset)),
                key=lambda letter: letter.partition,
            ):
                for letter in self._whole(consumer, part, list(group)):
                    self._put_back(producer, letter)
                    done += 1
        return done

    def _put_back(self, producer: Any, letter: Letter) -> None:
        header = [(REQUEUED, letter.place.encode())]
        partition = letter.source_partition
        if partition not in producer.partitions_for(letter.topic):
            partition = None
        producer.send(letter.topic, letter.value, letter.key, header, partition).get(SILENCE_S)
        producer.send(self._topic, b"", None, header, letter.partition).get(SILENCE_S)

    def _whole(self, consumer: Any, partition: int, letters: Sequence[Letter]) -> Iterator[Letter]:
        """Yield letters with their bytes, read again in blocks: a listing does not hold them all."""
        wanted = {letter.offset for letter in letters}
        for begin in sorted({offset - offset % BLOCK for offset in wanted}):
            offsets = [offset for offset in wanted if begin <= offset < begin + BLOCK]
            for letter in self._block(consumer, partition, min(offsets), max(offsets) + 1):
                if isinstance(letter, Letter) and letter.offset in wanted:
                    yield letter

    def _bounds(self, consumer: Any) -> dict[int, tuple[int, int]]:
        partitions = consumer.partitions_for_topic(self._topic)
        if not partitions:
            raise BrokerError(
                f"no topic {self._topic} at {self._brokers}; create it: driftline topics create"
            )
        places = [TopicPartition(self._topic, number) for number in sorted(partitions)]
        first, last = consumer.beginning_offsets(places), self._ends(consumer, places)
        return {place.partition: (first[place], last[place]) for place in places}

    def _ends(self, consumer: Any, places: list[Any]) -> dict[Any, int]:
        """Return where partitions end: the embedded broker tells an end within the last batch, so read on."""
        ends: dict[Any, int] = consumer.end_offsets(places)
        consumer.assign(places)
        for place, told in ends.items():
            consumer.seek(place, told)
        unanswered = set(places)
        began_s = heard_s = time.monotonic()
        while unanswered or time.monotonic() < min(heard_s + QUIET_S, began_s + SEARCH_S):
            for place, records in consumer.poll(timeout_ms=100, max_records=BLOCK).items():
                ends[place] = max(ends[place], records[-1].offset + 1)
                heard_s = time.monotonic()
            # Quiet is who has answered that there is nothing, not who is slow to answer.
            unanswered = {place for place in unanswered if consumer.highwater(place) is None}
            if unanswered and time.monotonic() > began_s + SILENCE_S:
                raise BrokerError(f"{self._brokers} does not answer where {self._topic} ends")
        return ends

    def _backwards(self, consumer: Any, partition: int, first: int, last: int) -> Iterator[Letter]:
        receipts: set[int] = set()
        while last > first:
            begin = max(first, last - BLOCK)
            for found in reversed(self._block(consumer, partition, begin, last)):
                if isinstance(found, Letter):
                    yield replace(found, requeued=found.offset in receipts)
                else:
                    receipts.add(found)
            last = begin

    def _block(self, consumer: Any, partition: int, begin: int, end: int) -> list[Letter | int]:
        """Return the letters of some offsets, and the offsets that receipts among them name."""
        place = TopicPartition(self._topic, partition)
        consumer.assign([place])
        consumer.seek(place, begin)
        found: list[Letter | int] = []
        heard_s = time.monotonic()
        while consumer.position(place) < end:
            records = consumer.poll(timeout_ms=500, max_records=BLOCK).get(place, [])
            if records:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > SILENCE_S:
                raise BrokerError(f"{self._brokers} gives no record of {self._topic} from offset {begin} on")
            read = map(_read, (record for record in records if record.offset < end))
            found += [one for one in read if one is not None]
        return found

    @contextmanager
    def _consumer(self) -> Iterator[Any]:
        with self._client(
            KafkaConsumer, enable_auto_commit=False, allow_auto_create_topics=False, fetch_max_wait_ms=100
        ) as client:
            yield client

    @contextmanager
    def _producer(self) -> Iterator[Any]:
        with self._client(KafkaProducer, acks="all") as client:
            yield client

    @contextmanager
    def _client(self, kind: Any, **options: Any) -> Iterator[Any]:
        client: Any = connect(kind, self._brokers, **options)
        try:
            yield client
        except KafkaError as error:
            raise refused(self._brokers, error) from error
        finally:
            client.close()


def refusal(letter: Letter, sources: Iterable[str]) -> str | None:
    """Return why a letter can't be put back, or None when it can."""
    if letter.requeued:
        return "put back before"
    if letter.cut:
        return "too long: its value was cut"
    if letter.topic not in sources:
        return f"came from {letter.topic!r}, which is no topic of this fleet's producers"
    return None


def _read(record: Any) -> Letter | int | None:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    if "driftline-code" not in headers:
        # A receipt; anything else in the topic is not ours.
        partition, _, offset = headers.get(REQUEUED, "").partition(":")
        is_receipt = partition == str(record.partition) and offset.isdigit()
        return int(offset) if is_receipt else None
    source = headers.get("driftline-partition", "")
    return Letter(
        partition=record.partition,
        offset=record.offset,
        at_ms=record.timestamp,
        topic=headers.get("driftline-topic", ""),
        source_partition=int(source) if source.isdecimal() else None,
        code=headers["driftline-code"],
        reason=headers.get("driftline-reason", ""),
        key=record.key,
        value=record.value,
        cut="driftline-truncated" in headers,
    )
