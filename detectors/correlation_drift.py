"""Correlations between number features: drift that no feature shows by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints
from scipy import special

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.pair_swings import pair_swings
from detectors.pairs import Correlations, Floats, Pairs
from detectors.sentence import against, figure, quantity, shorten
from detectors.significance import SignificanceParams
from detectors.swing import Swing
from detectors.window import Window

#: Below this a reference's correlations are too uncertain.
LEAST_REFERENCE_ROWS = 200
#: Share of the threshold from which on a window holds back what the reference takes for a swing.
_NOTEWORTHY = 0.5
#: Pairs told in the evidence.
_TOLD = 10


class CorrelationDriftParams(SignificanceParams):
    """Parameters of the drift of correlations."""

    threshold: float = Field(
        default=0.2, ge=0.01, le=2.0, description="change of a pair's correlation worth an alert (0.01 to 2)"
    )
    features: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(
        default=(),
        max_length=40,
        description="number features whose pairs are counted (2 to 40); the first `max_features` unless given",
    )
    max_features: int = Field(
        default=16, ge=2, le=40, description="number features paired at most; 16 make 120 pairs (2 to 40)"
    )


@dataclass(frozen=True, slots=True)
class _Change:
    """Correlations of window and reference, and the change of each pair that is worth an alert; NaN untold."""

    names: tuple[str, ...]
    now: Correlations
    usual: Correlations
    limits: Floats
    swings: tuple[Swing, ...]

    @property
    def sizes(self) -> Floats:
        """How much each pair has changed."""
        return np.abs(self.now.values - self.usual.values)

    @property
    def ratios(self) -> Floats:
        """Each pair's change, by its limit; 0 where there is none to tell."""
        return np.nan_to_num(self.sizes / self.limits, nan=0.0)

    def pair(self, place: int) -> tuple[str, str]:
        """Return the features of a pair."""
        left, right = np.triu_indices(len(self.names), 1)
        return self.names[left[place]], self.names[right[place]]

    @property
    def parts(self) -> Floats:
        """Each pair's part of what has changed: the squared change, by its limit, of the pairs beyond it; sums to 1."""
        beyond = np.where(self.ratios > 1, self.ratios**2, 0.0)
        if not beyond.any():
            beyond = self.ratios**2
        return np.asarray(beyond / max(float(beyond.sum()), 1e-300), np.float64)

    def shares(self) -> dict[str, float]:
        """Return each feature's share of what the pairs have changed, half of each pair's part, largest first."""
        left, right = np.triu_indices(len(self.names), 1)
        d = len(self.names)
        parts = (np.bincount(left, self.parts, d) + np.bincount(right, self.parts, d)) / 2
        order = np.argsort(-parts, kind="stable")[:_TOLD]
        return {self.names[at]: round(float(parts[at]), 4) for at in order.tolist() if parts[at] > 0}


class CorrelationDrift(Detector[CorrelationDriftParams]):
    """Fires when two features no longer go together as they did, though each may look as ever.

    Each number counts as the normal score of its bin (`pairs`), so that correlations are those of ranks. For every
    pair the ``score`` is ``|r - r0|``, the window's correlation against the reference's; the verdict is of the
    pair that lies furthest beyond its threshold, or nearest to it. A pair's threshold in force is the larger of
    ``threshold`` and of what is usual up to the probability ``alpha / pairs``: by Fisher's transformation
    ``atanh r``, whose variance is ``k (1/n + 1/m)`` at the rows of both sides, ``k`` from the reference's fourth
    moments; on top comes what its spans show to be normal (`swing`).

    Rows that lack one of the two values do not count for the pair. What ranks do not tell, no correlation does:
    ``y = x²`` turned to ``y = -x²`` leaves them all at 0. A pair with a column that does not vary is not judged.

    References
    ----------
    Fisher, R. A. (1921), On the probable error of a coefficient of correlation deduced from a small sample, Metron 1.
    Muirhead, R. (1982), Aspects of Multivariate Statistical Theory, Wiley, section 5.1.4.
    """

    name = "correlation_drift"
    kind = "MultivariateDrift"
    targets = frozenset({"model"})
    params_class = CorrelationDriftParams
    default = True
    needs_reference = True

    def __init__(self, params: CorrelationDriftParams, column: str = "") -> None:
        super().__init__(params, column)
        self._swings: tuple[Pairs, int, tuple[Swing, ...]] | None = None
        self._held: tuple[tuple[str, ...], tuple[Swing, ...]] | None = None

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the pair whose correlation has moved furthest."""
        pairs, least = window.pairs, self.params.min_samples
        if pairs is None or window.events < least:
            lacking = (
                shortage(window.events, least, "event") if window.events < least else "none were counted"
            )
            return self.insufficient(window.events, f"pairs of features: {lacking}")
        usual = None if reference is None else reference.pairs
        if usual is None:
            return self.insufficient(window.events, _no_pairs(reference))
        names = [name for name in pairs.names if name in usual.names]
        if len(names) < 2:
            return self.insufficient(
                window.events, "the reference has not counted these pairs; build it again"
            )
        change = self._change(pairs.only(names), usual.only(names))
        if not np.isfinite(change.limits).any():
            most = int(change.now.rows.max(initial=0))
            held = (
                shortage(most, least, "row")
                if most < least
                else "no pair varies, or the reference is too small"
            )
            return self.insufficient(most, f"pairs of features: {held}")
        place = int(np.argmax(change.ratios))
        is_noteworthy = change.ratios[place] > _NOTEWORTHY
        self._held = (change.names, change.swings) if is_noteworthy else None
        return self.verdict(
            float(np.nan_to_num(change.sizes[place])),
            int(change.now.rows[place]),
            _evidence(change, place),
            threshold=float(change.limits[place]) if np.isfinite(change.limits[place]) else None,
        )

    def snapshot(self) -> Any:
        """Return the usual swings that are held back; None while the window is not noteworthy."""
        if self._held is None:
            return None
        names, swings = self._held
        return {"names": list(names), "swings": [[one.alpha, *one.levels] for one in swings]}

    def restore(self, snapshot: Mapping[str, Any] | None) -> None:
        """Take up a `snapshot`."""
        self._held = None
        if snapshot is not None:
            swings = tuple(Swing(alpha, tuple(levels)) for alpha, *levels in snapshot["swings"])
            self._held = (tuple(snapshot["names"]), swings)

    def _change(self, pairs: Pairs, usual: Pairs) -> _Change:
        now, before = pairs.of_pairs, usual.of_pairs
        swings = self._usual_swings(usual, int(now.rows.max(initial=0)))
        told = (now.rows >= self.params.min_samples) & (before.rows >= LEAST_REFERENCE_ROWS)
        told &= np.isfinite(now.values) & np.isfinite(before.values)
        rows = np.maximum(now.rows, 1), np.maximum(before.rows, 1)
        error = np.sqrt(np.nan_to_num(before.excess, nan=1.0) * (1 / rows[0] + 1 / rows[1]))
        reach = _reach(swings, error, self.params.alpha / len(swings))
        way = np.where(now.values >= before.values, 1.0, -1.0)
        by_chance = np.abs(np.tanh(before.fisher + way * reach) - before.values)
        limits = np.where(told, np.maximum(by_chance, self.params.threshold), np.nan)
        return _Change(pairs.names, now, before, limits, swings)

    def _usual_swings(self, usual: Pairs, rows: int) -> tuple[Swing, ...]:
        """Return how far each pair's reference swings, or how far it did before the window became noteworthy."""
        if self._held is not None and self._held[0] == usual.names:
            return self._held[1]
        # The same for windows of about as many rows, so that it does not hang on which came first.
        rows = 1 << max(rows.bit_length() - 1, 0)
        held = self._swings
        if held is None or held[1] != rows or not _is_same(held[0], usual):
            held = self._swings = (usual, rows, pair_swings(usual, rows, self.params.alpha))
        return held[2]


def _is_same(one: Pairs, other: Pairs) -> bool:
    return one is other or (
        one.names == other.names
        and np.array_equal(one.gram, other.gram)
        and len(one.spans) == len(other.spans)
        and all(map(np.array_equal, one.spans, other.spans))
    )


def _no_pairs(reference: Window | None) -> str:
    if reference is None:
        return "pairs of features: no reference to compare with"
    return "pairs of features: the reference has none counted; build it again, or wait until it trails far enough"


def _reach(swings: Sequence[Swing], error: Floats, alpha: float) -> Floats:
    """Return how far each pair's Fisher transform may lie from the reference's, by swings and by chance."""

    def chance(probability: float) -> float:
        return -float(special.ndtri(probability / 2))

    still = chance(alpha) * error
    for place, swing in enumerate(swings):
        if swing.furthest:
            still[place] = swing.limit(lambda p, at=place: chance(p) * float(error[at]))  # type: ignore[misc]
    return still


def _evidence(change: _Change, place: int) -> Evidence:
    order: NDArray[np.intp] = np.argsort(-change.ratios, kind="stable")[:_TOLD]
    told = [at for at in order.tolist() if change.ratios[at] > (1 if change.ratios[place] > 1 else 0)]
    size, limit = float(np.nan_to_num(change.sizes[place])), float(change.limits[place])
    left, right = change.pair(place)
    before, now = change.usual.values[place], change.now.values[place]
    more = int(np.count_nonzero(change.ratios > 1)) - 1
    others = f"; {quantity(more, 'further pair')}" if more > 0 else ""
    sentence = (
        f"{shorten(left)} and {shorten(right)}: correlation {figure(float(before), 2)} → {figure(float(now), 2)}, "
        f"a change of {against(size, limit)} over {quantity(int(change.now.rows[place]), 'event')}{others}"
    )
    details = {
        "pairs": [
            {
                "features": list(change.pair(at)),
                "correlation": [float(change.usual.values[at]), float(change.now.values[at])],
                "share": round(float(change.parts[at]), 4),
            }
            for at in told
        ],
        "changed": more + 1,
        "features": change.shares(),
        "reference_samples": int(change.usual.rows[place]),
    }
    return Evidence(sentence, value=float(now), details=details)
