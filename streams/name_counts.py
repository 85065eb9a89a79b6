"""Counts by name under a cap: which names are kept does not depend on the order they came in."""

from collections.abc import Mapping
from hashlib import blake2b

#: Names are cut to this many characters.
NAME_KEPT = 100


def summed(mine: Mapping[str, int], *others: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of all."""
    total = dict(mine)
    for other in others:
        for name, count in other.items():
            total[name] = total.get(name, 0) + count
    return total


def capped(counts: dict[str, int], cap: int) -> dict[str, int]:
    """Keep the ``cap`` names of smallest hash: the same names whatever the order they came in.

    A name among the smallest of a union is among the smallest of each part that has it, so the counts
    of names kept are exact.
    """
    if len(counts) <= cap:
        return counts
    kept = sorted(
        counts, key=lambda name: blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    )
    return {name: counts[name] for name in kept[:cap]}
