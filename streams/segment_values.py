"""Which values of a segment have statistics of their own: the same in every partition, wherever that is known.

What the monitor lists; else the most frequent of the reference, which the layout carries; without either, those
that come first, in each partition by itself.
"""

from collections.abc import Iterable, Iterator, Mapping

from streams.layout import Layout, SegmentValues
from streams.monitor import Monitor
from streams.segment_settings import OTHER, SEGMENT_VALUES_KEPT


def segment_label(name: str, value: str) -> str:
    """Return how a segment is written."""
    return f"{name}={value}"


def most_frequent(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return the values that get places, in order of name; of equally frequent ones the first by name.

    Examples
    --------
    >>> most_frequent({"fr": 3, "de": 9, "": 20})
    ('de', 'fr')
    """
    named = {value: count for value, count in counts.items() if value and value != OTHER and count}
    return tuple(sorted(sorted(named, key=lambda value: (-named[value], value))[:SEGMENT_VALUES_KEPT]))


def of_counts(counts: Mapping[str, Mapping[str, int]]) -> tuple[SegmentValues, ...]:
    """Return what a reference says of each segment, by its counts of values; nothing of one without any."""
    found = {name: most_frequent(held) for name, held in counts.items()}
    return tuple(SegmentValues(name, values) for name, values in found.items() if values)


def counted(names: Iterable[str], events: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return the events of each segment (``country=DE``) by name and value."""
    found: dict[str, dict[str, int]] = {}
    for name in names:
        start = segment_label(name, "")
        found[name] = {
            segment.removeprefix(start): count
            for segment, count in events.items()
            if segment.startswith(start)
        }
    return found


def known_values(monitor: Monitor, layout: Layout) -> dict[str, tuple[str, ...] | None]:
    """Return the values that have places, by segment; None where they get them as they come."""
    by_reference = {one.name: one.values for one in layout.segments}
    return {
        name: by_reference.get(name) if one.values is None else one.values
        for name, one in monitor.segments.items()
    }


def are_known(monitor: Monitor, layout: Layout) -> bool:
    """Return whether all segments have their values."""
    return None not in known_values(monitor, layout).values()


def remarks(monitor: Monitor, layout: Layout) -> Iterator[str]:
    """Yield, of each segment, where its values come from, in a sentence."""
    by_file = monitor.reference.file is not None
    for name, values in known_values(monitor, layout).items():
        if values is None:
            remedy = (
                f"build the reference again from data with a column {name!r}"
                if by_file
                else "until the reference has warmed up"
                if not layout.frozen
                else "it was not in the traffic the reference warmed up by"
            )
            yield (
                f"segment {name}: the first {SEGMENT_VALUES_KEPT} values that come have statistics of their own, in "
                f"each source partition by itself, all others count as {OTHER!r}: list them under `values`"
                + (f", or {remedy}" if by_file else f" ({remedy})")
            )
        else:
            source = (
                "listed in the monitor" if monitor.segments[name].values else "the reference's most frequent"
            )
            listed = f"{len(values):,} value" + ("s" if len(values) != 1 else "")
            yield f"segment {name}: {listed} ({source}), all others count as {OTHER!r}"
