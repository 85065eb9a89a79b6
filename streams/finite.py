"""Numbers that JSON can hold: it knows neither infinity nor not-a-number."""

import math
import sys
from collections.abc import Mapping
from typing import Any


def finite(value: float) -> float:
    """Return an infinite number as the largest one of its sign, so that it compares as before.

    Not-a-number, which compares with nothing, becomes 0.

    Examples
    --------
    >>> finite(float("inf")) > 1e300, finite(float("-inf")) < -1e300, finite(float("nan")), finite(1.5)
    (True, True, 0.0, 1.5)
    """
    if math.isnan(value):
        return 0.0
    return min(max(value, -sys.float_info.max), sys.float_info.max)


def jsonable(value: Any) -> Any:
    """Return nested data with every number finite; not-a-number becomes None.

    Examples
    --------
    >>> jsonable({"mean": [1.0, float("nan")], "n": 3, "why": "text"})
    {'mean': [1.0, None], 'n': 3, 'why': 'text'}
    """
    if isinstance(value, float):
        return None if math.isnan(value) else finite(value)
    if isinstance(value, Mapping):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value
