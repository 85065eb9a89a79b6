"""Dead letters: bad events as they came, with the reason in their headers, and the way to their topic."""

import asyncio
import logging
from collections.abc import Sequence

from aiokafka.errors import MessageSizeTooLargeError

from streams.bad_event import BadEvent
from streams.stages.sender import Sender
from streams.transport import Chunk
from streams.writes import Record

_logger = logging.getLogger(__name__)

MAX_BYTES = 512 * 1024
#: How long to wait for the broker before asking whether the topic is there at all.
PATIENCE_S = 10.0
_TRUNCATED = "driftline-truncated"


class DeadLetterTopicError(RuntimeError):
    """The dead-letter topic takes no letters; the stage ends, and counts their chunks again when it starts."""


def dead_letter(topic: str, chunk: Chunk, bad: BadEvent) -> Record:
    """Return a bad event's dead letter: key and raw value as they came, and the reason in its headers.

    Values above `MAX_BYTES` are cut, as the broker would refuse them; ``driftline-truncated`` then says
    how long they were.
    """
    headers = {
        "driftline-topic": chunk.topic,
        "driftline-partition": str(chunk.partition),
        "driftline-offset": str(chunk.offsets[bad.row]),
        "driftline-code": bad.code.value,
        "driftline-reason": bad.reason,
    }
    encoded = [(name, text.encode("utf-8", "replace")) for name, text in headers.items()]
    return cut(Record(topic, None, chunk.keys[bad.row], chunk.values[bad.row], encoded), MAX_BYTES)


def cut(letter: Record, max_bytes: int) -> Record:
    """Return a letter whose value has at most so many bytes, and says how many it had.

    Examples
    --------
    >>> cut(cut(Record("dead", None, None, b"abcdef"), 4), 2)[3:]
    (b'ab', [('driftline-truncated', b'6')])
    """
    value, headers = letter.value, letter.headers
    if value is None or len(value) <= max_bytes:
        return letter
    if not any(name == _TRUNCATED for name, _ in headers):
        headers = [*headers, (_TRUNCATED, str(len(value)).encode())]
    return letter._replace(value=value[:max_bytes], headers=headers)


class LetterBox:
    """Takes letters to the dead-letter topic, and learns how large a letter the topic takes.

    Parameters
    ----------
    sender
        Of the stage whose letters these are.
    topic
        Name of the dead-letter topic.
    """

    def __init__(self, sender: Sender, topic: str) -> None:
        self._sender = sender
        self._topic = topic
        self._max_bytes = MAX_BYTES

    async def put(self, letters: Sequence[Record]) -> None:
        """Send letters, and return when the broker has them; those it finds too large are cut further.

        Raises
        ------
        DeadLetterTopicError
            When the topic is gone, or takes not even a letter without its value.
        """
        letters = [cut(letter, self._max_bytes) for letter in letters]
        # Small letters travel together, and are refused together.
        for letter in await self._refused(letters):
            await self._put_alone(letter)

    async def _put_alone(self, letter: Record) -> None:
        while await self._refused([letter]):
            held_bytes = len(letter.value or b"")
            if not held_bytes:
                raise DeadLetterTopicError(
                    f"the dead-letter topic {self._topic} refuses a letter without its value as too large; "
                    "raise its max.message.bytes (kafka-configs.sh --alter)"
                )
            self._max_bytes = held_bytes // 2
            letter = cut(letter, self._max_bytes)
            _logger.warning(
                "the dead-letter topic %s refuses %d bytes as too large: letters are cut to %d from now on; "
                "raise its max.message.bytes to keep them whole",
                self._topic, held_bytes, self._max_bytes,
            )  # fmt: skip

    async def _refused(self, letters: Sequence[Record]) -> list[Record]:
        """Send letters and return those that are too large for the topic."""
        sending = asyncio.create_task(self._sender.try_send(letters))
        try:
            while not (await asyncio.wait({sending}, timeout=PATIENCE_S))[0]:
                if not self._sender.knows(self._topic):
                    raise DeadLetterTopicError(
                        f"the dead-letter topic {self._topic} is gone; `driftline topics create` makes it "
                        "again, and so does the next start of a worker. No event is lost"
                    )
        finally:
            sending.cancel()
        found = zip(letters, sending.result(), strict=True)
        refused = []
        for letter, error in found:
            if isinstance(error, MessageSizeTooLargeError):
                refused.append(letter)
            elif error is not None:
                raise error
        return refused
