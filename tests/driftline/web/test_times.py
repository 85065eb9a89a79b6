import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.web.times import ago, epoch_ms, utc
from streams.views import rfc3339

TIMES = st.integers(min_value=-(10**12), max_value=4 * 10**12)


@given(TIMES)
def test_a_time_written_is_the_time_read(at_ms):
    assert epoch_ms(rfc3339(at_ms)) == epoch_ms(str(at_ms)) == at_ms


def test_an_unquoted_plus_in_a_query_is_understood():
    assert epoch_ms("2026-11-23T10:00:00 01:00") == epoch_ms("2026-11-23T09:00:00Z")


@pytest.mark.parametrize("text", ["yesterday", "", "2026-11-23", "2026-11-23T09:00:00", "1e3", "9" * 20])
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="2026-11-23T09:00:00Z"):
        epoch_ms(text)


def test_a_time_without_a_date_is_of_today():
    assert ">00:00:05 UTC<" in utc(5000, now_ms=6000)
    assert ">1970-01-01 00:00:05 UTC<" in utc(5000, now_ms=6000 + 86_400_000)


def test_the_future_and_the_missing_are_said():
    assert ">in 2 min<" in ago(120_000, 0)
    assert ">just now<" in ago(0, 400)
    assert "never" in ago(None, 0)
