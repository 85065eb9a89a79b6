"""Events whose number features are all 0: what a feature store answers that has nothing for its key."""

import numpy as np
from numpy.typing import NDArray

#: One 0 says nothing; this many of them, and nothing else, do.
LEAST_NUMBERS = 2


def all_zero(numbers: NDArray[np.float64]) -> int:
    """Return how many rows hold two numbers or more, and all of them 0.

    Parameters
    ----------
    numbers
        The number features, shape ``(n, F)``, NaN where missing.

    Notes
    -----
    Column by column, and only in rows that may still be: healthy rows cost a look at one column or two.

    Examples
    --------
    >>> all_zero(np.array([[0.0, 0.0], [0.0, 3.0], [0.0, np.nan], [-0.0, 0.0]]))
    2
    """
    rows = np.arange(len(numbers), dtype=np.intp)
    held = np.zeros(len(numbers), np.int64)
    for column in numbers.T:
        values = column if len(rows) == len(column) else column[rows]
        is_zero = values == 0.0
        kept = is_zero | np.isnan(values)
        rows, held = rows[kept], (held + is_zero)[kept]
        if not len(rows):
            return 0
    return int(np.count_nonzero(held >= LEAST_NUMBERS))
