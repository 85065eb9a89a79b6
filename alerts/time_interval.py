"""``time_intervals`` of the config file: which minutes of which days, as Alertmanager writes and means them."""

import re
from calendar import monthrange
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field, PlainValidator, model_validator

from alerts.receiver_config import Section
from alerts.zone import ZoneName, zone

Range = tuple[int, int]

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Later moments count as this one: beyond it, another zone's date may have a year of five digits.
_LAST_MS = 253_402_128_000_000
#: Every month has them.
_SHORTEST_MONTH = 28


def _minute(value: Any) -> int:
    # YAML 1.1 reads 17:00 without quotes as a number to the base of 60.
    text = f"{value // 60:02}:{value % 60:02}" if type(value) is int and value >= 60 else value
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError('not a time; write hours and minutes in quotes, "00:00" to "24:00"')
    hours, minutes = (int(part) for part in found.groups() if part is not None)
    return 60 * hours + minutes


def _range(member: Callable[[str], int]) -> PlainValidator:
    """Return what reads one member, or the first and the last with a colon between them."""

    def read(value: Any) -> Range:
        text = str(value) if type(value) is int else value
        if type(value) is int and value >= 60 and member is not _year:
            # YAML 1.1 reads 1:5 without quotes as a number to the base of 60.
            text = f"{value // 60}:{value % 60}"
        parts = text.lower().split(":") if isinstance(text, str) else []
        if not 1 <= len(parts) <= 2:
            raise ValueError("not a range; write one, or the first and the last with a colon between them")
        first, last = member(parts[0]), member(parts[-1])
        _in_order(first, last)
        return first, last

    return PlainValidator(read)


def _in_order(first: int, last: int) -> None:
    if first < 0 < last:
        raise ValueError(
            f"day {first} counts from the month's end, {last} from its beginning; write two ranges"
        )
    from_start, to_end = (_SHORTEST_MONTH + 1 + day if day < 0 else day for day in (first, last))
    if from_start > to_end:
        raise ValueError("the first comes after the last; write two ranges")


def _named(text: str, names: tuple[str, ...], first: int) -> int:
    if text not in names:
        raise ValueError(f"{text[:40]!r} is none of {', '.join(names)}")
    return names.index(text) + first


def _weekday(text: str) -> int:
    # The week begins on Sunday, as in Alertmanager: saturday:sunday is not a range.
    return (_named(text, _WEEKDAYS, 1)) % 7


def _month(text: str) -> int:
    number = _whole(text)
    if number is None:
        return _named(text, _MONTHS, 1)
    if not 1 <= number <= 12:
        raise ValueError(f"{number} is no month; write 1 to 12, or a name")
    return number


def _day(text: str) -> int:
    number = _whole(text)
    if number is None or not 1 <= abs(number) <= 31:
        raise ValueError(f"{text[:40]!r} is no day of a month; write 1 to 31, or -1 (the last) to -31")
    return number


def _year(text: str) -> int:
    number = _whole(text)
    if number is None or not 1 <= number <= 9999:
        raise ValueError(f"{text[:40]!r} is no year")
    return number


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None


class Times(Section):
    """A part of the day, from its start up to, but not at, its end."""

    start_time: Annotated[int, PlainValidator(_minute)] = Field(description="such as 09:00")
    end_time: Annotated[int, PlainValidator(_minute)] = Field(
        description="such as 17:00; 24:00 is the day's end"
    )

    @model_validator(mode="after")
    def _forwards(self) -> "Times":
        if self.start_time >= self.end_time:
            raise ValueError(
                "start_time is not before end_time; write one range up to 24:00, and one from 00:00"
            )
        return self


class Span(Section):
    """All that is given must hold; of each list, one item. Nothing given holds always."""

    times: tuple[Times, ...] = Field(default=(), description="parts of the day")
    weekdays: tuple[Annotated[Range, _range(_weekday)], ...] = Field(
        default=(), description="such as monday:friday; the week begins on Sunday"
    )
    days_of_month: tuple[Annotated[Range, _range(_day)], ...] = Field(
        default=(), description="such as 1:5; -1 is the month's last day"
    )
    months: tuple[Annotated[Range, _range(_month)], ...] = Field(
        default=(), description="such as 1:3 or may:august"
    )
    years: tuple[Annotated[Range, _range(_year)], ...] = Field(default=(), description="such as 2026:2028")
    location: ZoneName = Field(default="UTC", description="time zone of all of it, such as Europe/Berlin")

    def contains(self, at: datetime) -> bool:
        """Return whether a moment lies within."""
        here = at.astimezone(zone(self.location))
        minute = 60 * here.hour + here.minute
        return (
            (not self.times or any(one.start_time <= minute < one.end_time for one in self.times))
            and _within(self.weekdays, here.isoweekday() % 7)
            and (not self.days_of_month or _on_a_day(self.days_of_month, here))
            and _within(self.months, here.month)
            and _within(self.years, here.year)
        )


class TimeInterval(Section):
    """A name for moments, which routes mute at, or are active at."""

    name: str = Field(min_length=1, description="what routes call it")
    time_intervals: tuple[Span, ...] = Field(default=(), description="it holds while one of these does")

    def contains(self, at_ms: int) -> bool:
        """Return whether a moment, in epoch ms, lies within.

        Examples
        --------
        >>> night = {"times": [{"start_time": "22:00", "end_time": "24:00"}], "location": "Europe/Berlin"}
        >>> interval = TimeInterval.model_validate({"name": "night", "time_intervals": [night]})
        >>> interval.contains(1_795_465_800_000), interval.contains(1_795_465_800_000 + 1_800_000)
        (False, True)
        """
        at = _EPOCH + timedelta(milliseconds=min(max(at_ms, 0), _LAST_MS))
        return any(span.contains(at) for span in self.time_intervals)


def _within(ranges: Iterable[Range], value: int) -> bool:
    wanted = tuple(ranges)
    return not wanted or any(first <= value <= last for first, last in wanted)


def _on_a_day(ranges: Iterable[Range], here: datetime) -> bool:
    length = monthrange(here.year, here.month)[1]
    for first, last in ranges:
        begin, end = (length + 1 + day if day < 0 else day for day in (first, last))
        if begin <= here.day <= end:
            return True
    return False
