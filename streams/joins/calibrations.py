"""What the scores of a model's versions and segments mean, as its labels come in."""

from collections.abc import Mapping, Sequence

from detectors.estimation.calibration import Calibration
from detectors.estimation.track import Track
from streams.joins.book import Group, OutcomeBook
from streams.joins.outcome_bench import OutcomeBench
from streams.joins.outcomes import Outcomes


class Calibrations:
    """Holds a calibration by version and segment, made anew when outcomes are judged.

    Parameters
    ----------
    bench, book
        Of the model's outcomes.
    given
        What scores mean by the reference file. Its labels are those of all segments together, so it does
        not speak of a segment.
    """

    def __init__(self, bench: OutcomeBench, book: OutcomeBook, given: Calibration | None) -> None:
        self._bench = bench
        self._book = book
        self._given = given
        self._held: dict[Group, Calibration | None] | None = None

    def take(self, panes: Mapping[Group, Sequence[Outcomes]]) -> None:
        """Know what the book holds by now."""
        self._held = {
            group: self._bench.calibration(found, self._given_of(group)) for group, found in panes.items()
        }

    def of(self, group: Group) -> Calibration | None:
        """Return what scores mean: by the reference file where that has labels, else by earlier outcomes."""
        if self._held is None:  # as after a restart, when the book is full already
            self.take(self._book.panes())
        return (self._held or {}).get(group, self._given_of(group))

    def tracks(self) -> dict[str, Track]:
        """Return how estimates of each metric did, of versions the one that was furthest off."""
        worst: dict[str, Track] = {}
        for (_, segment), found in (self._held or {}).items():
            if found is None or found.hindsight is None or segment:
                continue
            for name, track in found.hindsight.tracks.items():
                if name not in worst or worst[name].off < track.off:
                    worst[name] = track
        return worst

    def _given_of(self, group: Group) -> Calibration | None:
        return None if group[1] else self._given
