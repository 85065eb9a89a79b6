"""Dead letters: bad events as they came, with the reason in their headers."""

from streams.bad_event import BadEvent
from streams.transport import Chunk
from streams.writes import Record

MAX_BYTES = 512 * 1024


def dead_letter(topic: str, chunk: Chunk, bad: BadEvent) -> Record:
    """Return a bad event's dead letter: key and raw value as they came, and the reason in its headers.

    Values above `MAX_BYTES` are cut, as the broker would refuse them; ``driftline-truncated`` then says
    how long they were.
    """
    value = chunk.values[bad.row]
    headers = {
        "driftline-topic": chunk.topic,
        "driftline-partition": str(chunk.partition),
        "driftline-offset": str(chunk.offsets[bad.row]),
        "driftline-code": bad.code.value,
        "driftline-reason": bad.reason,
    }
    if value is not None and len(value) > MAX_BYTES:
        headers["driftline-truncated"] = str(len(value))
        value = value[:MAX_BYTES]
    encoded = [(name, text.encode("utf-8", "replace")) for name, text in headers.items()]
    return Record(topic, None, chunk.keys[bad.row], value, encoded)
