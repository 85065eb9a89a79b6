"""What a model's owner expects of a feature, whatever the reference."""

from pydantic import Field

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.expected import Answer, Expectation, judge
from detectors.sentence import quantity, shorten
from detectors.significance import SignificanceParams
from detectors.window import Window

_SHOWN = 2


class ExpectationParams(SignificanceParams):
    """Parameters of the expectations."""

    threshold: float = Field(
        default=0.0, ge=0.0, description="failing expectations that are tolerated (count)"
    )
    expectations: tuple[Expectation, ...] = Field(
        default=(),
        max_length=64,
        description="the feature's `expect`; written there, not here",
    )


class FeatureExpectation(Detector[ExpectationParams]):
    """Fires when a window does not meet what the monitor's owner expects of a feature (``expect``).

    ``score`` is the number of expectations that fail by more than chance explains with probability
    ``alpha`` (`expected.judge`). One that the window cannot tell (no values) makes the verdict
    *insufficient*, unless another fails.

    References
    ----------
    Great Expectations, Expectation Gallery, for the names: ``expect_column_values_to_not_be_null`` is
    ``not_be_null`` here.
    """

    name = "expectation"
    kind = "ExpectationFailed"
    targets = frozenset({"number", "category"})
    also = frozenset({"MissingValues", "OutOfRange", "NewCategories", "ConstantColumn"})
    params_class = ExpectationParams
    default = True

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge every expectation."""
        column = window.column(self.column)
        rows = 0 if column is None else column.rows
        if column is None or rows < self.params.min_samples:
            reason = shortage(rows, self.params.min_samples, "row")
            return self.insufficient(rows, f"{shorten(self.column)}: {reason}")
        found = {one: judge(one, column, self.params.alpha) for one in self.params.expectations}
        failed = {one: answer for one, answer in found.items() if answer is not None and answer.fails}
        unknown = [one for one, answer in found.items() if answer is None]
        if unknown and not failed:
            return self.insufficient(rows, f"{shorten(self.column)}: no values to judge {unknown[0].name} by")
        details = [
            {"expectation": one.name, "expected": answer.expected, "found": answer.found}
            for one, answer in failed.items()
        ]
        evidence = Evidence(
            self._sentence(list(failed.values()), rows), value=float(len(failed)), details={"failed": details}
        )
        return self.verdict(float(len(failed)), rows, evidence)

    def _sentence(self, failed: list[Answer], rows: int) -> str:
        seen = quantity(rows, "event")
        if not failed:
            held = quantity(len(self.params.expectations), "expectation")
            return f"{shorten(self.column)}: {held} met over {seen}"
        told = "; ".join(f"expected {one.expected}, found {one.found}" for one in failed[:_SHOWN])
        more = f"; {len(failed) - _SHOWN} more fail" if len(failed) > _SHOWN else ""
        return f"{shorten(self.column)}: {told} over {seen}{more}"
