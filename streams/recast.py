"""Profiles from one layout to another of the same columns, for the pane in which layouts change.

Source partitions hear of a new layout at different moments, so that one pane may be counted in both.
"""

import numpy as np

from streams.layout import CategoryColumn, Layout, Role
from streams.profile import Profile
from streams.reference import category_counts

_SAME = (
    "fence", "events", "errors", "invalid", "late", "ids", "unexpected", "count", "out_of_range", "mean",
    "squares", "minimum", "maximum", "sketch_keys", "sketch_counts", "registers", "matched", "attributions",
    "all_zero", "vectors",
)  # fmt: skip


def recast(profile: Profile, layout: Layout) -> Profile | None:
    """Return a profile counted anew in another layout's bins; None if their columns differ.

    Everything is exact but the bins of numbers, which come from the sketch (within its relative error), and
    categories that neither layout lists by name.
    """
    if profile.layout.hash == layout.hash:
        return profile
    if _columns(profile.layout) != _columns(layout):
        return None
    found = Profile(layout)
    for name in _SAME:
        setattr(found, name, getattr(profile, name))
    for position in range(len(layout.numbers)):
        start, end = layout.number_offsets[position : position + 2]
        values, counts = profile.column_sketch(position)
        bins = np.searchsorted(layout.number_edges[position], values, side="right")
        np.add.at(found.bins[start:end], bins, counts)
    for position, column in enumerate(layout.categories):
        _recast_category(profile, found, position, column)
    return found


def _recast_category(profile: Profile, found: Profile, position: int, column: CategoryColumn) -> None:
    old_start, old_end = profile.layout.category_offsets[position : position + 2]
    start, end = found.layout.category_offsets[position : position + 2]
    named = category_counts(profile, position)
    listed = [named.pop(value, 0) for value in column.values]
    total = int(profile.category_counts[old_start:old_end].sum())
    found.category_counts[start:end] = [*listed, total - sum(listed)]
    found.unlisted[position] = named


def _columns(layout: Layout) -> list[tuple[str, Role]]:
    numbers = [(column.name, column.role) for column in layout.numbers]
    return numbers + [(column.name, column.role) for column in layout.categories]
