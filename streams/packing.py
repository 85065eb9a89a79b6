"""Whole numbers as bytes: in the narrowest type that holds them, and without the zeros."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Ascending positions and what they hold, each in the narrowest type.
Packed = tuple[bytes, bytes]


def sparse(values: NDArray[Any]) -> Packed:
    """Store an array by where it is not zero."""
    held = np.flatnonzero(values)
    return pack(held, values[held])


def fill(target: NDArray[Any], packed: Packed) -> None:
    """Put what `sparse` stored into zeros of the same shape."""
    positions, values = unpack(packed)
    target[positions] = values


def pack(ascending: NDArray[Any], counts: NDArray[Any]) -> Packed:
    """Store ascending integers as steps; both arrays in the narrowest type that holds them."""
    return narrow(np.concatenate((ascending[:1], ascending[1:] - ascending[:-1]))), narrow(counts)


def unpack(packed: Packed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what `pack` stored."""
    return np.cumsum(wide(packed[0])), wide(packed[1])


def narrow(values: NDArray[Any]) -> bytes:
    """Store whole numbers from 0 up in the narrowest type; its width comes first."""
    width = np.min_scalar_type(int(values.max(initial=0)))
    return bytes([width.itemsize]) + values.astype(f"<u{width.itemsize}").tobytes()


def wide(raw: bytes) -> NDArray[np.int64]:
    """Return what `narrow` stored."""
    return np.frombuffer(raw, dtype=f"<u{raw[0]}", offset=1).astype(np.int64)
