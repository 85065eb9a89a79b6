"""Columns of a table, turned into what a batch holds; vectorised, without a Python step per good cell.

Every reader returns the values and, where cells could not be read, a mask of them: such a row is invalid,
as an event with a value of the wrong type is on the wire. A column of the wrong type as a whole is an
error: `WrongColumnError`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.errors import DriftlineError
from streams.batch import hash_words
from streams.events import MAX_ID_LENGTH, MAX_TIME_MS, MIN_TIME_MS

Mask = NDArray[np.bool_]
#: What stands for a missing number or time in a text file.
ABSENT = ("", "na", "n/a", "nan", "null", "none", "<na>", "nat")

# No id of the contract is longer; what is, must not make the whole chunk as wide.
_ID_BYTES = 4 * MAX_ID_LENGTH
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
#: Epoch seconds of March 1973 and November 2286.
_EARLIEST_S, _LATEST_S = 100_000_000, 10_000_000_000
_UTC_US = pa.timestamp("us", "UTC")
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_FLAGS = {"true": "true", "false": "false", "1": "true", "0": "false"}


class WrongColumnError(DriftlineError):
    """A column of a table has a type its values can't be taken from."""


def numbers(column: Any, where: str) -> tuple[NDArray[np.float64], Mask | None]:
    """Return a column of numbers; missing ones are NaN, infinite ones cannot be read.

    Parameters
    ----------
    column
        Integers, floats or decimals; text that spells numbers, as in a CSV file.
    where
        File and column, for the error's message.

    Raises
    ------
    WrongColumnError
        If it holds something else.
    """
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan), None
    if _is_text(kind):
        values, bad = _parsed(column, pa.float64(), float, where, "a number")
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values, bad = pc.cast(column, pa.float64(), safe=False), None
    else:
        raise WrongColumnError(
            f"{where} is {kind}, a number is needed; store it as a number, or correct its type in the monitor"
        )
    found: NDArray[np.float64] = values.to_numpy(zero_copy_only=False)
    infinite = np.isinf(found)
    if infinite.any():
        bad = infinite if bad is None else bad | infinite
    return found, bad


def texts(column: Any, where: str, *, blank_is_missing: bool) -> list[str | None]:
    """Return a column of categories; integers and booleans count by their text.

    Raises
    ------
    WrongColumnError
        If it holds floats, times or nested values.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (
        _is_text(kind) or pa.types.is_null(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    ):
        raise WrongColumnError(
            f"{where} is {kind}, a category is needed; store it as text, or correct its type in the monitor"
        )
    names, codes = _encoded(column)
    # A missing value's code is -1: the last entry.
    lookup = np.array([*((name or None) if blank_is_missing else name for name in names), None], dtype=object)
    found: list[str | None] = lookup[codes].tolist()
    return found


def flags(column: Any, where: str) -> tuple[list[str | None], Mask | None]:
    """Return a column of booleans as the categories ``true`` and ``false``; 0 and 1 do as well.

    Raises
    ------
    WrongColumnError
        If it holds something else.
    """
    names, codes = _encoded(column)
    unknown = np.array(
        [*(name.lower() not in _FLAGS and name.lower() not in ABSENT for name in names), False]
    )
    bad = unknown[codes]
    if bad.any() and (unknown[:-1].all() or not _is_text(column.type)):
        raise WrongColumnError(
            f"{where} holds {names[int(np.argmax(unknown))]!r}, true or false is needed; "
            "store it as a boolean, or correct its type in the monitor"
        )
    lookup = np.array([*(_FLAGS.get(name.lower()) for name in names), None], dtype=object)
    return lookup[codes].tolist(), bad if bad.any() else None


def times_ms(column: Any, where: str) -> tuple[NDArray[np.int64], Mask | None]:
    """Return a column of times as epoch milliseconds, rounded down; times without a zone are UTC.

    Parameters
    ----------
    column
        Timestamps of any unit, dates, integers (epoch milliseconds), or RFC 3339 text.

    Raises
    ------
    WrongColumnError
        If it holds something else, or integers that are not milliseconds but seconds or microseconds.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    bad: Mask | None = None
    if _is_text(kind):
        column, bad = _parsed_times(column, where)
    elif pa.types.is_date(kind):
        column = pc.cast(column, pa.timestamp("ms"))
    elif not (pa.types.is_timestamp(kind) or pa.types.is_integer(kind)):
        raise WrongColumnError(
            f"{where} is {kind}, a time is needed: timestamps, RFC 3339 text or whole epoch milliseconds; "
            "of seconds with a fraction, store 1000 times the number as an integer"
        )
    missing: Mask = np.asarray(pc.is_null(column))
    unit = column.type.unit if pa.types.is_timestamp(column.type) else "ms"
    whole: NDArray[np.int64] = pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy(zero_copy_only=False)
    per_second = _PER_SECOND[unit]
    if per_second < 1000:
        # Seconds that would overflow are far out of range either way.
        whole = np.clip(whole, MIN_TIME_MS // 1000 - 1, MAX_TIME_MS // 1000 + 1) * 1000
    elif per_second > 1000:
        whole = whole // (per_second // 1000)
    wrong = (whole < MIN_TIME_MS) | (whole > MAX_TIME_MS)
    if looks_like_seconds(whole[~missing & ~wrong]) and not pa.types.is_timestamp(column.type):
        raise WrongColumnError(
            f"{where} holds {int(whole[np.argmin(missing | wrong)])}: as milliseconds that is early 1970, so it is "
            "seconds; multiply the column by 1000, or store timestamps"
        )
    if wrong.any() and (wrong | missing).all():
        raise WrongColumnError(
            f"{where} holds {int(whole[np.argmax(wrong)])}, which is no time in milliseconds; "
            "convert it to epoch milliseconds or timestamps"
        )
    wrong |= missing if bad is None else missing | bad
    return whole, wrong if wrong.any() else None


def looks_like_seconds(ts_ms: NDArray[np.int64]) -> bool:
    """Return whether times, epoch ms, are all of early 1970: epoch seconds of 1973 to 2286 read as milliseconds.

    Examples
    --------
    >>> looks_like_seconds(np.array([1_795_424_400])), looks_like_seconds(np.array([1_795_424_400_000]))
    (True, False)
    """
    return bool(ts_ms.size and ts_ms.min() >= _EARLIEST_S and ts_ms.max() < _LATEST_S)


def id_hashes(column: Any) -> NDArray[np.uint64]:
    """Return the hash of each id's text, the same as `streams.batch.hash_ids`; missing ids hash as "".

    Examples
    --------
    >>> from streams.batch import hash_ids
    >>> hashes = id_hashes(pa.array([7, 123_456_789]))
    >>> bool((hashes == hash_ids(["7", "123456789"])).all())
    True
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    text = pc.fill_null(pc.cast(pc.cast(column, pa.large_string()), pa.large_binary()), b"")
    text = pc.binary_slice(text, 0, _ID_BYTES)
    n = len(text)
    if not n:
        return np.zeros(0, np.uint64)
    _, offset_buffer, data_buffer = text.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64)[text.offset : text.offset + n + 1]
    lengths = np.diff(offsets)
    width = max(-(-int(lengths.max()) // 8) * 8, 8)
    if data_buffer is None:
        return hash_words(np.zeros((n, 1), np.uint64))
    data = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]]
    if lengths.min() == width:
        padded = data.reshape(n, width)
    else:
        padded = np.zeros((n, width), np.uint8)
        padded[np.arange(width) < lengths[:, None]] = data
    return hash_words(np.ascontiguousarray(padded).view(np.uint64))


def failures(column: Any) -> Mask:
    """Return where a prediction failed: a boolean that is true, or any text that is not blank."""
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.bool_)
    if pa.types.is_boolean(column.type):
        return np.asarray(pc.fill_null(column, False))
    names, codes = _encoded(column)
    return np.array([*(name.lower() not in ("", "false") for name in names), False])[codes]


def names(column: Any, where: str) -> list[str]:
    """Return a column of categories, "" where missing.

    Raises
    ------
    WrongColumnError
        As `texts`.
    """
    found = texts(column, where, blank_is_missing=False)
    if column.null_count:
        return [name or "" for name in found]
    return cast(list[str], found)


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _encoded(column: Any) -> tuple[list[str], NDArray[np.intp]]:
    """Return the distinct values as text, and each row's position among them, -1 where missing."""
    if pa.types.is_null(column.type):
        return [], np.full(len(column), -1, np.intp)
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    names = pc.fill_null(pc.cast(column.dictionary, pa.string()), "").to_pylist()
    codes = pc.fill_null(pc.cast(column.indices, pa.int64()), -1).to_numpy(zero_copy_only=False)
    return names, codes.astype(np.intp, copy=False)


def _parsed(
    column: Any, kind: Any, read: Callable[[str], Any], where: str, wanted: str
) -> tuple[Any, Mask | None]:
    """Return text as values of another type: at once if it goes, else cell by cell."""
    try:
        return pc.cast(column, kind), None
    except pa.ArrowInvalid:
        pass
    trimmed = pc.utf8_trim_whitespace(column)
    absent = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(ABSENT))
    column = pc.if_else(absent, None, trimmed)
    try:
        return pc.cast(column, kind), None
    except pa.ArrowInvalid:
        return _one_by_one(column, kind, read, where, wanted)


def _one_by_one(
    column: Any, kind: Any, read: Callable[[str], Any], where: str, wanted: str
) -> tuple[Any, Mask]:
    values: list[Any] = []
    bad = np.zeros(len(column), np.bool_)
    for row, text in enumerate(column.to_pylist()):
        try:
            values.append(None if text is None else read(text))
        except ValueError:
            values.append(None)
            bad[row] = True
    if int(bad.sum()) == len(column) - column.null_count:
        example = column[int(np.argmax(bad))].as_py()
        raise WrongColumnError(
            f"{where} holds {example[:60]!r}, {wanted} is needed; name another column with --map, or correct it"
        )
    return pa.array(values, kind), bad


def _parsed_times(column: Any, where: str) -> tuple[Any, Mask | None]:
    """Return text as integers (epoch milliseconds) or timestamps; without a zone, in UTC."""
    for kind in (_UTC_US, pa.int64()):
        try:
            return pc.cast(column, kind), None
        except pa.ArrowInvalid:
            continue
    zoned = pc.match_substring_regex(column, r"([Zz]|[+-]\d\d:?\d\d)$")
    text = pc.replace_substring_regex(pc.utf8_upper(column), r"(\.\d{6})\d+", r"\1")
    text = pc.replace_substring_regex(text, r"^(\d{4}-\d\d-\d\d)$", r"\1T00:00:00")
    text = pc.if_else(zoned, text, pc.binary_join_element_wise(text, "Z", ""))
    blank = pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(column)), value_set=pa.array(ABSENT))
    try:
        return pc.cast(pc.if_else(blank, None, text), _UTC_US), None
    except pa.ArrowInvalid:
        return _one_by_one(pc.if_else(blank, None, column), pa.int64(), _time_ms, where, "a time (RFC 3339)")


def _time_ms(text: str) -> int:
    if text.lstrip("-").isdigit():
        return int(text)
    at = datetime.fromisoformat(text)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MS
