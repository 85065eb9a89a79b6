"""The contract with producers: what a prediction event and a label event are.

These pydantic models are the published contract (``driftline schemas``, golden files in
``tests/streams/schemas``). The hot path decodes with msgspec types compiled per monitor
(`streams.decode`); a test holds the two to the same answers.
"""

import math
from datetime import datetime
from typing import Annotated

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, StrictInt, StrictStr

MAX_EVENT_BYTES = 256 * 1024
MAX_ID_LENGTH = 256
MAX_NAME_LENGTH = 200

# Beyond these a millisecond count cannot be a date any more (years 1 and 9999).
MIN_TIME_MS = -62_135_596_800_000
MAX_TIME_MS = 253_402_300_799_999


_Zoned = Annotated[datetime, msgspec.Meta(tz=True)]


def _with_zone(text: str) -> str:
    # The hot path's own parser, so that contract and decoder know the same times.
    try:
        msgspec.convert(text, _Zoned)
    except msgspec.ValidationError as error:
        raise ValueError("needs RFC 3339 with a time zone, e.g. 2026-11-23T09:00:00Z") from error
    return text


Id = Annotated[StrictStr, Field(min_length=1, max_length=MAX_ID_LENGTH)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=MAX_NAME_LENGTH)]
Rfc3339 = Annotated[
    StrictStr,
    Field(json_schema_extra={"format": "date-time"}),
    AfterValidator(_with_zone),
]
EpochMs = Annotated[StrictInt, Field(ge=MIN_TIME_MS, le=MAX_TIME_MS)]
Time = Annotated[
    Rfc3339 | EpochMs, Field(description="event time: RFC 3339 with zone, or epoch milliseconds")
]
Number = Annotated[FiniteFloat, Field(strict=True)]
FeatureValue = Number | StrictStr | bool | None
PredictionValue = Number | StrictStr | dict[str, Number] | None


class PredictionEvent(BaseModel):
    """One prediction of one model. Unknown top-level fields are ignored, so that fields can be added."""

    model_config = ConfigDict(extra="ignore")

    id: Id = Field(description="identity of the prediction; labels refer to it; use it as the record key")
    model: Name = Field(description="name of the model, as in its monitor file")
    ts: Time
    prediction: PredictionValue = Field(
        description="number, class name, or {class: probability}; null only together with `error`"
    )
    version: StrictStr = Field(
        default="", max_length=MAX_NAME_LENGTH, description="deployed version of the model"
    )
    features: dict[str, FeatureValue] = Field(default={}, description="inputs the model was given")
    latency_ms: Annotated[float, Field(strict=True, ge=0, lt=math.inf)] | None = Field(
        default=None, description="how long the prediction took, milliseconds"
    )
    error: StrictStr | None = Field(default=None, description="the prediction failed, and why")
    segments: dict[str, StrictStr] | None = Field(default=None, description="traffic segments, {name: value}")
    variant: StrictStr | None = Field(default=None, description="experiment arm")
    attributions: dict[str, Number] | None = Field(default=None, description="{feature: attribution}")
    data_version: StrictStr | None = Field(default=None, description="version of the features' data")
    value: Number | None = Field(default=None, description="business value of the prediction")
    labels: dict[str, StrictStr] | None = Field(default=None, description="the producer's own labels")


class LabelEvent(BaseModel):
    """What turned out to be true for one prediction."""

    model_config = ConfigDict(extra="ignore")

    id: Id = Field(description="`id` of the prediction")
    model: Name
    label: Number | StrictStr | bool = Field(description="the true class or number")
    ts: Time
    value: Number | None = Field(default=None, description="realised business value")


EVENTS: dict[str, type[BaseModel]] = {"prediction": PredictionEvent, "label": LabelEvent}
