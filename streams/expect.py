"""``expect:`` of a feature in the monitor file: what its owner expects, whatever the reference."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

from detectors.expected import Expectation, PatternName
from streams.patterns import MAX_PATTERN_LENGTH, mistake_in

_OF_NUMBERS = frozenset(
    {
        "be_between",
        "mean_to_be_between",
        "stdev_to_be_between",
        "min_to_be_between",
        "max_to_be_between",
        "median_to_be_between",
        "quantile_to_be_between",
    }
)


PATTERNS: tuple[PatternName, ...] = ("match_regex", "not_match_regex")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mostly(_Strict):
    """A share of rows that must be so; of the range and the set that stand beside ``type``."""

    mostly: float = Field(default=1.0, gt=0.0, le=1.0, description="share of rows (0 to 1)")

    @model_validator(mode="before")
    @classmethod
    def _stands_elsewhere(cls, value: Any) -> Any:
        for key in ("min", "max", "values"):
            if isinstance(value, dict) and key in value:
                raise ValueError(
                    f"{key} stands beside the feature's `type`, where it is counted; write it there"
                )
        return value


class Pattern(_Strict):
    """A pattern, found anywhere in a value unless it has ``^`` and ``$``, and the share of values it holds for."""

    regex: str = Field(
        min_length=1,
        max_length=MAX_PATTERN_LENGTH,
        description="regular expression as RE2 reads it: no look-around, no back references",
    )
    mostly: float = Field(default=1.0, gt=0.0, le=1.0, description="share of values (0 to 1)")

    @field_validator("regex")
    @classmethod
    def _can_be_read(cls, regex: str) -> str:
        if mistake := mistake_in(regex):
            raise ValueError(mistake)
        return regex


class Always(_Strict):
    """Nothing to set: write ``{}``."""


class Bounds(_Strict):
    """A range a figure must lie in, ends included."""

    min: FiniteFloat | None = Field(default=None, description="least figure")
    max: FiniteFloat | None = Field(default=None, description="greatest figure")

    @model_validator(mode="after")
    def _is_a_range(self) -> "Bounds":
        if self.min is None and self.max is None:
            raise ValueError("write min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}; swap them")
        return self


class Expect(_Strict):
    """What must hold in every window; names as in Great Expectations, without `expect_column_(values_to_)`."""

    not_be_null: Mostly | None = Field(default=None, description="share of events that carry it")
    be_between: Mostly | None = Field(default=None, description="share of values within `min` and `max`")
    be_in_set: Mostly | None = Field(default=None, description="share of values among `values`")
    match_regex: Pattern | None = Field(
        default=None, description="pattern that values of a category must match"
    )
    not_match_regex: Pattern | None = Field(default=None, description="pattern that none of them may match")
    be_unique: Always | None = Field(
        default=None, description="no value comes twice in a window; of numbers within an estimate's error"
    )
    mean_to_be_between: Bounds | None = Field(default=None, description="mean of the numbers")
    stdev_to_be_between: Bounds | None = Field(default=None, description="their standard deviation")
    min_to_be_between: Bounds | None = Field(default=None, description="smallest number")
    max_to_be_between: Bounds | None = Field(default=None, description="largest number")
    median_to_be_between: Bounds | None = Field(default=None, description="their median")
    quantile_to_be_between: dict[Annotated[float, Field(ge=0.0, le=1.0)], Bounds] = Field(
        default={}, max_length=20, description="by quantile, e.g. {0.95: {max: 300}}"
    )
    unique_value_count_to_be_between: Bounds | None = Field(
        default=None, description="distinct values in the window; of numbers an estimate, right to 7 %"
    )
    proportion_of_unique_values_to_be_between: Bounds | None = Field(
        default=None, description="distinct values per value (0 to 1)"
    )

    def expectations(self) -> tuple[Expectation, ...]:
        """Return each on its own, as the detector takes them."""
        return tuple(self._each())

    def _each(self) -> Iterator[Expectation]:
        for name in type(self).model_fields:
            held = getattr(self, name)
            if isinstance(held, dict):
                for quantile, bounds in held.items():
                    yield _expectation(name, bounds, quantile=quantile)
            elif held is not None:
                yield _expectation(name, held)

    def misfit(self, kind: str, *, has_range: bool, has_values: bool) -> str | None:
        """Return what does not fit a feature of that type, with the remedy."""
        for name in (one.name for one in self.expectations()):
            if name in _OF_NUMBERS and kind != "number":
                return f"{name} is for numbers; this feature is a {kind}; take it out"
            if name in PATTERNS and kind != "category":
                return f"{name} is for categories; this feature is a {kind}; take it out"
            if name == "be_unique" and kind == "boolean":
                return "be_unique is for numbers and categories; a boolean has two values; take it out"
            if name == "be_between" and not has_range:
                return "be_between needs the feature's `min` or `max`; write one beside its `type`"
            if name == "be_in_set" and not has_values:
                return "be_in_set needs the feature's `values`; write them beside its `type`"
        return None


def _expectation(name: str, held: BaseModel, **further: float) -> Expectation:
    return Expectation.model_validate({"name": name, **held.model_dump(), **further})
