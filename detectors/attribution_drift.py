"""What drives predictions: features that have come to count for more, or for less, than they did."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field
from scipy import special

from detectors.attributions import Attributions, Floats, Ranks, discounts, ndcg, ranks
from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.sentence import against, figure, ordinal, quantity, shorten
from detectors.significance import SignificanceParams
from detectors.window import Window

#: With fewer events of the reference its ranking is too uncertain.
LEAST_REFERENCE_EVENTS = 200
#: Features told in the sentence, and in the evidence.
_SAID, _TOLD = 3, 10
#: The ways of looking share ``alpha``: ranks, and values.
_WAYS = 2
_ROUNDING = 1e-9


class AttributionDriftParams(SignificanceParams):
    """Parameters of attribution drift."""

    threshold: float = Field(
        default=0.1,
        ge=0.001,
        le=1.0,
        description="loss of nDCG (1 - nDCG, 0 to 1) of the features' ranking against the reference's worth an alert",
    )
    value_threshold: float = Field(
        default=0.3,
        ge=0.01,
        le=100.0,
        description="change of the mean attributions, added up over the features, worth an alert "
        "(share of the sum of the reference's mean sizes)",
    )
    min_samples: int = Field(
        default=100, ge=2, description="events with attributions needed before a verdict"
    )


@dataclass(frozen=True, slots=True)
class _Change:
    """Mean attributions of reference and window, their ranks, and what chance may move them by.

    ``means`` are those of sizes and of values, shape ``(2, F)``, as are ``reach`` of either way of looking.
    """

    names: tuple[str, ...]
    usual: Floats
    now: Floats
    before: Ranks
    after: Ranks
    reach: Floats
    value_reach: Floats

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


class AttributionDrift(Detector[AttributionDriftParams]):
    """Fires when other features drive the predictions than in the reference, or by far more or less.

    Two ways. *Rank*: features are ranked by their mean size ``|a|``, and ``score = 1 - nDCG`` of the window's
    ranking, with the reference's mean sizes as gains (`attributions.ndcg`). *Value*: ``score = sum of max(|change of
    mean |a||, |change of mean a|) / sum of the reference's mean |a|``, which also sees an attribution that turns
    its sign or all of them on another scale. The verdict is of the ranks where those fire, else of the way that lies
    nearer to its limit or beyond it.

    A limit is the larger of ``threshold`` (``value_threshold``) and what chance alone exceeds with probability
    ``alpha``, which the ways share. With that probability at most does any mean differ between window and reference by
    more than ``h = t s sqrt(1/n + 1/m)``: ``s`` the larger of both sides' standard deviations, ``t`` Student's
    quantile at ``alpha`` shared out over the features. Within those bounds the changes of rank that are seen cost
    ``sum(h |c - c0|)`` at most, ``c`` being what ranks are worth, for the window's ranking is the best there is for the
    window's means; and the changes of value add up to ``sum(h)`` at most.

    Only events with attributions count; a feature that such an event does not name contributed nothing.

    References
    ----------
    Järvelin, K. and Kekäläinen, J. (2002), Cumulated Gain-Based Evaluation of IR Techniques, ACM TOIS 20(4).
    Hardt, M. et al. (2021), Amazon SageMaker Clarify: Machine Learning Bias Detection and Explainability in the Cloud,
    KDD (the ranking of attributions by nDCG; it alerts below 0.9).
    Hardy, G., Littlewood, J. and Pólya, G. (1934), Inequalities, section 10.2 (the rearrangement inequality).
    """

    name = "attribution_drift"
    kind = "AttributionDrift"
    targets = frozenset({"model"})
    params_class = AttributionDriftParams
    default = True
    needs_reference = True

    def is_idle(self, window: Window, reference: Window | None) -> bool:
        """Return whether there are no attributions at all, as with most models."""
        return window.attributions is None and (reference is None or reference.attributions is None)

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge ranks and means of what the features contribute."""
        held, least = window.attributions, self.params.min_samples
        events = 0 if held is None else held.events
        if held is None or events < least:
            return self._lack(events, shortage(events, least, "event"))
        usual = None if reference is None else reference.attributions
        if usual is None:
            what = (
                "no reference to compare with"
                if reference is None
                else "the reference has none; build it again"
            )
            return self._lack(events, what)
        if usual.events < LEAST_REFERENCE_EVENTS:
            lacking = shortage(usual.events, LEAST_REFERENCE_EVENTS, "event")
            return self._lack(events, f"the reference has {lacking} with attributions")
        names = [name for name in held.names if name in usual.names]
        if not names or not usual.only(names).sums[0].any():
            return self._lack(events, "all of the reference are 0")
        change = self._change(held.only(names), usual.only(names))
        rank_limit = max(self.params.threshold, change.loss_by_chance)
        value_limit = max(self.params.value_threshold, change.moves_by_chance)
        moved = float(change.moves.sum())
        nearness = change.loss / rank_limit, moved / value_limit
        by_rank = nearness[0] > 1 or nearness[0] >= nearness[1] - _ROUNDING
        score, limit = (change.loss, rank_limit) if by_rank else (moved, value_limit)
        evidence = _evidence(change, by_rank, score, limit, (events, usual.events))
        return self.verdict(score, events, evidence, threshold=limit)

    def value_limit(self, window: Attributions, reference: Attributions) -> float:
        """Return the change of values worth an alert, whatever the ranks; both have the same features."""
        return max(self.params.value_threshold, self._change(window, reference).moves_by_chance)

    def _change(self, window: Attributions, reference: Attributions) -> _Change:
        usual, now = reference.means(), window.means()
        spread = np.sqrt(np.maximum(window.variances(), reference.variances()))
        error = spread * np.sqrt(1 / window.events + 1 / reference.events)
        degrees = min(window.events, reference.events) - 1
        tail = self.params.alpha / (2 * _WAYS * len(window.names))
        before = ranks(usual[0])
        return _Change(
            window.names,
            usual,
            now,
            before,
            ranks(now[0], usual[0]),
            -float(special.stdtrit(degrees, tail)) * error,
            -float(special.stdtrit(degrees, tail / 2)) * error,
        )

    def _lack(self, events: int, what: str) -> Verdict:
        return self.insufficient(events, f"attributions: {what}")


def _evidence(
    change: _Change, by_rank: bool, score: float, limit: float, events: tuple[int, int]
) -> Evidence:
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


def _said(change: _Change, at: int, by_rank: bool) -> str:
    """Return what became of a feature: its rank, and by value the mean that changed more: its size, or itself."""
    name, (before, after) = shorten(change.names[at], 24), (int(change.before[at]), int(change.after[at]))
    rank = "" if before == after else f" {ordinal(before)} → {ordinal(after)}"
    if by_rank:
        return f"{name}{rank}"
    name += f" ({rank.strip()})" if rank else ""
    kind = int(np.argmax(np.abs(change.now - change.usual)[:, at]))
    what = ("mean size", "mean")[kind]
    return f"{name} {what} {figure(float(change.usual[kind, at]))} → {figure(float(change.now[kind, at]))}"


def _told(change: _Change, at: int) -> dict[str, Any]:
    return {
        "rank": [int(change.before[at]), int(change.after[at])],
        "mean_size": [float(change.usual[0, at]), float(change.now[0, at])],
        "mean": [float(change.usual[1, at]), float(change.now[1, at])],
    }


def _shares(sizes: Floats, shown: Ranks) -> tuple[float, ...]:
    total = float(sizes.sum())
    return tuple((sizes[shown] / total).tolist()) if total > 0 else (0.0,) * len(shown)
