"""Arrays as short text, for snapshots that must be JSON."""

from base64 import b64decode, b64encode
from typing import Any
from zlib import compress, decompress

import numpy as np
from numpy.typing import NDArray

#: What is packed is small and changes with every pane: more effort takes twice the time for 3 % fewer bytes.
_LEVEL = 1


def pack(values: NDArray[Any], kind: str) -> str:
    """Return an array's values, as little-endian ``kind`` (``<u4``, ``<i8``), compressed, in base64."""
    return b64encode(compress(values.astype(kind).tobytes(), _LEVEL)).decode("ascii")


def unpack(text: str, kind: str) -> NDArray[Any]:
    """Return the values `pack` was given, flat.

    Examples
    --------
    >>> unpack(pack(np.array([1, 2, 300]), "<u4"), "<u4").tolist()
    [1, 2, 300]
    """
    return np.frombuffer(decompress(b64decode(text)), dtype=kind)
