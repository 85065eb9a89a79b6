"""Figures and names as people read them, for the sentence of a verdict's evidence."""

import math
from collections.abc import Callable, Iterable
from functools import lru_cache


def figure(value: float, digits: int = 3) -> str:
    """Return a number with ``digits`` significant digits, and thousands set apart.

    Examples
    --------
    >>> figure(52314.2), figure(4.4), figure(0.000123456), figure(-1e15), figure(float("nan"))
    ('52,300', '4.4', '0.000123', '-1e+15', 'unknown')
    """
    if not math.isfinite(value):
        return "unknown"
    short = f"{value:.{digits}g}"
    if abs(value) < 999 and "e" not in short and short != "-0":
        return short
    rounded = float(short)
    if rounded == 0:
        return "0"
    if not 1e-4 <= abs(rounded) < 1e12:
        return f"{rounded:g}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(rounded))), 0)
    text = f"{rounded:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float, digits: int = 3) -> str:
    """Return a share of one in percent.

    Examples
    --------
    >>> percent(1.0), percent(0.1234), percent(0.9996), percent(0.00012), percent(1e-9), percent(0.0)
    ('100 %', '12.3 %', '99.96 %', '0.012 %', '< 0.001 %', '0 %')
    """
    if 0 < share < 1e-5:
        return "< 0.001 %"
    if 0.999 < share < 1:
        return f"{math.floor(share * 10_000) / 100:.2f} %"
    return f"{figure(share * 100, digits)} %"


def quantity(number: int, noun: str) -> str:
    """Return a count with its noun (plural in s).

    Examples
    --------
    >>> quantity(1, "event"), quantity(3000, "event")
    ('1 event', '3,000 events')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def ordinal(place: int) -> str:
    """Return a place, 1 upwards, as it is said.

    Examples
    --------
    >>> [ordinal(place) for place in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '102nd', '111th']
    """
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place:,}{ending}"


def against(score: float, limit: float, unit: str = "") -> str:
    """Return how a score stands to its limit, with as many digits as tell them apart.

    Examples
    --------
    >>> against(6.13, 0.2), against(0.05, 0.2), against(0.20001, 0.2), against(730, 500, " ms")
    ('6.13 > 0.2', '0.05 ≤ 0.2', '0.20001 > 0.2', '730 ms > 500 ms')
    """
    return _stand(score, limit, lambda value, digits: figure(value, digits) + unit)


def against_percent(score: float, limit: float) -> str:
    """Return how a share stands to its limit, both in percent.

    Examples
    --------
    >>> against_percent(0.12, 0.02), against_percent(0.0, 0.02)
    ('12 % > 2 %', '0 % ≤ 2 %')
    """
    return _stand(score, limit, percent)


def duration(seconds: float) -> str:
    """Return a span of time in its largest two units.

    Examples
    --------
    >>> duration(42.7), duration(300), duration(3725), duration(200_000)
    ('42 s', '5 min', '1 h 2 min', '2 d 7 h')
    """
    total = int(seconds)
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    for place, (unit, size) in enumerate(units):
        if total >= size:
            head, rest = divmod(total, size)
            below = units[place + 1 : place + 2]
            tail = [f"{rest // small} {name}" for name, small in below if rest >= small]
            return " ".join([f"{head} {unit}", *tail])
    return "0 s"


@lru_cache(maxsize=65_536)
def shorten(text: str, limit: int = 48) -> str:
    """Return a name no longer than ``limit`` characters, on one line.

    Examples
    --------
    >>> shorten("plan"), shorten("x" * 100, 8)
    ('plan', 'xxxxxxx…')
    """
    line = " ".join(text.split()) if text.strip() else repr(text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def listing(names: Iterable[str], shown: int = 3) -> str:
    """Return the first names, and how many more there are.

    Examples
    --------
    >>> listing(["a", "b"]), listing(list("abcde"))
    ('a, b', 'a, b, c and 2 more')
    """
    every = [shorten(name, 32) for name in names]
    more = len(every) - shown
    return ", ".join(every[:shown]) + (f" and {more} more" if more > 0 else "")


def _stand(score: float, limit: float, write: Callable[[float, int], str]) -> str:
    sign = ">" if score > limit else "≤"
    for digits in (3, 5, 8):
        left, right = write(score, digits), write(limit, digits)
        if left != right or score == limit:
            break
    return f"{left} {sign} {right}"
