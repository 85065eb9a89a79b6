"""Profiles on the wire: sparse, fenced, and split so that no record is large.

A profile travels as one record per group of `COLUMNS_PER_PART` columns. Every part carries the fence,
the row counters and the number of parts; a profile can be read when all parts of one fence are in.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.expected import PatternName
from streams.attribution_sums import packed, unpacked
from streams.counting import SLOTS
from streams.layout import Layout
from streams.matching import Matched, MatchKey
from streams.packing import Packed, fill, narrow, pack, sparse, unpack, wide
from streams.pair_sums import PairSums
from streams.profile import Profile

#: So many that a part stays under `MAX_PART_BYTES` even when each column fills every bucket of its sketch.
COLUMNS_PER_PART = 12
MAX_PART_BYTES = 512 * 1024


class ProfileKey(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Whose statistics: source partition, model, version, segment ("" is all) and pane start, epoch ms."""

    partition: int
    model: str
    version: str
    segment: str
    pane_start_ms: int


class PartKey(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """Key of one part of a profile."""

    profile: ProfileKey
    part: int


class HeartbeatKey(msgspec.Struct, frozen=True, array_like=True, tag="h"):
    """Key of a source partition's progress on one model."""

    partition: int
    model: str


class Heartbeat(msgspec.Struct, frozen=True, array_like=True):
    """How far a source partition is on one model; sent after the profiles it speaks of.

    ``watermark_ms``: no event of an earlier pane will be counted any more. ``idle``: nothing came for a
    while, so the partition holds nobody up. ``last_event_ms`` is the newest event time, ``last_record_ms``
    the broker's time of the newest record, ``at_ms`` when this was said (wall clock).

    One about no model in particular says how the partition as a whole stands: ``counted_until_ms``, before
    which everything that came is counted (wall clock; `NEVER_MS` when that is not known, None from a worker
    that does not say), and how many records are ``waiting``.
    """

    watermark_ms: int
    idle: bool
    last_event_ms: int
    last_record_ms: int
    at_ms: int
    monitored: bool = True
    counted_until_ms: int | None = None
    waiting: int = 0


class OutcomeKey(msgspec.Struct, frozen=True, array_like=True, tag="o", order=True):
    """Whose outcomes: joins partition, model, version, segment ("" is all) and pane start, epoch ms."""

    partition: int
    model: str
    version: str
    segment: str
    start_ms: int


class OutcomeRow(msgspec.Struct, frozen=True, array_like=True):
    """Outcomes of one pane, as far as one joins partition knows them; see `streams.joins.outcomes`.

    ``fence`` is the next offset of the joins partition; counts too large for 64 bits are bytes.
    """

    fence: int
    end_ms: int
    rate: float
    final: bool
    tally: list[tuple[tuple[str, ...], int | bytes]]


#: Category column by its place in the part, expectation, pattern; values looked at, met, and examples.
MatchRow = tuple[int, PatternName, str, int, int, dict[str, int]]


class Part(msgspec.Struct, array_like=True):
    """One column group of a profile, with the row counters of the whole.

    Statistics stand as arrays over the group's columns, so that a part costs the same few numpy calls
    however many columns it has.
    """

    layout: str
    fence: int
    parts: int
    rows: tuple[int, int, int, int]
    ids: Packed | None
    unexpected: dict[str, int]
    counts: tuple[bytes, bytes]
    moments: bytes
    bins: Packed
    sketches: Packed
    registers: Packed
    categories: Packed
    unlisted: list[dict[str, int]]
    pairs: tuple[tuple[int, ...], bytes, bytes] | None = None
    matched: list[MatchRow] = []
    attributions: tuple[int, bytes] | None = None
    zeros: tuple[int, int] = (0, 0)


class _Fenced(msgspec.Struct, array_like=True):
    layout: str
    fence: int


_fenced = msgspec.msgpack.Decoder(_Fenced)
_encoder = msgspec.msgpack.Encoder()
_part = msgspec.msgpack.Decoder(Part)
_key: msgspec.msgpack.Decoder[PartKey | HeartbeatKey | OutcomeKey] = msgspec.msgpack.Decoder(
    PartKey | HeartbeatKey | OutcomeKey
)
_profile_key = msgspec.msgpack.Decoder(ProfileKey)
_parts = msgspec.msgpack.Decoder(list[bytes])
_outcomes = msgspec.msgpack.Decoder(OutcomeRow)
_heartbeat = msgspec.msgpack.Decoder(Heartbeat)


def encode(value: Any) -> bytes:
    """Return a key, heartbeat or part as bytes."""
    return _encoder.encode(value)


def decode_key(raw: bytes) -> PartKey | HeartbeatKey | OutcomeKey:
    """Return the key of a record on ``driftline.profiles``."""
    return _key.decode(raw)


def decode_heartbeat(raw: bytes) -> Heartbeat:
    """Return a heartbeat."""
    return _heartbeat.decode(raw)


def decode_outcomes(raw: bytes) -> OutcomeRow:
    """Return outcomes of one pane."""
    return _outcomes.decode(raw)


def decode_part(raw: bytes) -> Part:
    """Return one part of a profile."""
    return _part.decode(raw)


def fence_of(raw: bytes) -> int:
    """Return the fence of an encoded part."""
    return _fenced.decode(raw).fence


def part_count(layout: Layout) -> int:
    """Return how many parts a profile of this layout has; at least one."""
    return max(1, -(-(len(layout.numbers) + len(layout.categories)) // COLUMNS_PER_PART))


def parts_of(profile: Profile) -> list[bytes]:
    """Return the profile as encoded parts."""
    return [encode(part) for part in split(profile)]


def split(profile: Profile) -> list[Part]:
    """Return the profile as parts."""
    layout = profile.layout
    total = part_count(layout)
    rows = (profile.events, profile.errors, profile.invalid, profile.late)
    parts = []
    for index in range(total):
        numbers, categories = _columns(layout, index)
        part = Part(
            layout=layout.hash,
            fence=profile.fence,
            parts=total,
            rows=rows,
            ids=sparse(profile.ids) if index == 0 else None,
            unexpected=profile.unexpected if index == 0 else {},
            counts=(narrow(profile.count[numbers]), narrow(profile.out_of_range[numbers])),
            moments=np.concatenate([one[numbers] for one in _moments(profile)]).astype("<f8").tobytes(),
            bins=sparse(profile.bins[_flat(layout.number_offsets, numbers)]),
            sketches=_sketches(profile, numbers),
            registers=sparse(profile.registers[numbers].reshape(-1)),
            categories=sparse(profile.category_counts[_flat(layout.category_offsets, categories)]),
            unlisted=profile.unlisted[categories],
            pairs=_pairs(profile.pairs) if index == 0 else None,
            matched=_matches(profile.matched, categories),
            attributions=packed(profile.attributions, index * COLUMNS_PER_PART, COLUMNS_PER_PART),
            zeros=(profile.all_zero, profile.vectors),
        )
        parts.append(part)
    return parts


def profile_of(layout: Layout, parts: Sequence[Part]) -> Profile:
    """Return the profile its parts make up; its fence and row counters are those of the newest part.

    Raises
    ------
    ValueError
        If parts are missing, or of another layout.
    """
    newest = max(parts, key=lambda part: part.fence)
    if any(part.layout != layout.hash for part in parts) or len(parts) != newest.parts:
        raise ValueError(f"{len(parts)} of {newest.parts} parts of layout {layout.hash} are needed")
    head = parts[0]
    profile = Profile(layout, fence=newest.fence)
    profile.events, profile.errors, profile.invalid, profile.late = newest.rows
    profile.all_zero, profile.vectors = newest.zeros
    profile.unexpected = dict(head.unexpected)
    if head.ids is not None:
        fill(profile.ids, head.ids)
    profile.pairs = _pair_sums(head.pairs)
    profile.attributions = unpacked([part.attributions for part in parts], newest.attributions)
    keys, counts = [profile.sketch_keys], [profile.sketch_counts]
    for index, part in enumerate(parts):
        numbers, categories = _columns(layout, index)
        profile.count[numbers], profile.out_of_range[numbers] = map(wide, part.counts)
        moments = np.frombuffer(part.moments, "<f8").reshape(len(_moments(profile)), -1)
        for statistic, values in zip(_moments(profile), moments, strict=True):
            statistic[numbers] = values
        fill(profile.bins[_flat(layout.number_offsets, numbers)], part.bins)
        slots, held = unpack(part.sketches)
        keys.append(slots + numbers.start * SLOTS)
        counts.append(held)
        fill(profile.registers[numbers].reshape(-1), part.registers)
        fill(profile.category_counts[_flat(layout.category_offsets, categories)], part.categories)
        profile.matched |= {
            MatchKey(categories.start + place, name, regex): Matched(looked, met, examples)
            for place, name, regex, looked, met, examples in part.matched
        }
        profile.unlisted[categories] = [dict(names) for names in part.unlisted]
    profile.sketch_keys, profile.sketch_counts = np.concatenate(keys), np.concatenate(counts)
    return profile


def _columns(layout: Layout, index: int) -> tuple[slice, slice]:
    """Return the number and the category columns in a part."""
    n, total = len(layout.numbers), len(layout.numbers) + len(layout.categories)
    low, high = index * COLUMNS_PER_PART, min((index + 1) * COLUMNS_PER_PART, total)
    return slice(min(low, n), min(high, n)), slice(max(low - n, 0), max(high - n, 0))


def _moments(profile: Profile) -> tuple[NDArray[np.float64], ...]:
    return profile.mean, profile.squares, profile.minimum, profile.maximum


def _flat(offsets: NDArray[np.int64], columns: slice) -> slice:
    """Return where the bins of some columns lie among those of all."""
    return slice(int(offsets[columns.start]), int(offsets[columns.stop]))


def _sketches(profile: Profile, numbers: slice) -> Packed:
    first = numbers.start * SLOTS
    low, high = np.searchsorted(profile.sketch_keys, [first, numbers.stop * SLOTS])
    return pack(profile.sketch_keys[low:high] - first, profile.sketch_counts[low:high])


def _matches(matched: Mapping[MatchKey, Matched], columns: slice) -> list[MatchRow]:
    return [
        (key.position - columns.start, key.name, key.regex, counts.looked, counts.met, dict(counts.examples))
        for key, counts in sorted(matched.items())
        if columns.start <= key.position < columns.stop
    ]


def _pairs(sums: PairSums | None) -> tuple[tuple[int, ...], bytes, bytes] | None:
    """Store what is symmetric once; sums that may be negative as 2 x, or -2 x - 1."""
    if sums is None:
        return None
    counts = sums.counts[np.triu_indices(len(sums.counts))]
    gram = sums.gram[np.triu_indices(len(sums.gram))]
    return sums.positions, narrow(counts), narrow(np.where(gram < 0, -2 * gram - 1, 2 * gram))


def _pair_sums(stored: tuple[tuple[int, ...], bytes, bytes] | None) -> PairSums | None:
    if stored is None:
        return None
    positions, counts, folded = stored[0], wide(stored[1]), wide(stored[2])
    gram = np.where(folded % 2, -(folded + 1) // 2, folded // 2)
    d = len(positions)
    return PairSums(positions, _symmetric(counts, d), _symmetric(gram, 1 + 2 * d))


def _symmetric(upper: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    whole = np.zeros((side, side), np.int64)
    whole[np.triu_indices(side)] = upper
    return whole + np.triu(whole, 1).T


def latest(parts: Mapping[int, Part]) -> list[Part] | None:
    """Return the parts in order if all of one layout are there.

    Once the watermark has passed a pane, parts of different fences say the same: a worker that took over
    may end below the fence of a part its forerunner sent, but then no row of the pane lies between.
    """
    if not parts:
        return None
    head = next(iter(parts.values()))
    if len(parts) != head.parts or any(part.layout != head.layout for part in parts.values()):
        return None
    return [parts[index] for index in range(head.parts)]


def join_parts(parts: Sequence[bytes]) -> bytes:
    """Return encoded parts as one row: so that a worker's state has a profile whole, or not at all."""
    return _encoder.encode(parts)


def split_parts(row: bytes) -> list[Part]:
    """Return the parts of one row."""
    return [decode_part(part) for part in _parts.decode(row)]


def row_fence(row: bytes) -> int:
    """Return the fence of a profile joined to a row."""
    return fence_of(_parts.decode(row)[0])


def decode_profile_key(raw: bytes) -> ProfileKey:
    """Return the key of a row of state."""
    return _profile_key.decode(raw)
