"""Alerts of a replay, held against incidents that people marked in its data. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from alerts.alert import AlertUpsert


@dataclass(slots=True)
class Episode:
    """An alert from when it begins to fire until it resolves.

    Parameters
    ----------
    feature
        What it is about, "" for the model itself.
    began_ms, ended_ms
        Event time of the data that began and ended it, epoch ms; None while it fires.
    told_ms
        When the judge said so: virtual time, epoch ms, the wait for late rows included.
    """

    model: str
    kind: str
    feature: str
    began_ms: int
    told_ms: int
    ended_ms: int | None = None


@dataclass(slots=True)
class Episodes:
    """Alerts as they begin and end; a refresh or a change of severity goes on with the same one."""

    all: list[Episode] = field(default_factory=list)
    _open: dict[str, Episode] = field(default_factory=dict)

    def take(self, upsert: AlertUpsert, at_ms: int) -> None:
        """Take an upsert that was told at virtual time ``at_ms``, epoch ms."""
        if upsert.status == "resolved":
            ended = self._open.pop(upsert.fingerprint, None)
            if ended is not None:
                ended.ended_ms = upsert.ends_at_ms
        elif upsert.fingerprint not in self._open:
            labels, began_ms = upsert.labels, upsert.starts_at_ms
            begun = Episode(
                labels["model"],
                labels["alertname"],
                labels.get("feature", ""),
                began_ms,
                max(at_ms, began_ms),
            )
            self._open[upsert.fingerprint] = begun
            self.all.append(begun)


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that went wrong with a model, as people know it.

    Parameters
    ----------
    start_ms, end_ms
        Epoch ms, both within it.
    features
        Only alerts about one of these detect it; with none, any alert of the model does.
    """

    name: str
    model: str
    start_ms: int
    end_ms: int
    features: frozenset[str] = frozenset()

    def covers(self, episode: Episode, grace_ms: int) -> bool:
        """Return whether an alert of its model begins between its start and its end, or a grace later."""
        return episode.model == self.model and self.start_ms <= episode.began_ms <= self.end_ms + grace_ms

    def is_about(self, episode: Episode) -> bool:
        """Return whether an alert is of its model and about what it says went wrong."""
        return episode.model == self.model and (not self.features or episode.feature in self.features)


@dataclass(frozen=True, slots=True)
class Detection:
    """Whether, by what and how fast an incident was detected.

    Parameters
    ----------
    first
        The alert told first of those that detect it.
    fired_before
        Whether an alert about it began before its start, and still fired then: it says nothing of the
        incident, and may have hidden it.
    """

    incident: Incident
    first: Episode | None
    fired_before: bool

    @property
    def delay_ms(self) -> int | None:
        """From the incident's start until its first alert was told; None if it was missed."""
        return None if self.first is None else self.first.told_ms - self.incident.start_ms


def detect(incident: Incident, episodes: Iterable[Episode], grace_ms: int) -> Detection:
    """Return what became of an incident: the first of the alerts that begin within it detects it."""
    about = [one for one in episodes if incident.is_about(one)]
    within = [one for one in about if incident.covers(one, grace_ms)]
    fired_before = any(
        one.began_ms < incident.start_ms and (one.ended_ms is None or one.ended_ms > incident.start_ms)
        for one in about
    )
    return Detection(incident, min(within, key=lambda one: one.told_ms, default=None), fired_before)


def false_alarms(episodes: Iterable[Episode], incidents: Sequence[Incident], grace_ms: int) -> list[Episode]:
    """Return the alerts that begin within no incident of their model, whatever feature they are about."""
    return [one for one in episodes if not any(incident.covers(one, grace_ms) for incident in incidents)]
