"""A profile: mergeable statistics of one model, version and segment over one pane.

Statistics are arrays with one entry per column, so that folding and merging cost a few numpy calls
whatever the number of columns. All integers, sketches and extremes are functions of the multiset of
rows, hence equal to the bit in any order; means and sums of squares agree to a relative 1e-9.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, repeat

import numpy as np
from numpy.typing import NDArray

from streams import counting, sketch
from streams.attribution_sums import AttributionSums
from streams.attribution_sums import total as total_of_attributions
from streams.batch import Batch
from streams.counting import SLOTS, ZERO_SLOT
from streams.layout import Layout
from streams.matching import Matched, MatchKey
from streams.matching import total as total_of_matches
from streams.name_counts import NAME_KEPT, capped, summed
from streams.pair_sums import PairSums
from streams.pair_sums import total as total_of_pairs
from streams.zeros import LEAST_NUMBERS, all_zero

ID_REGISTER_BITS = 12
UNLISTED_KEPT = 64
UNEXPECTED_KEPT = 64
#: Magnitudes above this count as this in means and squares, so that these stay finite.
LARGEST_MOMENT = 1e140
_COUNTERS = ("events", "errors", "invalid", "late", "all_zero", "vectors")
#: How statistics that are arrays add up, moments and sketches apart.
_WHOLE = {
    "ids": np.maximum, "registers": np.maximum, "minimum": np.minimum, "maximum": np.maximum,
    "count": np.add, "out_of_range": np.add, "bins": np.add, "category_counts": np.add,
}  # fmt: skip


@dataclass(slots=True)
class Profile:
    """Statistics of the rows folded in so far.

    ``fence`` is the last source offset that was considered for this profile when it was last written;
    at recovery, rows at or below it are counted already. Arrays have one entry per number column, in
    the layout's order; ``bins`` and ``category_counts`` are flat, by the layout's offsets.
    """

    layout: Layout
    fence: int = -1
    events: int = 0
    errors: int = 0
    invalid: int = 0
    late: int = 0
    all_zero: int = 0
    vectors: int = 0
    ids: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(1 << ID_REGISTER_BITS, np.uint8))
    unexpected: dict[str, int] = field(default_factory=dict)
    pairs: PairSums | None = None
    matched: dict[MatchKey, Matched] = field(default_factory=dict)
    attributions: AttributionSums | None = None
    count: NDArray[np.int64] = field(init=False)
    out_of_range: NDArray[np.int64] = field(init=False)
    mean: NDArray[np.float64] = field(init=False)
    squares: NDArray[np.float64] = field(init=False)
    minimum: NDArray[np.float64] = field(init=False)
    maximum: NDArray[np.float64] = field(init=False)
    bins: NDArray[np.int64] = field(init=False)
    sketch_keys: NDArray[np.int64] = field(init=False)
    sketch_counts: NDArray[np.int64] = field(init=False)
    registers: NDArray[np.uint8] = field(init=False)
    category_counts: NDArray[np.int64] = field(init=False)
    unlisted: list[dict[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.layout.numbers)
        self.count = np.zeros(n, np.int64)
        self.out_of_range = np.zeros(n, np.int64)
        self.mean = np.zeros(n)
        self.squares = np.zeros(n)
        self.minimum = np.full(n, np.inf)
        self.maximum = np.full(n, -np.inf)
        self.bins = np.zeros(int(self.layout.number_offsets[-1]), np.int64)
        self.sketch_keys = np.zeros(0, np.int64)
        self.sketch_counts = np.zeros(0, np.int64)
        self.registers = np.zeros((n, sketch.REGISTERS), np.uint8)
        self.category_counts = np.zeros(int(self.layout.category_offsets[-1]), np.int64)
        self.unlisted = [{} for _ in self.layout.categories]

    def fold(self, batch: Batch) -> None:
        """Add the rows of a batch; they must be of this profile's layout, pane, version and segment."""
        self.events += len(batch)
        self.errors += int(np.count_nonzero(batch.errors))
        if len(batch):
            sketch.observe_hashes(self.ids, batch.id_hashes, ID_REGISTER_BITS)
            self._fold_numbers(batch.numbers)
            self._fold_categories(batch)
            self._fold_zeros(batch.numbers)
            if batch.held:
                self._add_matches({key: held.counted() for key, held in batch.held.items()})
            if batch.paired:
                self._add_pairs(PairSums.of(self.layout, batch.paired, batch.numbers))
            if batch.attributions is not None:
                self._add_attributions(AttributionSums.of(self.layout, batch.attributions))

    def _fold_zeros(self, numbers: NDArray[np.float64]) -> None:
        if self.layout.number_features >= LEAST_NUMBERS:
            self.vectors += len(numbers)
            self.all_zero += all_zero(numbers[:, : self.layout.number_features])

    def _fold_numbers(self, numbers: NDArray[np.float64]) -> None:
        missing = np.isnan(numbers)
        present = ~missing
        count = present.sum(axis=0)
        held = count > 0
        lowest = np.fmin.reduce(numbers[:, held], axis=0)
        highest = np.fmax.reduce(numbers[:, held], axis=0)
        # Zero is added so that -0.0 is 0.0, whichever came first.
        self.minimum[held] = np.minimum(self.minimum[held], lowest + 0.0)
        self.maximum[held] = np.maximum(self.maximum[held], highest + 0.0)
        has_gaps = bool(missing.any())
        filled = np.where(missing, 0.0, numbers) if has_gaps else numbers
        if max(highest.max(initial=0.0), -lowest.min(initial=0.0)) > LARGEST_MOMENT:
            filled = np.clip(filled, -LARGEST_MOMENT, LARGEST_MOMENT)
        safe = np.maximum(count, 1)
        mean = filled.sum(axis=0) / safe
        deviation = filled - mean
        if has_gaps:
            deviation[missing] = 0.0
        squares = np.einsum("ij,ij->j", deviation, deviation)
        self._merge_moments(count, mean, squares)
        counted = counting.count(self.layout, numbers, present, self.registers)
        self.out_of_range += counted.out_of_range
        self.bins += counted.bins
        self.sketch_keys, self.sketch_counts = sketch.merge_sparse(
            np.concatenate((self.sketch_keys, counted.keys)),
            np.concatenate((self.sketch_counts, counted.counts)),
        )

    def _merge_moments(
        self, count: NDArray[np.int64], mean: NDArray[np.float64], squares: NDArray[np.float64]
    ) -> None:
        # Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm, 1979.
        total = self.count + count
        safe = np.maximum(total, 1)
        delta = mean - self.mean
        self.mean = np.where(self.count == 0, mean, self.mean + delta * (count / safe))
        self.squares = self.squares + squares + delta * delta * (self.count * (count / safe))
        self.count = total

    def _fold_categories(self, batch: Batch) -> None:
        offsets = self.layout.category_offsets
        for position, (texts, known) in enumerate(zip(batch.texts, self.layout.codes, strict=True)):
            start, end = offsets[position : position + 2]
            other = len(known) - 1
            codes = np.fromiter(map(known.get, texts, repeat(other)), np.int64, count=len(batch))
            strangers = np.flatnonzero(codes == other).tolist()
            if strangers:
                unlisted = self.unlisted[position]
                for row in strangers:
                    name = str(texts[row])[:NAME_KEPT]
                    # A name that was cut when the reference was made is listed as it was cut.
                    codes[row] = known.get(name, other)
                    if codes[row] == other:
                        unlisted[name] = unlisted.get(name, 0) + 1
                self.unlisted[position] = capped(unlisted, UNLISTED_KEPT)
            counts = np.bincount(codes + 1, minlength=other + 2)[1:]
            self.category_counts[start:end] += counts

    def _add_pairs(self, other: PairSums | None) -> None:
        self.pairs = total_of_pairs((self.pairs, other))

    def _add_matches(self, other: Mapping[MatchKey, Matched]) -> None:
        self.matched = total_of_matches((self.matched, other))

    def _add_attributions(self, other: AttributionSums | None) -> None:
        self.attributions = total_of_attributions((self.attributions, other))

    def note_unexpected(self, names: Iterable[str]) -> None:
        """Count features the monitor does not list."""
        for name in {name[:NAME_KEPT] for name in names}:
            self.unexpected[name] = self.unexpected.get(name, 0) + 1
        self.unexpected = capped(self.unexpected, UNEXPECTED_KEPT)

    def merge(self, other: "Profile") -> None:
        """Add another profile of the same layout.

        Raises
        ------
        ValueError
            If the layouts differ.
        """
        if other.layout.hash != self.layout.hash:
            raise ValueError(
                f"profiles of {self.layout.model!r} with layouts {self.layout.hash} and {other.layout.hash} don't merge"
            )
        self._add(other)
        self._set_sketch([self, other])

    def _add(self, other: "Profile") -> None:
        """Add everything but the sketch."""
        self.fence = max(self.fence, other.fence)
        self.events += other.events
        self.errors += other.errors
        self.invalid += other.invalid
        self.late += other.late
        self.all_zero += other.all_zero
        self.vectors += other.vectors
        self.ids = np.maximum(self.ids, other.ids)
        self.unexpected = capped(summed(self.unexpected, other.unexpected), UNEXPECTED_KEPT)
        self._merge_moments(other.count, other.mean, other.squares)
        self.out_of_range = self.out_of_range + other.out_of_range
        self.minimum = np.minimum(self.minimum, other.minimum)
        self.maximum = np.maximum(self.maximum, other.maximum)
        self.bins = self.bins + other.bins
        self.registers = np.maximum(self.registers, other.registers)
        self.category_counts = self.category_counts + other.category_counts
        self._add_pairs(other.pairs)
        self._add_matches(other.matched)
        self._add_attributions(other.attributions)
        self.unlisted = [
            capped(summed(mine, theirs), UNLISTED_KEPT)
            for mine, theirs in zip(self.unlisted, other.unlisted, strict=True)
        ]

    def _set_sketch(self, parts: Sequence["Profile"]) -> None:
        slots = len(self.layout.numbers) * SLOTS
        if sum(part.sketch_keys.size for part in parts) > slots // 4:
            self._set_sketch_dense(parts, slots)
            return
        self.sketch_keys, self.sketch_counts = sketch.merge_sparse(
            np.concatenate([part.sketch_keys for part in parts]),
            np.concatenate([part.sketch_counts for part in parts]),
        )

    def _set_sketch_dense(self, parts: Sequence["Profile"], slots: int) -> None:
        # One slot a possible bucket: with this many keys, adding in place is cheaper than sorting.
        total = np.zeros(slots, np.int64)
        for part in parts:
            total[part.sketch_keys] += part.sketch_counts
        self.sketch_keys = np.flatnonzero(total)
        self.sketch_counts = total[self.sketch_keys]

    @property
    def duplicates(self) -> int:
        """Events whose id was seen before, estimated; 0 where within three standard errors of none."""
        estimate = self.events - sketch.distinct(self.ids)
        return estimate if estimate > 3 * 1.04 / 2 ** (ID_REGISTER_BITS / 2) * self.events else 0

    def sketch_slice(self, position: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return a number column's slots (ascending, not negative) and counts."""
        low, high = np.searchsorted(self.sketch_keys, [position * SLOTS, (position + 1) * SLOTS])
        return self.sketch_keys[low:high] - position * SLOTS, self.sketch_counts[low:high]

    def column_sketch(self, position: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return a number column's bucket values, ascending, and counts."""
        slots, counts = self.sketch_slice(position)
        return sketch.bucket_values(slots - ZERO_SLOT), counts

    def column_sketches(self) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        """Return `column_sketch` of every number column."""
        starts = np.arange(len(self.layout.numbers) + 1) * SLOTS
        values = sketch.bucket_values(self.sketch_keys % SLOTS - ZERO_SLOT)
        bounds = pairwise(np.searchsorted(self.sketch_keys, starts).tolist())
        return [(values[low:high], self.sketch_counts[low:high]) for low, high in bounds]


def merged(
    layout: Layout,
    profiles: Sequence[Profile],
    sketches: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
) -> Profile:
    """Return the sum of profiles of one layout; an empty profile for none.

    ``sketches`` are the keys and counts of all sketches together, where they are known.
    """
    total = Profile(layout)
    if not profiles:
        return total
    for name in _COUNTERS:
        setattr(total, name, sum(getattr(one, name) for one in profiles))
    total.fence = max(one.fence for one in profiles)
    for name, whole in _WHOLE.items():
        setattr(total, name, whole.reduce([getattr(one, name) for one in profiles]))
    total.mean, total.squares = _pooled_moments(profiles)
    total.unexpected = capped(summed(*(one.unexpected for one in profiles)), UNEXPECTED_KEPT)
    total.unlisted = [
        capped(summed(*parts), UNLISTED_KEPT)
        for parts in zip(*(one.unlisted for one in profiles), strict=True)
    ]
    total.pairs = total_of_pairs([one.pairs for one in profiles])
    total.matched = total_of_matches([one.matched for one in profiles])
    total.attributions = total_of_attributions([one.attributions for one in profiles])
    if sketches is None:
        total._set_sketch(profiles)
    else:
        total.sketch_keys, total.sketch_counts = sketches
    return total


def _pooled_moments(
    profiles: Sequence[Profile],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and sum of squares over all profiles, by column."""
    counts = np.array([one.count for one in profiles])
    means = np.array([one.mean for one in profiles])
    total = np.maximum(counts.sum(axis=0), 1)
    # Measured from a mean there is, so that a column that never varies stays exactly so.
    origin = means[np.argmax(counts > 0, axis=0), np.arange(counts.shape[1])]
    mean = origin + (counts * (means - origin)).sum(axis=0) / total
    squares = np.array([one.squares for one in profiles]).sum(axis=0)
    return mean, squares + (counts * (means - mean) ** 2).sum(axis=0)
