"""What features contribute now and contributed before: how far ranks and means have moved, and in words."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.attribution_swings import Swings
from detectors.attributions import Floats, Ranks, discounts, ndcg
from detectors.base import Evidence
from detectors.sentence import against, figure, ordinal, quantity, shorten

#: Features told in the sentence, and in the evidence.
_SAID, _TOLD = 3, 10


@dataclass(frozen=True, slots=True)
class Change:
    """Mean attributions of reference and window, their ranks, and what chance may move them by.

    ``usual`` and ``now`` are the means of sizes and of values, shape ``(2, F)``. So far may they lie apart: ``reach``
    where ranks are judged, ``value_reach`` where values are. ``swings`` are those within both.
    """

    names: tuple[str, ...]
    usual: Floats
    now: Floats
    before: Ranks
    after: Ranks
    reach: Floats
    value_reach: Floats
    swings: Swings | None

    @property
    def total(self) -> float:
        """Sum of the reference's mean sizes."""
        return float(self.usual[0].sum())

    @property
    def loss(self) -> float:
        """Loss of nDCG."""
        return max(1.0 - ndcg(self.usual[0], self.after), 0.0)

    @property
    def loss_by_chance(self) -> float:
        """What these changes of rank cost at most where chance alone moves the means."""
        moved = np.abs(discounts(self.before) - discounts(self.after))
        best = float(np.sum(self.usual[0] * discounts(self.before)))
        return float(np.sum(self.reach[0] * moved)) / best

    @property
    def moves(self) -> Floats:
        """Each feature's change of its mean, the larger of size and value, as a share of the total."""
        return np.asarray(np.abs(self.now - self.usual).max(axis=0) / self.total)

    @property
    def moves_by_chance(self) -> float:
        """What the changes of all means add up to at most by chance."""
        return float(self.value_reach.max(axis=0).sum()) / self.total


def evidence_of(
    change: Change, by_rank: bool, score: float, limit: float, events: tuple[int, int]
) -> Evidence:
    """Return what a person is told of a change.

    Parameters
    ----------
    by_rank
        Which way of looking speaks; ``score`` and ``limit`` are its.
    events
        Events with attributions of the window, and of the reference.
    """
    sizes = np.maximum(change.usual[0], change.now[0])
    steps = np.abs(discounts(change.before) - discounts(change.after)) * sizes
    weights = steps if by_rank else change.moves
    order = [at for at in np.argsort(-weights, kind="stable").tolist() if weights[at] > 0]
    most = _SAID if by_rank else _SAID - 1
    said = [_said(change, at, by_rank) for at in order[:most]]
    more = f" and {len(order) - most} more" if len(order) > most else ""
    what = f"{', '.join(said)}{more}" if said else "every feature ranks as in the reference"
    measure = f"nDCG {figure(1.0 - change.loss)}, a loss of " if by_rank else "means changed in all by "
    stand = against(score, limit) if by_rank else f"{against(score, limit)} of the usual size"
    sentence = f"attributions: {what}; {measure}{stand} over {quantity(events[0], 'event')}"
    # The heaviest of either side, so that both ends of a flip are in the picture.
    shown = np.argsort(-sizes, kind="stable")[:_TOLD]
    details: dict[str, Any] = {
        "way": "rank" if by_rank else "value",
        "ndcg": 1.0 - change.loss,
        "change": float(change.moves.sum()),
        "features": {change.names[at]: _told(change, at) for at in (order or shown.tolist())[:_TOLD]},
        "reference_samples": events[1],
    }
    return Evidence(
        sentence,
        value=1.0 - change.loss if by_rank else score,
        labels=tuple(change.names[at] for at in shown.tolist()),
        reference=_shares(change.usual[0], shown),
        current=_shares(change.now[0], shown),
        details=details,
    )


def _said(change: Change, at: int, by_rank: bool) -> str:
    """Return what became of a feature: its rank, and by value the mean that changed more: its size, or itself."""
    name, (before, after) = shorten(change.names[at], 24), (int(change.before[at]), int(change.after[at]))
    rank = "" if before == after else f" {ordinal(before)} → {ordinal(after)}"
    if by_rank:
        return f"{name}{rank}"
    name += f" ({rank.strip()})" if rank else ""
    kind = int(np.argmax(np.abs(change.now - change.usual)[:, at]))
    what = ("mean size", "mean")[kind]
    return f"{name} {what} {figure(float(change.usual[kind, at]))} → {figure(float(change.now[kind, at]))}"


def _told(change: Change, at: int) -> dict[str, Any]:
    return {
        "rank": [int(change.before[at]), int(change.after[at])],
        "mean_size": [float(change.usual[0, at]), float(change.now[0, at])],
        "mean": [float(change.usual[1, at]), float(change.now[1, at])],
    }


def _shares(sizes: Floats, shown: Ranks) -> tuple[float, ...]:
    total = float(sizes.sum())
    return tuple((sizes[shown] / total).tolist()) if total > 0 else (0.0,) * len(shown)
