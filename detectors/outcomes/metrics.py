"""The metrics of a tally: what each says, its sampling error, and why it is undefined where it is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from detectors.outcomes import ranking
from detectors.outcomes.tally import Key, mean_and_error, real
from detectors.outcomes.task import (
    CALIBRATION_BINS,
    OTHER,
    POSITIVE,
    RANKED_CLASSES,
    UNUSABLE,
    Task,
    TaskKind,
    loss,
    pairs,
)

Costs = Mapping[str, Mapping[str, float]]
Better = Literal["higher", "lower", "zero"]

#: Every metric, and where it should be.
METRICS: Mapping[str, Better] = {
    "accuracy": "higher", "precision": "higher", "recall": "higher", "f1": "higher",
    "roc_auc": "higher", "pr_auc": "higher",
    "log_loss": "lower", "brier": "lower", "calibration_error": "lower", "cost": "lower",
    "mae": "lower", "rmse": "lower", "mape": "lower", "bias": "zero",
}  # fmt: skip
_OF_CLASSES = ("accuracy", "precision", "recall", "f1")
_OF_PROBABILITIES = ("roc_auc", "pr_auc", "log_loss", "brier", "calibration_error")
#: The metrics a task has; ``cost`` where the monitor names costs.
OF_TASK: Mapping[TaskKind, tuple[str, ...]] = {
    "score": (*_OF_CLASSES, *_OF_PROBABILITIES, "cost"),
    "probabilities": (*_OF_CLASSES, *_OF_PROBABILITIES, "cost"),
    "class": (*_OF_CLASSES, "cost"),
    "number": ("mae", "rmse", "mape", "bias"),
}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of ``samples`` outcomes.

    Parameters
    ----------
    value
        None where it is undefined; ``why`` says why.
    error
        Its standard error, estimated from the same outcomes; NaN with an undefined value.
    bound
        By how much binned scores may have moved it at most; 0 where it is exact.
    count
        Outcomes a share rests on: of recall the positive ones, of ROC AUC those of the rarer class.
    """

    name: str
    value: float | None
    error: float = float("nan")
    bound: float = 0.0
    samples: int = 0
    why: str = ""
    count: int = 0


def metrics(task: Task, tally: Mapping[Key, int], costs: Costs | None = None) -> dict[str, Metric]:
    """Return all metrics of a task's outcomes, by name.

    - *accuracy*, *precision*, *recall*, *F1*: from the confusion matrix; with several classes precision,
      recall and F1 are unweighted means over the classes where each is defined (macro averages). Precision
      is undefined where nothing was predicted positive, recall where nothing was, F1 without both.
    - *ROC AUC*, *PR AUC* (average precision): see `detectors.outcomes.ranking`; with several classes, means
      of each class against the rest.
    - *log loss*: mean of -ln(probability of the true class), no probability below 2**-52. *Brier*: mean
      squared distance of the probabilities from the truth; for a score that of the positive class alone.
    - *calibration error*: expected difference of said and true frequency over 15 bins of equal width. Its
      standard error holds what chance adds to it where a model is calibrated.
    - *cost*: mean of the costs of the confusion matrix, 0 where none is named.
    - *MAE*, *RMSE*, *bias* (mean of prediction - truth). *MAPE*: mean of |error / truth| over true values
      other than zero, for which there is no percentage; undefined where there are only such.

    References
    ----------
    Brier, G. (1950), Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review 78.
    Guo, C. et al. (2017), On Calibration of Modern Neural Networks, ICML (calibration error).
    Hyndman, R. and Koehler, A. (2006), Another Look at Measures of Forecast Accuracy, International Journal
    of Forecasting 22(4) (MAPE).
    Takahashi, K. et al. (2022), Confidence Interval for Micro-averaged F1 and Macro-averaged F1 Scores,
    Applied Intelligence 52 (F1's error, by the delta method).

    Examples
    --------
    >>> task = Task("number")
    >>> found = metrics(task, task.outcome(3.0, 2.0))
    >>> found["mae"].value, found["bias"].value, found["mape"].value
    (1.0, 1.0, 0.5)
    """
    samples = tally.get(("n",), 0)
    wanted = [name for name in OF_TASK[task.kind] if name != "cost" or costs]
    if samples == 0:
        why = _nothing(tally.get(UNUSABLE, 0))
        return {name: Metric(name, None, why=why) for name in wanted}
    if task.kind == "number":
        found = _of_numbers(tally, samples)
    else:
        found = _of_classes(task, tally, samples) + ([_cost(tally, samples, costs)] if costs else [])
        if task.kind != "class":
            found += _of_probabilities(task, tally, samples)
    return {one.name: one for one in found}


def _nothing(unusable: int) -> str:
    if not unusable:
        return "no prediction has its label yet"
    return f"none of {unusable:,} labels can be held against its prediction; one of the two is not of this model's kind"


# Classes.


@dataclass(frozen=True, slots=True)
class _Confusion:
    """One class against the rest: true and false positives, false negatives."""

    hits: int
    false: int
    missed: int


def _of_classes(task: Task, tally: Mapping[Key, int], samples: int) -> list[Metric]:
    matrix = list(pairs(tally))
    right = sum(count for truth, predicted, count in matrix if truth == predicted != OTHER)
    names = [POSITIVE] if task.kind == "score" else list(task.classes)
    each = [_confusion(matrix, name) for name in names]
    return [
        _share("accuracy", right, samples, samples, ""),
        _mean(
            "precision",
            [_share("precision", one.hits, one.hits + one.false, samples, "") for one in each],
            samples,
            "nothing was predicted positive",
        ),
        _mean(
            "recall",
            [_share("recall", one.hits, one.hits + one.missed, samples, "") for one in each],
            samples,
            "no label is positive",
        ),
        _mean(
            "f1", [_f1(one, samples) for one in each], samples, "nothing is positive, predicted or labelled"
        ),
    ]


def _confusion(matrix: list[tuple[str, str, int]], name: str) -> _Confusion:
    counts: Counter[tuple[bool, bool]] = Counter()
    for truth, predicted, count in matrix:
        counts[(truth == name, predicted == name)] += count
    return _Confusion(counts[(True, True)], counts[(False, True)], counts[(True, False)])


def _share(name: str, hits: int, total: int, samples: int, why: str) -> Metric:
    if total == 0:
        return Metric(name, None, samples=samples, why=why)
    share = hits / total
    return Metric(name, share, (share * (1.0 - share) / total) ** 0.5, samples=samples, count=total)


def _f1(one: _Confusion, samples: int) -> Metric:
    wrong = one.false + one.missed
    total = 2 * one.hits + wrong
    if total == 0:
        return Metric("f1", None, samples=samples)
    variance = 4.0 * one.hits * wrong * (one.hits + wrong) / total**4
    return Metric("f1", 2 * one.hits / total, variance**0.5, samples=samples, count=one.hits + wrong)


def _mean(name: str, each: list[Metric], samples: int, why: str) -> Metric:
    """Return the mean over classes; its error as of fully dependent ones, hence never too small."""
    found = [(one.value, one.error, one.count) for one in each if one.value is not None]
    if not found:
        return Metric(name, None, samples=samples, why=why)
    values, errors, counts = zip(*found, strict=True)
    return Metric(
        name, sum(values) / len(found), sum(errors) / len(found), samples=samples, count=sum(counts)
    )


def _cost(tally: Mapping[Key, int], samples: int, costs: Costs) -> Metric:
    paid = [(costs.get(truth, {}).get(predicted, 0.0), count) for truth, predicted, count in pairs(tally)]
    mean = sum(cost * count for cost, count in sorted(paid)) / samples
    variance = sum((cost - mean) ** 2 * count for cost, count in sorted(paid)) / samples
    return Metric("cost", mean, (variance / samples) ** 0.5, samples=samples)


# Probabilities.


def _of_probabilities(task: Task, tally: Mapping[Key, int], samples: int) -> list[Metric]:
    names = (POSITIVE,) if task.kind == "score" else task.classes[:RANKED_CLASSES]
    tables = [ranking.table(tally, name) for name in names]
    roc = ranking.averaged(area for one in tables if (area := ranking.roc_area(*one)))
    pr = ranking.averaged(area for one in tables if (area := ranking.pr_area(*one)))
    return [
        _area("roc_auc", roc, samples, sum(map(_rarer, tables)), _one_class(tally)),
        _area("pr_auc", pr, samples, sum(int(one[1].sum()) for one in tables), "no label is positive"),
        _loss("log_loss", tally, samples),
        _loss("brier", tally, samples),
        _calibration(tally, samples),
    ]


def _one_class(tally: Mapping[Key, int]) -> str:
    truths = sorted({truth for truth, _, _ in pairs(tally)})
    return f"all labels are {truths[0]}: there is nothing to tell apart"


def _rarer(one: tuple[ranking.Counts, ranking.Counts]) -> int:
    return min(int(one[0].sum()), int(one[1].sum()))


def _area(name: str, area: ranking.Area | None, samples: int, count: int, why: str) -> Metric:
    if area is None:
        return Metric(name, None, samples=samples, why=why)
    return Metric(name, area.value, area.error, area.bound, samples, count=count)


def _loss(name: str, tally: Mapping[Key, int], samples: int) -> Metric:
    value, error = mean_and_error(samples, *loss(tally, name))
    return Metric(name, value, error, samples=samples)


def _calibration(tally: Mapping[Key, int], samples: int) -> Metric:
    gap = noise = variance = 0.0
    for place in map(str, range(CALIBRATION_BINS)):
        count = tally.get(("calibration", place, "n"), 0)
        if count:
            right = tally.get(("calibration", place, "right"), 0) / count
            said = real(tally.get(("calibration", place, "said"), 0)) / count
            weight, spread = count / samples, right * (1.0 - right) / count
            gap += weight * abs(right - said)
            # Mean of the absolute value of a normal of that variance (Leone et al. 1961, the folded normal).
            noise += weight * (spread * 0.6366197723675814) ** 0.5
            variance += weight**2 * spread
    return Metric("calibration_error", gap, noise + variance**0.5, samples=samples)


# Numbers.


def _of_numbers(tally: Mapping[Key, int], samples: int) -> list[Metric]:
    mae, mae_error = mean_and_error(samples, *loss(tally, "absolute"))
    square, square_error = mean_and_error(samples, *loss(tally, "squared"))
    bias, bias_error = mean_and_error(samples, *loss(tally, "error"))
    rmse = square**0.5
    # Delta method: the root of a mean has its error, halved and divided by the root.
    rmse_error = square_error / (2.0 * rmse) if rmse else 0.0
    return [
        Metric("mae", mae, mae_error, samples=samples),
        Metric("rmse", rmse, rmse_error, samples=samples),
        _percentage(tally),
        Metric("bias", bias, bias_error, samples=samples),
    ]


def _percentage(tally: Mapping[Key, int]) -> Metric:
    count = tally.get(("percentages",), 0)
    if count == 0:
        return Metric("mape", None, why="every true value is zero, of which there is no percentage")
    value, error = mean_and_error(count, *loss(tally, "percentage"))
    return Metric("mape", value, error, samples=count)
