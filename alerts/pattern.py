"""Regular expressions that come in while the desk runs: by RE2, as Alertmanager reads them.

A silence is made by whoever reaches the API. Python's ``re`` can be made to hang by a pattern, and the desk with it;
RE2 is linear in the text's length. Plain alternatives (``churn|fraud``), which most are, need neither.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from alerts.errors import MatcherError

MAX_LENGTH = 1_000
_PLAIN = re.compile(r"[\w \-:/,@%=;]*(?:\|[\w \-:/,@%=;]*)*")


@lru_cache(maxsize=8192)
def whole(regex: str) -> Callable[[str], bool]:
    """Return what tells whether a whole text fits.

    Raises
    ------
    MatcherError
        If the pattern is too long, or RE2 cannot read it.

    Examples
    --------
    >>> fits = whole("churn|fraud")
    >>> fits("fraud"), fits("fraud-eu"), whole("fraud.*")("fraud-eu")
    (True, False, True)
    """
    if len(regex) > MAX_LENGTH:
        raise MatcherError(f"a regular expression of {len(regex)} characters; {MAX_LENGTH} are the most")
    if _PLAIN.fullmatch(regex):
        return frozenset(regex.split("|")).__contains__
    return _by_re2(regex)


def _by_re2(regex: str) -> Callable[[str], bool]:
    # Of use only where a silence has such a pattern, and 60 MB otherwise for nothing.
    import pyarrow as pa
    import pyarrow.compute as pc

    anchored = rf"(?s)\A(?:{regex})\z"

    def fits(text: str) -> bool:
        shown = text.encode("utf-8", "replace").decode()
        return bool(pc.match_substring_regex(pa.scalar(shown, pa.string()), pattern=anchored).as_py())

    try:
        # On its own first: a parenthesis too many must not close ours.
        pc.match_substring_regex(pa.scalar("", pa.string()), pattern=regex)
        fits("")
    except (pa.ArrowInvalid, UnicodeEncodeError) as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        raise MatcherError(
            f"{regex[:80]!r} is not a regular expression of RE2 ({reason}); write it without look-around and "
            "back references"
        ) from error
    return fits
