"""Whole numbers as bytes: in the narrowest type that holds them, and without the zeros."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Types by their width in bytes, and the mark that says which it is.
_WIDTHS = {width: (bytes([width]), np.dtype(f"<u{width}")) for width in (1, 2, 4, 8)}

#: Ascending positions and what they hold, each in the narrowest type.
Packed = tuple[bytes, bytes]


def sparse(values: NDArray[Any]) -> Packed:
    """Store an array by where it is not zero."""
    (held,) = values.nonzero()
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
    return wide(packed[0]).cumsum(), wide(packed[1])


def narrow(values: NDArray[Any]) -> bytes:
    """Store whole numbers from 0 up in the narrowest type; its width comes first."""
    mark, kind = _WIDTHS[width_of(int(np.maximum.reduce(values, initial=0)))]
    return mark + values.astype(kind).tobytes()


def wide(raw: bytes) -> NDArray[np.int64]:
    """Return what `narrow` stored."""
    return np.frombuffer(raw, _WIDTHS[raw[0]][1], -1, 1).astype(np.int64)


def width_of(most: int) -> int:
    """Return the bytes of the narrowest type that holds whole numbers from 0 to ``most``.

    Examples
    --------
    >>> [width_of(most) for most in (255, 256, 65_536, 2**32)]
    [1, 2, 4, 8]
    """
    return 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4 if most < 1 << 32 else 8
