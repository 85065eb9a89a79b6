"""A tally: outcomes as a sparse vector of whole numbers, which adds up the same in any order.

What is a count is counted; what is a real number is rounded once, to a multiple of 2**-128, and summed as
a whole number from there on. So panes and partitions add up to the bit, and an outcome whose label is
replaced later is taken out again without a trace.
"""

from collections.abc import Iterable, Mapping

Key = tuple[str, ...]
Tally = dict[Key, int]

_UNIT_BITS = 128
_UNIT = 1 << _UNIT_BITS
#: Magnitudes above this count as this: the fourth power of an error must be a number still.
LARGEST = 1e70


def fixed(number: float) -> int:
    """Return a finite number as a multiple of 2**-128, rounded towards zero, clipped to `LARGEST`.

    Examples
    --------
    >>> real(fixed(0.1)), real(fixed(-2.5)), real(fixed(1e300))
    (0.1, -2.5, 1e+70)
    """
    over, under = min(abs(number), LARGEST).as_integer_ratio()
    whole = (over << _UNIT_BITS) // under
    return -whole if number < 0 else whole


def times(one: int, other: int) -> int:
    """Return the product of two `fixed` numbers, rounded down."""
    return (one * other) >> _UNIT_BITS


def real(whole: int) -> float:
    """Return a multiple of 2**-128 as a float, rounded once."""
    return whole / _UNIT


def mean_and_error(count: int, total: int, squares: int) -> tuple[float, float]:
    """Return the mean of ``count`` (1 upwards) numbers and its standard error, from their `fixed` sums.

    The variance is taken over whole numbers, so that nothing cancels.

    Examples
    --------
    >>> values = [fixed(x) for x in (1e9 + 1, 1e9 + 2, 1e9 + 3)]
    >>> mean, error = mean_and_error(3, sum(values), sum(times(x, x) for x in values))
    >>> mean, round(error**2 * 3, 12)
    (1000000002.0, 0.666666666667)
    """
    spread = max(count * squares * _UNIT - total * total, 0)
    return total / (count * _UNIT), (spread / (count**3 * _UNIT * _UNIT)) ** 0.5


def add(total: Tally, part: Mapping[Key, int], sign: int = 1) -> None:
    """Add a tally to ``total`` in place, or take it out again (``sign`` -1); zeros are not kept.

    Examples
    --------
    >>> total = {("n",): 1}
    >>> add(total, {("n",): 2, ("other",): 1})
    >>> add(total, {("other",): 1}, -1)
    >>> total
    {('n',): 3}
    """
    for key, count in part.items():
        found = total.get(key, 0) + sign * count
        if found:
            total[key] = found
        else:
            total.pop(key, None)


def summed(tallies: Iterable[Mapping[Key, int]]) -> Tally:
    """Return the sum of tallies."""
    total: Tally = {}
    for one in tallies:
        add(total, one)
    return total
