"""The sketch of the current window, moved on pane by pane: what came is added, and what fell out taken away."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams import sketch
from streams.profile import Profile, merged

Sketch = tuple[NDArray[np.int64], NDArray[np.int64]]


class Sliding:
    """Merges the panes of a window that moves on.

    Counts of a sketch are whole numbers, so that it is the same to the bit as if all were added up anew: a judge that
    was restored in between says the same.
    """

    def __init__(self) -> None:
        self._parts: list[Profile] = []
        self._sketch: Sketch = (np.zeros(0, np.int64), np.zeros(0, np.int64))

    def merged(self, profiles: Sequence[Profile]) -> Profile:
        """Return `profile.merged` of profiles of one layout, one at least."""
        before, now = set(map(id, self._parts)), set(map(id, profiles))
        came = [one for one in profiles if id(one) not in before]
        gone = [one for one in self._parts if id(one) not in now]
        if len(came) + len(gone) < len(profiles):
            total = merged(profiles[0].layout, profiles, self._moved(came, gone))
        else:
            total = merged(profiles[0].layout, profiles)
        self._parts, self._sketch = list(profiles), (total.sketch_keys, total.sketch_counts)
        return total

    def _moved(self, came: Sequence[Profile], gone: Sequence[Profile]) -> Sketch:
        keys, counts = self._sketch[0], self._sketch[1].copy()
        for one in gone:
            counts[keys.searchsorted(one.sketch_keys)] -= one.sketch_counts
        for one in came:
            keys, counts = sketch.added((keys, counts), (one.sketch_keys, one.sketch_counts))
        held = counts != 0
        return keys[held], counts[held]
