"""Names that stand for another part of the config file, which must be there."""

from typing import Annotated

from pydantic import AfterValidator, ValidationInfo


def _receiver_exists(name: str | None, info: ValidationInfo) -> str | None:
    if name is not None and info.context and name not in info.context.receivers:
        known = ", ".join(sorted(info.context.receivers)) or "none"
        raise ValueError(f"no receiver named {name[:80]!r}; there are: {known}")
    return name


def _interval_exists(name: str, info: ValidationInfo) -> str:
    if info.context and name not in info.context.intervals:
        known = ", ".join(sorted(info.context.intervals)) or "none"
        raise ValueError(f"no time interval named {name[:80]!r}; there are: {known}")
    return name


#: The name of a receiver.
ReceiverName = Annotated[str, AfterValidator(_receiver_exists)]
#: The name of a receiver, or None.
MaybeReceiverName = Annotated[str | None, AfterValidator(_receiver_exists)]
#: The name of a time interval.
IntervalName = Annotated[str, AfterValidator(_interval_exists)]
