"""When which incident happens: a pure function of the seconds since the demo began."""

from dataclasses import dataclass

#: After this the timetable begins again.
CYCLE_S = 460.0
SURGE = 4.0


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that goes wrong, from ``begins_s`` until ``ends_s`` of each cycle.

    Parameters
    ----------
    kind
        The alert kind that must tell of it.
    column
        The column that alert is about; empty for the model as a whole.
    rate
        Times the usual traffic while it lasts.
    says
        What a person would be told.
    also
        Kinds that tell of it too, about the same column.
    """

    name: str
    begins_s: float
    ends_s: float
    kind: str
    column: str
    says: str
    rate: float = 1.0
    also: tuple[str, ...] = ()


TIMETABLE = (
    Incident("income_in_thousands", 20, 34, "FeatureDrift", "income", "income now arrives in thousands"),
    Incident(
        "employment_null", 46, 60, "MissingValues", "employment_years", "employment_years is null in every event"
    ),
    Incident("slow", 70, 84, "LatencyHigh", "", "the model takes ten times as long"),
    Incident("new_channel", 96, 110, "NewCategories", "channel", "a partner sends applications: a new channel"),
    Incident("errors", 120, 132, "ErrorRateHigh", "", "one prediction in twelve fails"),
    Incident("debt_in_percent", 144, 158, "OutOfRange", "debt_ratio", "some debt ratios arrive as percent"),
    Incident("age_as_text", 168, 180, "InvalidEvents", "", "one event in fifteen sends age as text"),
    Incident("renamed", 192, 204, "UnexpectedFeatures", "", "events carry income_eur beside income"),
    Incident("bad_calibration", 216, 230, "PredictionDrift", "prediction", "scores come out far too high"),
    Incident("no_houseboats", 242, 258, "VanishedCategories", "housing", "houseboats are gone from housing"),
    Incident("older_people", 268, 314, "MeanShift", "age", "applicants are four years older than usual",
             also=("FeatureDrift",)),
    Incident("surge", 326, 342, "TrafficSurge", "", "a client retries: four times the traffic", rate=SURGE),
    Incident("silence", 356, 378, "TrafficSilence", "", "the producer falls silent", rate=0.0),
    Incident("stale", 400, 432, "StaleStream", "", "events come five minutes late"),
)  # fmt: skip


def active(elapsed_s: float) -> tuple[Incident, ...]:
    """Return the incidents at a time.

    Parameters
    ----------
    elapsed_s
        Seconds since the demo began, 0 upwards.

    Examples
    --------
    >>> [incident.name for incident in active(25.0)], active(5.0)
    (['income_in_thousands'], ())
    """
    at_s = elapsed_s % CYCLE_S
    return tuple(one for one in TIMETABLE if one.begins_s <= at_s < one.ends_s)


def events_due(elapsed_s: float, rate_per_second: float) -> int:
    """Return how many events are sent until a time: the usual rate, but for surge and silence.

    Examples
    --------
    >>> events_due(10.0, 400), events_due(356.0, 400) == events_due(378.0, 400)
    (4000, True)
    """
    cycles, at_s = divmod(elapsed_s, CYCLE_S)
    return int(rate_per_second * (cycles * _weighted(CYCLE_S) + _weighted(at_s)))


def _weighted(at_s: float) -> float:
    """Return the seconds of a cycle until ``at_s``, each weighted with its rate."""
    changed = (
        (one.rate - 1) * (min(at_s, one.ends_s) - one.begins_s) for one in TIMETABLE if one.begins_s < at_s
    )
    return at_s + sum(changed)


def clock(elapsed_s: float) -> str:
    """Return a time as minutes and seconds.

    Examples
    --------
    >>> clock(84.2)
    '01:24'
    """
    minutes, seconds = divmod(int(elapsed_s), 60)
    return f"{minutes:02d}:{seconds:02d}"
