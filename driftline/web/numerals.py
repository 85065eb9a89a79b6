"""Numbers as people read them: three significant digits, thin units, a dash for what is not there."""

import math

DASH = "\N{EN DASH}"


def integer(value: int) -> str:
    """Return a whole number with thousands separated.

    Examples
    --------
    >>> integer(1234567)
    '1,234,567'
    """
    return f"{value:,}"


def plain(value: float | None) -> str:
    """Return a number at three significant digits; large ones abbreviated.

    Examples
    --------
    >>> [plain(v) for v in (0.0, 0.12345, 41.26, 1234.5, 98_765.4, 1_250_000.0, 3e-9)]
    ['0', '0.123', '41.3', '1,234', '98,765', '1.25 M', '3e-09']
    """
    if value is None or math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if size >= 1e12:
        return f"{value:.3g}"
    for factor, name in ((1e9, "G"), (1e6, "M")):
        if size >= factor:
            return f"{value / factor:.3g} {name}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def per_second(value: float) -> str:
    """Return a rate of events.

    Examples
    --------
    >>> per_second(0), per_second(0.004), per_second(12.34), per_second(1500)
    ('0/s', '<0.01/s', '12.3/s', '1,500/s')
    """
    return "<0.01/s" if 0 < value < 0.01 else f"{plain(value)}/s"


def percent(share: float | None) -> str:
    """Return a share of one in percent.

    Examples
    --------
    >>> [percent(v) for v in (0.0, 0.00001, 0.0012, 0.0346, 0.5, 1.0)]
    ['0%', '<0.01%', '0.12%', '3.5%', '50%', '100%']
    """
    if share is None or math.isnan(share):
        return DASH
    if 0 < share < 0.0001:
        return "<0.01%"
    value = share * 100
    digits = 2 if value < 1 else 1 if value < 10 else 0
    text = f"{value:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if digits else text}%"


def milliseconds(value: float | None) -> str:
    """Return a latency in the unit it is spoken of.

    Examples
    --------
    >>> [milliseconds(v) for v in (0.42, 12.34, 730.4, 1240.0, 90_000.0)]
    ['0.42 ms', '12.3 ms', '730 ms', '1.24 s', '90 s']
    """
    if value is None or math.isnan(value):
        return DASH
    return f"{plain(value / 1000)} s" if value >= 1000 else f"{plain(value)} ms"
