"""Dead letters: bad events as they came, with the reason in their headers."""

from streams.bad_event import BadEvent
from streams.transport import Chunk

MAX_BYTES = 512 * 1024

Letter = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]


def dead_letter(chunk: Chunk, bad: BadEvent) -> Letter:
    """Return key, raw value and headers of a bad event's dead letter.

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
    return chunk.keys[bad.row], value, encoded
