"""Times and ids of a table's columns, in any writing."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import START_MS

from driftline.history import columns
from streams.batch import hash_ids

INSTANT = datetime(2026, 11, 23, 9, 0, 0, 123_000, tzinfo=UTC)
INSTANT_MS = 1_795_424_400_123


@pytest.mark.parametrize(
    "values",
    [
        pa.array([INSTANT], pa.timestamp("us", "UTC")),
        pa.array([INSTANT], pa.timestamp("ms", "Europe/Berlin")),
        pa.array([INSTANT.replace(tzinfo=None)], pa.timestamp("ns")),
        pa.array([INSTANT_MS]),
        pa.array(["2026-11-23T09:00:00.123Z"]),
        pa.array(["2026-11-23T10:00:00.123456789+01:00"]),
        pa.array(["2026-11-23 09:00:00.123"]),
        pa.array([str(INSTANT_MS)]),
        pa.array(["2026-11-23T09:00:00.123Z"]).dictionary_encode(),
    ],
    ids=str,
)
def test_the_same_instant_in_any_writing_is_the_same_millisecond(values: Any) -> None:
    found, bad = columns.times_ms(values, "ts")
    assert (found.tolist(), bad) == ([INSTANT_MS], None)


def test_zones_may_be_mixed_and_no_zone_is_utc() -> None:
    texts = ["2026-11-23T09:00:00Z", "2026-11-23T10:00:00+01:00", "2026-11-23 09:00:00", "2026-11-23"]
    found, bad = columns.times_ms(pa.array(texts), "ts")
    assert bad is None
    assert (found - START_MS).tolist() == [0, 0, 0, -9 * 3_600_000]


def test_times_before_1970_are_rounded_down() -> None:
    found, _ = columns.times_ms(pa.array([-1, -1_000_001], pa.timestamp("ns")), "ts")
    assert found.tolist() == [-1, -2]
    texts, _ = columns.times_ms(pa.array(["1959-01-01T00:00:00Z"]), "ts")
    assert texts.tolist() == [-347_155_200_000]


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)))
def test_ids_hash_as_those_of_events(ids: list[str]) -> None:
    assert columns.id_hashes(pa.array(ids, pa.string())).tolist() == hash_ids(ids).tolist()
