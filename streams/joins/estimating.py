"""What the metrics of a model's versions and segments are estimated by, while their labels are to come."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from detectors.estimation.track import Track
from detectors.window import Window
from streams.history import History
from streams.joins.book import Group, OutcomeBook
from streams.joins.calibrations import Calibrations
from streams.joins.expected_losses import ExpectedLosses
from streams.joins.outcome_bench import OutcomeBench
from streams.joins.outcomes import Outcomes


class Estimating:
    """Knows what scores mean, or which errors come with which inputs.

    Parameters
    ----------
    usual
        The reference file's window, where there is one.
    """

    def __init__(
        self,
        bench: OutcomeBench,
        book: OutcomeBook,
        usual: Window | None,
        histories: Mapping[Group, History],
    ) -> None:
        self._calibrations = Calibrations(bench, book, None if usual is None else usual.calibration)
        model = None if usual is None else usual.loss_model
        self._losses = ExpectedLosses(bench, book, model, histories)

    def take(self, panes: Mapping[Group, Sequence[Outcomes]]) -> None:
        """Know what the book holds by now."""
        self._calibrations.take(panes)
        self._losses.take(panes)

    def equipped(self, window: Window, group: Group) -> Window:
        """Return a current window with what its metrics are estimated by."""
        return replace(window, calibration=self._calibrations.of(group), loss_model=self._losses.of(group))

    def tracks(self) -> dict[str, Track]:
        """Return how estimates of each metric did, of versions the one that was furthest off."""
        return self._calibrations.tracks() | self._losses.tracks()
