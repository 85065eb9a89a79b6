import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import duration
from alerts.errors import DurationError


@given(st.integers(min_value=0, max_value=10**14))
def test_what_is_formatted_is_parsed_back(ms: int) -> None:
    assert duration.parse(duration.format(ms)) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("30s", 30_000),
        ("1h30m", 5_400_000),
        ("1d", 86_400_000),
        ("2w3d", 17 * 86_400_000),
        ("1y", 365 * 86_400_000),
    ],
)
def test_alertmanagers_durations_are_read(text: str, ms: int) -> None:
    assert duration.parse(text) == ms


@pytest.mark.parametrize(
    "text", ["", "5", "-5m", "1.5h", "5 m", "30m1h", "5m5m", "m", "5M", "\u0665m", "5m\n"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(DurationError, match=r"write one such as 30s"):
        duration.parse(text)


def test_a_negative_duration_has_no_text() -> None:
    with pytest.raises(DurationError, match="negative"):
        duration.format(-1)
