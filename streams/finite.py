"""Numbers that JSON can hold: it knows neither infinity nor not-a-number."""

import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any


def finite(value: float) -> float:
    """Return an infinite number as the largest one of its sign, so that it compares as before.

    Not-a-number, which compares with nothing, becomes 0.

    Examples
    --------
    >>> finite(float("inf")) > 1e300, finite(float("-inf")) < -1e300, finite(float("nan")), finite(1.5)
    (True, True, 0.0, 1.5)
    """
    if math.isfinite(value):
        return value
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
    kind = type(value)
    if kind is str or kind is int:
        return value
    if kind is float or isinstance(value, float):
        return None if math.isnan(value) else finite(value)
    if isinstance(value, dict | Mapping):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return finite_list(value) if set(map(type, value)) == {float} else [jsonable(item) for item in value]
    return value


def finite_list(values: Iterable[float]) -> list[float | None]:
    """Return numbers as `jsonable` would: of most, every one is finite.

    Examples
    --------
    >>> finite_list([0.5, float("nan")])
    [0.5, None]
    """
    held = list(values)
    if all(map(math.isfinite, held)):
        return held  # type: ignore[return-value]  # a list of floats is one of floats and Nones here
    return [None if math.isnan(one) else finite(one) for one in held]
