"""Deterministic sketches over columns of numbers: log-bucketed histograms and HyperLogLog.

Both are pure functions of the multiset of values, so that any order and any split of the same values
gives the same sketch to the bit.

References
----------
Masson, Rim, Lee: DDSketch, a fast and fully-mergeable quantile sketch. VLDB 2019.
Flajolet, Fusy, Gandouet, Meunier: HyperLogLog. AofA 2007.
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]
#: Ascending keys, not negative, and their counts.
Sparse = tuple[NDArray[np.int64], Counts]

_MANTISSA_BITS = 5
_SHIFT = 52 - _MANTISSA_BITS
_MAGNITUDE = np.int64(0x7FFF_FFFF_FFFF_FFFF)
#: Magnitudes below 2**-32 count as zero, above 2**64 as that: so a column has a bounded number of buckets.
_SMALLEST = int(np.float64(2.0**-32).view(np.int64)) >> _SHIFT
_LARGEST = int(np.float64(2.0**64).view(np.int64)) >> _SHIFT
MAX_BUCKETS = 2 * (_LARGEST - _SMALLEST + 1) + 1

#: A bucket's value is off by at most this factor of the true one (within the magnitudes above).
RELATIVE_ERROR = 2.0 ** -(_MANTISSA_BITS + 1)

REGISTERS = 256
_REGISTER_BITS = 8


def buckets(values: Numbers) -> NDArray[np.int64]:
    """Return each finite value's bucket: an integer that grows with the value, 0 for zero.

    The bucket is the number's exponent and its first five mantissa bits, read from its IEEE 754 form.

    Examples
    --------
    >>> buckets(np.array([-1.0, 0.0, 1.0, 1.01, 2.0])).tolist()
    [-1025, 0, 1025, 1025, 1057]
    """
    bits: NDArray[np.int64] = values.view(np.int64)
    magnitude = bits & _MAGNITUDE
    magnitude >>= _SHIFT
    magnitude -= _SMALLEST - 1
    np.maximum(magnitude, 0, out=magnitude)
    np.minimum(magnitude, _LARGEST - _SMALLEST + 1, out=magnitude)
    # Two's complement: minus x is (x ^ -1) - -1.
    sign = bits >> 63
    magnitude ^= sign
    magnitude -= sign
    return magnitude


def bucket_values(bucket: NDArray[np.int64]) -> Numbers:
    """Return the middle of each bucket."""
    return _MIDDLES[bucket + MAX_BUCKETS // 2]


def _middles(bucket: NDArray[np.int64]) -> Numbers:
    magnitude = np.abs(bucket)
    low = ((magnitude + (_SMALLEST - 1)) << _SHIFT).view(np.float64)
    middle = low * (1.0 + 2.0 ** -(_MANTISSA_BITS + 1) / (1.0 + _fraction(low)))
    return np.where(magnitude == 0, 0.0, np.sign(bucket) * middle)


def _fraction(low: Numbers) -> Numbers:
    mantissa, _ = np.frexp(low)
    return mantissa * 2.0 - 1.0


_MIDDLES = _middles(np.arange(-(MAX_BUCKETS // 2), MAX_BUCKETS // 2 + 1))
_POWERS = np.ldexp(1.0, -np.arange(256))


def histogram(values: Numbers) -> tuple[NDArray[np.int64], Counts]:
    """Return the ascending buckets that ``values`` (finite, shape ``(n,)``) fall in, and their counts."""
    if values.size == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    bucket = buckets(values)
    lowest = int(bucket.min())
    counts = np.bincount(bucket - lowest)
    held = np.flatnonzero(counts)
    return held + lowest, counts[held]


def merge_sparse(keys: NDArray[np.int64], counts: Counts) -> tuple[NDArray[np.int64], Counts]:
    """Return ascending unique keys with their counts summed."""
    if keys.size == 0:
        return keys, counts
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    return keys[first], np.add.reduceat(counts, first)


def added(whole: Sparse, part: Sparse) -> Sparse:
    """Return `merge_sparse` of two whose keys ascend, the second small beside the first; the first's counts are lost.

    Examples
    --------
    >>> one, other = np.array([2, 5, 9]), np.array([1, 5])
    >>> [side.tolist() for side in added((one, np.array([1, 1, 1])), (other, np.array([3, 4])))]
    [[1, 2, 5, 9], [3, 1, 5, 1]]
    """
    (keys, counts), (new_keys, new_counts) = whole, part
    places = keys.searchsorted(new_keys)
    known = np.append(keys, -1)[places] == new_keys
    counts[places[known]] += new_counts[known]
    other = ~known
    if not other.any():
        return keys, counts
    return np.insert(keys, places[other], new_keys[other]), np.insert(
        counts, places[other], new_counts[other]
    )


def hashed(values: Numbers) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each number (SplitMix64 finaliser over its bits; -0.0 hashes as 0.0)."""
    return mixed((values + 0.0).view(np.uint64))


def mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the SplitMix64 finaliser of each 64-bit word."""
    word = bits ^ (bits >> np.uint64(30))
    word = word * np.uint64(0xBF58476D1CE4E5B9)
    word ^= word >> np.uint64(27)
    word *= np.uint64(0x94D049BB133111EB)
    word ^= word >> np.uint64(31)
    return word


def ranks(hashes: NDArray[np.uint64], register_bits: int) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """Return the HyperLogLog register of each hash, and the rank it offers that register."""
    rest_bits = 64 - register_bits
    register = (hashes >> np.uint64(rest_bits)).astype(np.intp)
    rest = (hashes & np.uint64((1 << rest_bits) - 1)).astype(np.float64)
    return register, (rest_bits + 1 - np.frexp(rest)[1]).astype(np.uint8)


def observe_hashes(registers: NDArray[np.uint8], hashes: NDArray[np.uint64], register_bits: int) -> None:
    """Fold hashes into HyperLogLog registers (``2**register_bits`` of them) in place."""
    register, rank = ranks(hashes, register_bits)
    np.maximum.at(registers, register, rank)


def distinct(registers: NDArray[np.uint8]) -> int:
    """Return the estimated number of distinct values; its relative standard error is ``1.04 / sqrt(m)``.

    Examples
    --------
    >>> registers = np.zeros(256, np.uint8)
    >>> observe_hashes(registers, hashed(np.array([1.0, 2.0, 2.0, 3.0])), 8)
    >>> distinct(registers)
    3
    """
    return distinct_each(registers.reshape(1, -1))[0]


def distinct_each(registers: NDArray[np.uint8]) -> list[int]:
    """Return `distinct` of each row of registers, shape ``(n, m)``."""
    m = registers.shape[1]
    alpha = 0.7213 / (1 + 1.079 / m)
    estimates = alpha * m * m / _POWERS[registers].sum(axis=1)
    empty = m - np.count_nonzero(registers, axis=1)
    counted = m * np.log(m / np.maximum(empty, 1))
    chosen = np.where((estimates <= 2.5 * m) & (empty > 0), counted, estimates)
    return [round(one) for one in chosen.tolist()]
