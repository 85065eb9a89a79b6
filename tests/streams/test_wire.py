"""Profiles on the wire: exact, bounded, and read only when all their parts are in."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_events import bits, folded, monitor

from streams import sketch
from streams.expect import PATTERNS
from streams.layout import Layout, compile_layout
from streams.matching import EXAMPLES_KEPT, Matched, MatchKey
from streams.name_counts import NAME_KEPT
from streams.patterns import MAX_PATTERN_LENGTH
from streams.profile import Profile
from streams.wire import (
    MAX_PART_BYTES,
    Heartbeat,
    HeartbeatKey,
    PartKey,
    ProfileKey,
    decode_heartbeat,
    decode_key,
    decode_part,
    encode,
    fence_of,
    join_parts,
    latest,
    part_count,
    parts_of,
    profile_of,
    split_parts,
)

SMALL = compile_layout(monitor(), edges={"age": (30.0, 60.0)}, values={"city": ("Bonn",)})
WIDE = compile_layout(
    monitor(
        features={f"n{i}": {"type": "number"} for i in range(40)}
        | {f"c{i}": {"type": "category", "values": ["a"]} for i in range(15)}
    )
)

rows = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(),
            "age": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
            "n0": st.one_of(st.none(), st.floats(-1e6, 1e6)),
            "n39": st.one_of(st.none(), st.integers(-5, 5)),
            "plan": st.sampled_from([None, "free", "team"]),
            "city": st.one_of(st.none(), st.text(max_size=4)),
            "c14": st.sampled_from([None, "a", "b"]),
            "error": st.booleans(),
        }
    ),
    max_size=30,
)


def _sent(profile: Profile) -> Profile:
    return profile_of(profile.layout, [decode_part(raw) for raw in parts_of(profile)])


@settings(max_examples=60)
@given(table=rows, wide=st.booleans(), counters=st.tuples(*[st.integers(0, 2**40)] * 3))
def test_a_profile_comes_back_to_the_bit(
    table: list[dict[str, Any]], wide: bool, counters: tuple[int, int, int]
) -> None:
    profile = folded(WIDE if wide else SMALL, table)
    profile.fence, profile.invalid, profile.late = counters
    profile.note_unexpected(["extra", 'with "quotes"', "ünïcode"])
    back = _sent(profile)
    assert bits(back, moments=True) == bits(profile, moments=True)
    assert back.fence == profile.fence


@settings(max_examples=30)
@given(one=rows, two=rows)
def test_what_was_sent_merges_and_folds_on_like_what_was_not(
    one: list[dict[str, Any]], two: list[dict[str, Any]]
) -> None:
    kept, sent = folded(SMALL, one), _sent(folded(SMALL, one))
    for profile in (kept, sent):
        profile.merge(folded(SMALL, two))
    assert bits(kept, moments=True) == bits(sent, moments=True)


def _worst(layout: Layout) -> Profile:
    """Return a profile with every bucket, bin, register and name in use, at their largest."""
    profile = Profile(layout)
    profile.ids[:] = 53
    profile.registers[:] = 57
    most = 2**32 - 1
    profile.sketch_keys = np.arange(len(layout.numbers) * sketch.MAX_BUCKETS)
    profile.sketch_counts = np.full(profile.sketch_keys.size, most)
    profile.count[:] = profile.out_of_range[:] = most
    profile.bins[:] = profile.category_counts[:] = most
    profile.mean[:] = profile.squares[:] = profile.maximum[:] = 1.7e308
    profile.minimum[:] = -1.7e308
    names = [f"{i:03d}" + "\N{PILE OF POO}" * 300 for i in range(64)]
    profile.note_unexpected(names)
    for unlisted in profile.unlisted:
        unlisted |= dict.fromkeys(profile.unexpected, most)
    examples = dict.fromkeys(names[:EXAMPLES_KEPT], most)
    for position, name in itertools.product(range(len(layout.categories)), PATTERNS):
        key = MatchKey(position, name, "\N{PILE OF POO}" * MAX_PATTERN_LENGTH)
        profile.matched[key] = Matched(most, most, {one[:NAME_KEPT]: most for one in examples})
    return profile


@pytest.mark.parametrize("kind", ["number", "category", "boolean"])
def test_parts_of_500_columns_stay_under_their_limit_at_worst(kind: str) -> None:
    values = {"values": [f"{i:04d}" for i in range(1000)]} if kind == "category" else {}
    layout = compile_layout(monitor(features={f"c{i}": {"type": kind} | values for i in range(500)}))
    parts = parts_of(_worst(layout))
    assert len(parts) == part_count(layout) > 1
    assert max(map(len, parts)) < MAX_PART_BYTES


def test_a_worst_profile_comes_back_to_the_bit() -> None:
    profile = _worst(WIDE)
    assert bits(_sent(profile), moments=True) == bits(profile, moments=True)


def test_names_folded_into_a_profile_are_cut_so_that_parts_stay_small() -> None:
    profile = folded(
        WIDE, [{f"c{c}": "\N{PILE OF POO}" * 1000 + str(i) for c in range(15)} for i in range(100)]
    )
    profile.note_unexpected("x" * 100_000 + str(i) for i in range(100))
    assert max(map(len, parts_of(profile))) < 100_000


def test_only_all_parts_of_one_layout_make_a_profile() -> None:
    profile = folded(WIDE, [{"n0": 1.0}, {"n39": 2.0}])
    parts = [decode_part(raw) for raw in parts_of(profile)]
    assert latest({}) is None
    for missing in range(len(parts)):
        assert latest({index: part for index, part in enumerate(parts) if index != missing}) is None
    assert latest(dict(enumerate(parts))) == parts
    with pytest.raises(ValueError, match="parts of layout"):
        profile_of(WIDE, parts[:-1])
    with pytest.raises(ValueError, match="layout"):
        profile_of(SMALL, parts)


def test_parts_of_two_workers_that_counted_the_same_rows_make_one_profile() -> None:
    profile = folded(WIDE, [{"n0": 1.0}, {"n39": 2.0}])
    profile.fence = 20
    ahead = [decode_part(raw) for raw in parts_of(profile)]
    profile.fence = 15
    behind = [decode_part(raw) for raw in parts_of(profile)]
    mixed = latest({0: ahead[0]} | dict(enumerate(behind[1:], 1)))
    assert mixed is not None
    found = profile_of(WIDE, mixed)
    assert found.fence == 20
    assert bits(found, moments=True) == bits(profile, moments=True)


def test_a_row_of_state_holds_a_profile_whole() -> None:
    profile = folded(WIDE, [{"n0": 1.0}, {"n39": 2.0}])
    row = join_parts(parts_of(profile))
    assert bits(profile_of(WIDE, split_parts(row)), moments=True) == bits(profile, moments=True)


def test_keys_and_heartbeats_come_back_as_they_were() -> None:
    part = PartKey(ProfileKey(3, "模型", "1.0", "country=de", -386_310_690_000), 7)
    beat = Heartbeat(-5, True, -(1 << 62), 12, 99, False)
    assert decode_key(encode(part)) == part
    assert decode_key(encode(HeartbeatKey(1, "churn"))) == HeartbeatKey(1, "churn")
    assert decode_heartbeat(encode(beat)) == beat
    profile = Profile(SMALL, fence=41)
    assert fence_of(parts_of(profile)[0]) == 41
