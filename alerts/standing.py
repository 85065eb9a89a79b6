"""How an alert stands, in words: what there is to know beside that it fires."""

from alerts import flapping, no_data
from alerts.state import Record


def words(record: Record) -> str:
    """Return that it flaps, that there is no data, or "" where it just fires or is over."""
    found = []
    if record.flap is not None:
        found.append(flapping.words(record.flap))
    if record.firing and record.no_data_ms is not None:
        found.append(no_data.words(record.no_data_ms))
    return " ".join(found)
