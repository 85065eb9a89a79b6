"""Which column of a table holds what: the reading plan of a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from detectors.sentence import quantity
from driftline.errors import DriftlineError
from streams.layout import Role
from streams.stages.fleet import Watched

#: Of tables of labels, which may be others than those of predictions.
LABEL_FIELDS = ("label", "label_ts")
FIELDS = ("id", "model", "version", "ts", "prediction", "latency_ms", "error")


class MissingColumnError(DriftlineError):
    """A table lacks a column that is needed; the message says how to name another."""


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """Where the values of one model's batch come from; None is a column the file does not have."""

    numbers: tuple[tuple[str, Role, str | None], ...]
    categories: tuple[tuple[str, bool, str | None], ...]
    segments: tuple[str | None, ...]
    attributions: tuple[str | None, ...] = ()

    @property
    def sources(self) -> set[str]:
        """Columns of the file this needs."""
        wanted = [column for *_, column in (*self.numbers, *self.categories)]
        return {column for column in (*wanted, *self.segments, *self.attributions) if column is not None}


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """The column of each field of the event, and of what each model is given."""

    fields: Mapping[str, str | None] = field(default_factory=dict)
    models: Mapping[str, ModelPlan] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Columns of the file that are needed."""
        fields = {column for column in self.fields.values() if column is not None}
        return sorted(fields.union(*(plan.sources for plan in self.models.values())))

    @property
    def text_columns(self) -> list[str]:
        """Those of them that hold names, which repeat."""
        held = {self.fields["model"], self.fields["version"], self.fields["error"]}
        for plan in self.models.values():
            held |= {column for *_, column in plan.categories} | set(plan.segments)
        return sorted(column for column in held if column is not None)


@dataclass(slots=True)
class Planner:
    """Finds what monitors ask for among the columns of files.

    Parameters
    ----------
    path
        The file, for messages.
    mapping
        Which column holds what, where it is not named so.
    note
        Told, once each, what is odd but no error.
    timed
        Whether a table without ``ts`` is an error.
    """

    path: Path
    watched: Mapping[str, Watched]
    mapping: Mapping[str, str]
    note: Callable[[str], None]
    timed: bool
    _names: frozenset[str] = frozenset()

    def plan(self, names: Sequence[str]) -> ReadingPlan:
        """Return where to read what, of a file with columns of these names.

        Raises
        ------
        MissingColumnError
            If one is missing that must be there, twice there, or the mapping names what is not there.
        """
        twice = sorted(name for name in set(names) if list(names).count(name) > 1)
        if twice:
            raise MissingColumnError(f"{self.path}: column {twice[0]!r} is there twice; rename one")
        self._names = frozenset(names)
        self._check_mapping()
        fields = {name: self._source(name) for name in FIELDS}
        if self.timed and fields["ts"] is None:
            raise self._missing("ts", "the time of each row; every row needs one")
        if fields["model"] is None and len(self.watched) != 1:
            raise self._missing("model", f"{len(self.watched)} monitors, so each row must say its model")
        return ReadingPlan(fields, {model: self._plan_of(one) for model, one in self.watched.items()})

    def _plan_of(self, watched: Watched) -> ModelPlan:
        monitor, layout = watched.monitor, watched.layout
        numbers = tuple((one.name, one.role, self._column(one.name, one.role)) for one in layout.numbers)
        categories = tuple(
            (
                one.name,
                one.role == "feature" and monitor.features[one.name].type == "boolean",
                self._column(one.name, one.role),
            )
            for one in layout.categories
        )
        segments = tuple(self._of("segments", name) for name in monitor.segments)
        found = {name: column for name, *_, column in (*numbers, *categories)}
        self._check_plan(monitor.model, list(monitor.features), found)
        for name, column in zip(monitor.segments, segments, strict=True):
            if column is None:
                self.note(f"{self.path}: no column for segment {name!r} of {monitor.model}; it is blank")
        attributions = tuple(self._source(f"attributions.{name}") for name in layout.features)
        return ModelPlan(numbers, categories, segments, attributions)

    def _check_plan(self, model: str, features: Sequence[str], found: Mapping[str, str | None]) -> None:
        predictions = [name for name in found if name.split(".")[0] == "prediction" and name not in features]
        if not any(found[name] for name in predictions):
            if self.timed:
                raise self._missing(predictions[0], f"what {model} predicted")
            self.note(f"{self.path}: no column for the prediction of {model}; its drift cannot be judged")
        absent = [name for name in features if found[name] is None]
        if features and len(absent) == len(features):
            raise MissingColumnError(
                f"{self.path}: none of the features of {model} is a column; "
                f"name them with --map, e.g. {absent[0]}=COLUMN. There are: {self._shown()}"
            )
        if absent:
            shown = ", ".join(absent[:5]) + (", …" if len(absent) > 5 else "")
            self.note(
                f"{self.path}: no column for {quantity(len(absent), 'feature')} of {model} ({shown}); all missing"
            )

    def _column(self, name: str, role: Role) -> str | None:
        return self._of("features", name) if role == "feature" else self._source(name)

    def _of(self, group: str, name: str) -> str | None:
        """Return the column of a feature or segment; the event's own fields keep their plain names."""
        qualified = self._source(f"{group}.{name}")
        return qualified if qualified is not None or name in FIELDS else self._source(name)

    def _source(self, name: str) -> str | None:
        column = self.mapping.get(name, name)
        return column if column in self._names else None

    def _check_mapping(self) -> None:
        known = {*FIELDS, *LABEL_FIELDS}
        for one in self.watched.values():
            known |= {column.name for column in one.layout.numbers}
            known |= {column.name for column in one.layout.categories}
            for group, names in (("features", one.monitor.features), ("segments", one.monitor.segments)):
                known |= {*names, *(f"{group}.{name}" for name in names)}
            known |= {f"attributions.{name}" for name in one.monitor.features}
        for target, column in self.mapping.items():
            if target not in known:
                raise MissingColumnError(
                    f"--map {target}={column}: {target!r} is neither a field ({', '.join(FIELDS)}) nor a "
                    "feature or segment of a monitor; correct its spelling"
                )
            if column not in self._names and target not in LABEL_FIELDS:
                raise MissingColumnError(
                    f"--map {target}={column}: {self.path} has no column {column!r}; there are: {self._shown()}"
                )

    def _missing(self, field: str, why: str) -> MissingColumnError:
        return MissingColumnError(
            f"{self.path}: no column {field!r} ({why}); name another with --map {field}=COLUMN. "
            f"There are: {self._shown()}"
        )

    def _shown(self) -> str:
        names = sorted(self._names)
        return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
