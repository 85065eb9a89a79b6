"""What detectors of a share against a fixed limit have in common."""

from detectors.significance import Rate, critical_count_at


def limit_in_force(rate: Rate, threshold: float, alpha: float) -> float:
    """Return the share that a true share of ``threshold`` exceeds with probability ``alpha`` at most.

    Never below ``threshold``; it comes down to it as events come in.

    Examples
    --------
    >>> [round(limit_in_force(Rate(0, n), 0.05, 0.001), 3) for n in (500, 10_000, 1_000_000)]
    [0.082, 0.057, 0.051]
    """
    return max(threshold, critical_count_at(rate.total, threshold, alpha) / rate.total)
