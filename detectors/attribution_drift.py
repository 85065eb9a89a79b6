"""What drives predictions: features that have come to count for more, or for less, than they did."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field
from scipy import special

from detectors.attribution_change import Change, evidence_of
from detectors.attribution_swings import Swings, attribution_swings
from detectors.attributions import Attributions, Floats, ranks
from detectors.base import Detector, Verdict
from detectors.comparison import shortage
from detectors.significance import SignificanceParams
from detectors.swing import Swing
from detectors.window import Window

#: With fewer events of the reference its ranking is too uncertain.
LEAST_REFERENCE_EVENTS = 200
#: The ways of looking share ``alpha``: ranks, and values.
_WAYS = 2
_ROUNDING = 1e-9
#: Share of the limit from which on a window holds back what the reference takes for a swing.
_NOTEWORTHY = 0.5
_STILL = Swing(1.0, ())


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
    quantile at ``alpha`` shared out over the features. On top comes what the reference's spans show to be normal
    (`swing`), mean by mean. Within those bounds the changes of rank that are seen cost
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

    def __init__(self, params: AttributionDriftParams, column: str = "") -> None:
        super().__init__(params, column)
        self._swings: tuple[Attributions, int, Swings | None] | None = None
        self._held: tuple[tuple[str, ...], Swings | None] | None = None

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
        known = frozenset(usual.names)
        names = [name for name in held.names if name in known]
        if not names or not usual.only(names).sums[0].any():
            return self._lack(events, "all of the reference are 0")
        change = self._change(held.only(names), usual.only(names))
        rank_limit = max(self.params.threshold, change.loss_by_chance)
        value_limit = max(self.params.value_threshold, change.moves_by_chance)
        moved = float(change.moves.sum())
        nearness = change.loss / rank_limit, moved / value_limit
        by_rank = nearness[0] > 1 or nearness[0] >= nearness[1] - _ROUNDING
        self._held = (change.names, change.swings) if max(nearness) > _NOTEWORTHY else None
        score, limit = (change.loss, rank_limit) if by_rank else (moved, value_limit)
        evidence = evidence_of(change, by_rank, score, limit, (events, usual.events))
        return self.verdict(score, events, evidence, threshold=limit)

    def value_limit(self, window: Attributions, reference: Attributions) -> float:
        """Return the change of values worth an alert, whatever the ranks; both have the same features."""
        return max(self.params.value_threshold, self._change(window, reference).moves_by_chance)

    def snapshot(self) -> Any:
        """Return the usual swings that are held back; None while the window is not noteworthy."""
        if self._held is None:
            return None
        names, swings = self._held
        told = [
            [[place, one.alpha, *one.levels] for place, one in enumerate(kind) if one.furthest]
            for kind in swings or ()
        ]
        return {"names": list(names), "swings": told}

    def restore(self, snapshot: Mapping[str, Any] | None) -> None:
        """Take up a `snapshot`."""
        self._held = None
        if snapshot is not None:
            names = tuple(snapshot["names"])
            kinds = [_kind_of(len(names), rows) for rows in snapshot["swings"]]
            self._held = (names, (kinds[0], kinds[1]) if kinds else None)

    def _usual_swings(self, usual: Attributions, events: int) -> Swings | None:
        """Return how far the reference's means swing, or how far they did before the window became noteworthy."""
        if self._held is not None and self._held[0] == usual.names:
            return self._held[1]
        # The same for windows of about as many events, so that it does not hang on which came first.
        events = 1 << max(events.bit_length() - 1, 0)
        held = self._swings
        if held is None or held[1] != events or not held[0].is_counted_as(usual):
            alpha = self.params.alpha / (2 * _WAYS * len(usual.names))
            held = self._swings = (usual, events, attribution_swings(usual, events, alpha))
        return held[2]

    def _change(self, window: Attributions, reference: Attributions) -> Change:
        swings = self._usual_swings(reference, window.events)
        usual, now = reference.means(), window.means()
        spread = np.sqrt(np.maximum(window.variances(), reference.variances()))
        error = spread * np.sqrt(1 / window.events + 1 / reference.events)
        degrees = min(window.events, reference.events) - 1
        # Of either way a share for each mean: of sizes by rank, of sizes and values by value.
        share = self.params.alpha / (_WAYS * len(window.names))
        before = ranks(usual[0])
        return Change(
            window.names,
            usual,
            now,
            before,
            ranks(now[0], usual[0]),
            _reach(error, degrees, share, swings),
            _reach(error, degrees, share / 2, swings),
            swings,
        )

    def _lack(self, events: int, what: str) -> Verdict:
        return self.insufficient(events, f"attributions: {what}")


def _kind_of(features: int, rows: Sequence[Sequence[Any]]) -> tuple[Swing, ...]:
    """Return the swings of a snapshot's rows, of all features; those without a row do not swing."""
    held = {place: Swing(alpha, tuple(levels)) for place, alpha, *levels in rows}
    return tuple(held.get(place, _STILL) for place in range(features))


def _reach(error: Floats, degrees: int, alpha: float, swings: Swings | None) -> Floats:
    """Return how far each mean may lie from the reference's, by swings and by chance, shape ``(2, F)``."""

    def chance(spread: float, probability: float) -> float:
        return -float(special.stdtrit(degrees, probability / 2)) * spread

    still = chance(1.0, alpha) * error
    for kind, of_kind in enumerate(swings or ()):
        for place, swing in enumerate(of_kind):
            if swing.furthest:
                still[kind, place] = swing.limit(partial(chance, float(error[kind, place])))
    return still
