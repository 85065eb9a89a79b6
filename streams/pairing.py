"""Which number features' pairs are counted: what `correlation_drift` says, or the first of the monitor."""

from detectors.correlation_drift import CorrelationDrift, CorrelationDriftParams
from streams.layout import Layout
from streams.monitor import Monitor


def paired_names(monitor: Monitor) -> tuple[str, ...]:
    """Return the features whose pairs are counted, in the monitor's order; none where there is no pair."""
    settings = monitor.settings(CorrelationDrift.name)
    if settings is None:
        return ()
    params = CorrelationDriftParams.model_validate(settings.params)
    numbers = [name for name, feature in monitor.features.items() if feature.type == "number"]
    chosen = [name for name in numbers if name in params.features]
    names = tuple(chosen or numbers[: params.max_features])
    return names if len(names) > 1 else ()


def paired_positions(monitor: Monitor, layout: Layout) -> tuple[int, ...]:
    """Return where those stand among the layout's number columns, ascending."""
    names = frozenset(paired_names(monitor))
    return tuple(position for position, column in enumerate(layout.numbers) if column.name in names)
