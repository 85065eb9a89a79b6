"""Time zones by their names, as ``location`` of the config file gives them."""

from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """Return a zone by its name; "" is UTC.

    Raises
    ------
    KeyError, ValueError, OSError
        If there is none of this name.
    """
    return UTC if name in ("", "UTC") else ZoneInfo(name)


def _exists(name: str) -> str:
    try:
        zone(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"no time zone {name[:80]!r} on this machine; write one such as Europe/Berlin"
        ) from error
    return name


ZoneName = Annotated[str, AfterValidator(_exists)]
