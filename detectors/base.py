"""The one interface of all detectors: parameters in, verdicts out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar, TypeVarTuple

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from detectors.window import Window

Status = Literal["firing", "ok", "insufficient"]
Target = Literal["number", "category", "prediction", "latency", "model", "outcome"]
Severity = Literal["critical", "warning", "info"]
Ts = TypeVarTuple("Ts")


class Params(BaseModel):
    """Parameters every detector shares; a detector's own `Params` adds to them."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    threshold: float = Field(description="fires when the score is above this")
    min_samples: int = Field(default=500, ge=1, description="events (or values) needed before a verdict")


P = TypeVar("P", bound=Params)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a person needs in order to believe a verdict.

    Parameters
    ----------
    sentence
        One sentence a person can act on: what, how much, against what.
    value
        The figure the sentence speaks of, in the unit of the column or rate.
    labels, reference, current
        Both distributions as shares of one to six digits, aligned with ``labels``; empty where there is none.
    details
        Small extra figures, JSON-able, e.g. ``{"mean": [41.2, 63.0]}``.
    """

    sentence: str
    value: float | None = None
    labels: tuple[str, ...] = ()
    reference: tuple[float, ...] = ()
    current: tuple[float, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    _make: Any = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def when_asked(cls, make: Callable[[*Ts], "Evidence"], *given: *Ts) -> "Evidence":
        """Return evidence that is made when it is first looked at: of most verdicts nobody looks at it.

        What ``make`` is given, or uses, must stay as it is.
        """
        later = object.__new__(cls)
        object.__setattr__(later, "_make", (make, given))
        return later

    if not TYPE_CHECKING:  # lest any name were one of its attributes

        def __getattr__(self, name: str) -> Any:
            """Make the evidence, whose attributes are not there yet."""
            if name not in self.__slots__ or name == "_make" or self._make is None:
                raise AttributeError(name)
            make, given = self._make
            made = make(*given)
            for one in fields(Evidence):
                object.__setattr__(self, one.name, getattr(made, one.name))
            return getattr(self, name)


class Verdict(msgspec.Struct, frozen=True):
    """A detector's judgement of one window. ``score`` is higher when worse; fires at score > threshold.

    ``status`` is ``insufficient`` where there is too little to judge by; that never resolves an alert,
    and ``evidence.sentence`` then says what is missing. Unless the detector takes back what it has said so far
    (``withdrawn``): what it fires is then over at once, and the sentence says why.
    """

    detector: str
    kind: str
    column: str
    status: Status
    score: float
    threshold: float
    samples: int
    evidence: Evidence
    withdrawn: bool = False


class Detector(Generic[P]):
    """Judges one column, or the model as a whole, window after window.

    Subclasses set the class attributes, define a ``Params`` and implement `observe`; or, where many columns
    are judged in little more time than one, `observe_many`. Those that keep state between windows also
    implement `snapshot` and `restore`; restoring a snapshot must lead to the same later verdicts as never
    having stopped.
    """

    #: Name in the monitor file and in verdicts.
    name: ClassVar[str]
    #: Alert kind it speaks for: `alertname`, and the runbook's file name.
    kind: ClassVar[str]
    #: What it judges; one instance is made per column of these targets ("model": one per model).
    targets: ClassVar[frozenset[Target]]
    #: Class of its parameters, with defaults for every field.
    params_class: ClassVar[type[Params]]
    #: On unless the monitor file says ``<name>: false``.
    default: ClassVar[bool] = False
    #: Severity of its alerts unless the monitor file says otherwise.
    severity: ClassVar[Severity] = "warning"
    #: Alert kinds that say less of the same: while it fires about a column they are named in its alert.
    also: ClassVar[frozenset[str]] = frozenset()
    #: "pane": observes when a pane closes. "tick": on processing-time ticks (`Window.now_ms`).
    #: "outcome": when labels have come in (`Window.outcomes`); its column is a performance metric.
    observes: ClassVar[Literal["pane", "tick", "outcome"]] = "pane"
    #: "version": judges each version (and segment) on its own. "model": the model's traffic as a whole.
    scope: ClassVar[Literal["model", "version"]] = "version"
    #: Needs a reference window; without one its verdict is `insufficient`.
    needs_reference: ClassVar[bool] = False

    def __init__(self, params: P, column: str = "") -> None:
        self.params = params
        self.column = column

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge ``window`` against ``reference``."""
        return self.observe_many([self], window, reference)[0]

    @classmethod
    def observe_many(
        cls, detectors: Sequence[Self], window: Window, reference: Window | None
    ) -> list[Verdict]:
        """Judge by several detectors of this class and of equal parameters; each says what it would by itself."""
        return [one.observe(window, reference) for one in detectors]

    def is_idle(self, window: Window, reference: Window | None) -> bool:
        """Return whether there is nothing it could ever judge here: then it is not asked, and says nothing."""
        return False

    def snapshot(self) -> Any:
        """Return the state as JSON-able data; None when there is none."""
        return None

    def restore(self, snapshot: Any) -> None:
        """Take up the state of a `snapshot`."""

    def verdict(
        self, score: float, samples: int, evidence: Evidence, *, threshold: float | None = None
    ) -> Verdict:
        """Return *firing* or *ok*, by the score against the threshold in force."""
        limit = self.params.threshold if threshold is None else threshold
        status: Status = "firing" if score > limit else "ok"
        return Verdict(self.name, self.kind, self.column, status, score, limit, samples, evidence)

    def insufficient(self, samples: int, reason: str) -> Verdict:
        """Return the verdict that says there is not enough to judge by, and why."""
        return Verdict(
            self.name,
            self.kind,
            self.column,
            "insufficient",
            0.0,
            self.params.threshold,
            samples,
            Evidence(reason),
        )
