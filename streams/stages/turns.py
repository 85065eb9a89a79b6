"""Which models are shown in full after a pane: of a large fleet not all, lest showing took longer than judging.

What fires, begins or ends is told after every pane, whoever's turn it is; alerts depend on no turn.
"""

from collections.abc import Iterable
from zlib import crc32

#: A model's turn comes around after so long for each model there is: 200 models can be shown every 10 s,
#: 1,000 every 50 s, which keeps a quarter of a core busy at most.
MS_PER_MODEL = 50


def has_turn(model: str, pane_ms: int, ends_ms: Iterable[int], models: int) -> bool:
    """Return whether a model is shown in full after panes that end then (epoch ms), among so many models.

    By event time, so that it is the same however often a pane is closed, and at different times for different models.

    Examples
    --------
    >>> [has_turn("churn", 10_000, [end_ms], 50) for end_ms in (10_000, 20_000)]
    [True, True]
    >>> sum(has_turn("churn", 10_000, [end_ms], 1_000) for end_ms in range(0, 100_000, 10_000))
    2
    """
    turns = -(-models * MS_PER_MODEL // pane_ms)
    return turns <= 1 or any(
        (end_ms // pane_ms + crc32(model.encode("utf-8", "surrogatepass"))) % turns == 0 for end_ms in ends_ms
    )
