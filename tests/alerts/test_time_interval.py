"""Time intervals: which moments lie within."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.config import parse
from alerts.time_interval import Span, TimeInterval

DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]


def contains(at: str, **span: Any) -> bool:
    given_ms = round(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() * 1000)
    interval = TimeInterval.model_validate({"name": "x", "time_intervals": [span]})
    return interval.contains(given_ms)


DAYTIME = {"times": [{"start_time": "09:00", "end_time": "17:00"}]}
EVENING = {"times": [{"start_time": "22:00", "end_time": "24:00"}]}


@pytest.mark.parametrize(
    ("at", "span", "within"),
    [
        ("2026-11-23T08:59:59.999", DAYTIME, False),
        ("2026-11-23T09:00", DAYTIME, True),
        ("2026-11-23T16:59:59.999", DAYTIME, True),
        ("2026-11-23T17:00", DAYTIME, False),
        ("2026-11-23T23:59:59.999", EVENING, True),
        ("2026-11-24T00:00", EVENING, False),
        # YAML reads these as numbers unless they are quoted.
        ("2026-11-23T17:30", {"times": [{"start_time": 17 * 60, "end_time": 18 * 60}]}, True),
        ("2026-11-05T00:00", {"days_of_month": [1 * 60 + 5]}, True),
        ("2026-11-06T00:00", {"days_of_month": [1 * 60 + 5]}, False),
        ("2026-11-06T00:00", {"days_of_month": [6]}, True),
        # A Monday.
        ("2026-11-23T00:00", {"weekdays": ["monday"]}, True),
        ("2026-11-23T00:00", {"weekdays": ["Tuesday:Saturday", "sunday"]}, False),
        ("2026-11-22T00:00", {"weekdays": ["sunday:tuesday"]}, True),
        ("2026-11-30T12:00", {"days_of_month": ["-1"]}, True),
        ("2026-11-29T12:00", {"days_of_month": ["-1"]}, False),
        ("2028-02-29T12:00", {"days_of_month": ["-1"]}, True),
        ("2026-11-28T12:00", {"days_of_month": ["-3:-1"]}, True),
        ("2026-11-27T12:00", {"days_of_month": ["-3:-1"]}, False),
        ("2026-11-15T12:00", {"days_of_month": ["10:-10"]}, True),
        # Thirty days hath November: day -31 is before the first, and day 31 does not come.
        ("2026-11-01T12:00", {"days_of_month": ["-31"]}, False),
        ("2026-11-01T12:00", {"days_of_month": ["-31:-25"]}, True),
        ("2026-11-30T12:00", {"days_of_month": ["31"]}, False),
        ("2026-11-23T12:00", {"months": ["september:november"]}, True),
        ("2026-11-23T12:00", {"months": ["11"]}, True),
        ("2026-11-23T12:00", {"months": ["1:october", "december"]}, False),
        ("2026-11-23T12:00", {"years": ["2025:2026"]}, True),
        ("2026-11-23T12:00", {"years": [2027]}, False),
        ("2026-11-23T12:00", {**DAYTIME, "weekdays": ["monday"], "years": ["2026"]}, True),
        ("2026-11-23T12:00", {**DAYTIME, "weekdays": ["sunday"], "years": ["2026"]}, False),
        ("2026-11-23T12:00", {}, True),
        # Where it is daytime depends on the place; on Sunday morning it is still Saturday in Honolulu.
        ("2026-11-23T08:30", {**DAYTIME, "location": "Europe/Berlin"}, True),
        ("2026-07-23T07:30", {**DAYTIME, "location": "Europe/Berlin"}, True),
        ("2026-11-23T16:30", {**DAYTIME, "location": "Europe/Berlin"}, False),
        ("2026-11-22T06:00", {"weekdays": ["saturday"], "location": "Pacific/Honolulu"}, True),
        ("2026-11-23T12:00", {**DAYTIME, "location": ""}, True),
    ],
)  # fmt: skip
def test_a_moment_lies_within_or_not(at: str, span: dict[str, Any], within: bool) -> None:
    assert contains(at, **span) is within


def test_without_spans_an_interval_never_holds() -> None:
    assert not TimeInterval.model_validate({"name": "x"}).contains(0)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("times", 0), {"start_time": "17:00", "end_time": "09:00"}, "one range up to 24:00"),
        (("times", 0), {"start_time": "17:00", "end_time": "17:00"}, "not before"),
        (("times", 0, "start_time"), "9:00", "in quotes"),
        (("times", 0, "end_time"), "24:01", "in quotes"),
        (("times", 0, "end_time"), 17, "in quotes"),
        (("times", 0, "ends"), "17:00", "unknown key"),
        (("weekdays", 0), "friday:monday", "write two ranges"),
        (("weekdays", 0), "fri", "none of monday"),
        (("weekdays", 0), "monday:tuesday:friday", "not a range"),
        (("weekdays", 0), ["monday"], "not a range"),
        (("days_of_month", 0), "0", "no day of a month"),
        (("days_of_month", 0), "32", "no day of a month"),
        (("days_of_month", 0), "-1:5", "write two ranges"),
        (("days_of_month", 0), "5:1", "write two ranges"),
        (("days_of_month", 0), "29:-1", "write two ranges"),
        (("months", 0), "13", "no month"),
        (("months", 0), "dec", "none of january"),
        (("months", 0), "december:january", "write two ranges"),
        (("years", 0), "2027:2026", "write two ranges"),
        (("years", 0), "x", "no year"),
        (("location",), "Mars/Olympus", "no time zone 'Mars/Olympus'"),
        (("location",), "../etc/passwd", "no time zone"),
        (("location",), "Europe", "no time zone"),
        (("location",), 3, "string"),
        (("week_days",), ["monday"], "unknown key"),
    ],
)
def test_an_error_names_its_exact_place_and_the_remedy(
    place: tuple[str | int, ...], value: Any, message: str
) -> None:
    span: Any = value
    for step in reversed(place):
        span = [span] if step == 0 else {step: span}
    if place[:1] == ("times",) and len(place) == 3:
        span["times"][0] = {"start_time": "00:00", "end_time": "24:00"} | span["times"][0]
    interval = {"name": "x", "time_intervals": [span]}
    with pytest.raises(ValidationError) as caught:
        parse({"route": {"receiver": "a"}, "receivers": [{"name": "a"}], "time_intervals": [interval]})
    ((loc, said),) = [(error["loc"], error["msg"]) for error in caught.value.errors()]
    assert loc == ("time_intervals", 0, "time_intervals", 0, *place)
    assert message in said


def test_a_name_is_given_once_in_both_lists() -> None:
    interval = {"name": "night", "time_intervals": []}
    file = {"route": {"receiver": "a"}, "receivers": [{"name": "a"}]}
    with pytest.raises(ValidationError, match="a second time interval named 'night'"):
        parse({**file, "time_intervals": [interval], "mute_time_intervals": [interval]})
    assert list(parse({**file, "mute_time_intervals": [interval]}).intervals()) == ["night"]


moments = st.integers(86_400, 253_000_000_000).map(lambda at_s: datetime.fromtimestamp(at_s, UTC))
zones = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "America/St_Johns", "Asia/Kathmandu"])


@given(at=moments, zone=zones, index=st.integers(0, 6), other=st.integers(0, 6))
def test_a_range_of_weekdays_is_its_days(at: datetime, zone: str, index: int, other: int) -> None:
    first, last = sorted((index, other))
    whole = Span.model_validate({"weekdays": [f"{DAYS[first]}:{DAYS[last]}"], "location": zone})
    each = Span.model_validate({"weekdays": DAYS[first : last + 1], "location": zone})
    rest = DAYS[:first] + DAYS[last + 1 :]
    others = Span.model_validate({"weekdays": rest, "location": zone})
    assert whole.contains(at) is each.contains(at)
    assert others.contains(at) is (not rest or not whole.contains(at))


@given(at=moments, zone=zones, day=st.integers(1, 31))
def test_days_from_the_end_are_those_that_so_many_days_later_are_in_the_next_month(
    at: datetime, zone: str, day: int
) -> None:
    here = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    is_nth_last = (here + timedelta(day)).month != here.month and (
        here + timedelta(day - 1)
    ).month == here.month
    span = Span.model_validate({"days_of_month": [f"-{day}"], "location": zone})
    assert span.contains(at) is is_nth_last


@given(at=moments, zone=zones, cut=st.integers(1, 24 * 60 - 1))
def test_parts_of_a_day_are_apart_and_leave_nothing_out(at: datetime, zone: str, cut: int) -> None:
    middle = f"{cut // 60:02}:{cut % 60:02}"
    morning = Span.model_validate({"times": [{"start_time": "00:00", "end_time": middle}], "location": zone})
    rest = Span.model_validate({"times": [{"start_time": middle, "end_time": "24:00"}], "location": zone})
    assert morning.contains(at) is not rest.contains(at)


@given(at_ms=st.integers(-(2**62), 2**62), zone=zones)
def test_no_moment_is_too_early_or_too_late(at_ms: int, zone: str) -> None:
    span = {"days_of_month": ["-31:-1"], "location": zone}
    assert TimeInterval.model_validate({"name": "x", "time_intervals": [span]}).contains(at_ms)
