"""``segments:`` of a monitor file: by what traffic is parted, and which parts are watched on their own."""

from collections import Counter
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from streams.events import MAX_NAME_LENGTH

#: Values of a segment that have statistics of their own, at most; all else counts as `OTHER`.
SEGMENT_VALUES_KEPT = 50
OTHER = "other"


def _without_repeats(names: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise ValueError(f"{repeated[0]!r} is listed twice; list it once")
    return names


Names = Annotated[tuple[str, ...], AfterValidator(_without_repeats)]


class Segment(BaseModel):
    """One way to part the traffic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: Names | None = Field(
        default=None,
        min_length=1,
        max_length=SEGMENT_VALUES_KEPT,
        description="those with statistics of their own, all else is `other`; else the reference's most frequent 50",
    )

    @field_validator("values")
    @classmethod
    def _are_values(cls, values: Names | None) -> Names | None:
        for value in values or ():
            if value == OTHER:
                raise ValueError(f"{OTHER!r} is what all values not listed count as; leave it out")
            if not 0 < len(value) <= MAX_NAME_LENGTH:
                raise ValueError(f"value {value[:40]!r} must have 1 to {MAX_NAME_LENGTH} characters")
        return values


def read_segments(value: Any) -> Any:
    """Return a list of names as the mapping it stands for."""
    if isinstance(value, str):
        raise ValueError(f"expected a list, found {value!r}; write [{value}]")
    if isinstance(value, dict):
        return {name: {} if entry is None else entry for name, entry in value.items()}
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError("write a list of names, or a mapping such as {country: {values: [DE, FR]}}")
    return {name: {} for name in _without_repeats(tuple(value))}
