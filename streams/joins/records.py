"""What travels on ``driftline.joins``: sampled predictions and labels, by our own hash of model and id."""

from hashlib import blake2b
from typing import Any

import msgspec

#: Where a record was first read: partition and offset of ``driftline.predictions`` or ``driftline.labels``.
Source = tuple[int, int]


class Predicted(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """A prediction that waits for its label; times in epoch ms, ``record_ms`` is the broker's.

    ``segments`` are those it counts in, as ``name=value``.
    """

    model: str
    id: str
    source: Source
    ts_ms: int
    record_ms: int
    version: str
    segments: tuple[str, ...]
    prediction: float | str | dict[str, float]


class Labelled(msgspec.Struct, frozen=True, array_like=True, tag="l"):
    """A label that looks for its prediction; times in epoch ms, ``record_ms`` is the broker's."""

    model: str
    id: str
    source: Source
    ts_ms: int
    record_ms: int
    label: bool | float | str


JoinRecord = Predicted | Labelled

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[JoinRecord] = msgspec.msgpack.Decoder(JoinRecord)


def encode(value: Any) -> bytes:
    """Return a record as bytes."""
    return _encoder.encode(value)


def decode(raw: bytes) -> JoinRecord:
    """Return the record of bytes."""
    return _decoder.decode(raw)


def place(model: str, id: str) -> tuple[int, float]:
    """Return the whole number an id's partition is chosen by, and its place (0 to 1) in any sample.

    Both come of our own hash, for producers' partitioners differ; of different bits of it, so that each
    partition holds the same share of a sample.

    Examples
    --------
    >>> number, share = place("churn", "a")
    >>> number % 8, round(share, 3)
    (2, 0.114)
    """
    text = f"{len(model)}:{model}{id}".encode("utf-8", "surrogatepass")
    digest = blake2b(text, digest_size=16).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big") / (1 << 64)
