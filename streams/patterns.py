"""Regular expressions of an owner on values of anybody: by RE2, in time linear in the value's length.

Python's ``re`` backtracks: a pattern that is harmless on usual values can take hours on one that was made for it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Of a pattern; profiles carry it.
MAX_PATTERN_LENGTH = 300
_SYNTAX = "https://github.com/google/re2/wiki/Syntax"


def mistake_in(regex: str) -> str | None:
    """Return why a pattern cannot be used, with the remedy; None where it can.

    Examples
    --------
    >>> mistake_in("^[A-Z]{2}$") is None
    True
    >>> mistake_in("(?=a)")
    "'(?=a)' is no regular expression of RE2 (invalid perl operator: (?=); write it without look-around and back \
references, by https://github.com/google/re2/wiki/Syntax"
    """
    import pyarrow as pa

    try:
        matches(regex, [""])
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        return (
            f"'{regex}' is no regular expression of RE2 ({reason}); write it without look-around and back "
            f"references, by {_SYNTAX}"
        )
    return None


def matches(regex: str, values: Sequence[str]) -> NDArray[np.bool_]:
    """Return which values the pattern is found in, anywhere unless it has ``^`` and ``$``, shape ``(n,)``.

    Half a character (a lone surrogate) counts as U+FFFD, as it does wherever such text is written.
    """
    # Of use only where a monitor has patterns, and 60 MB otherwise for nothing.
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        texts = pa.array(values, pa.string())
    except UnicodeEncodeError:
        texts = pa.array([_whole(value) for value in values], pa.string())
    found = pc.match_substring_regex(texts, regex)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _whole(value: str) -> str:
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
