"""What a model is asked to predict, and one outcome (prediction and label) as a tally."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from detectors.outcomes.tally import Key, Tally, fixed, times

TaskKind = Literal["score", "class", "probabilities", "number"]
Predicted = float | str | Mapping[str, float]
Label = bool | float | str

#: In a tally: labels that said nothing about the task, or whose prediction did not.
UNUSABLE: Key = ("unusable",)
POSITIVE, NEGATIVE, OTHER = "positive", "negative", "other"
#: Classes of a `probabilities` task that get a score table each, in the order they are listed.
RANKED_CLASSES = 20
#: Equal-width bins of the calibration error.
CALIBRATION_BINS = 15
#: Probabilities are kept this far from 0 and 1 in the log loss, as the spacing of floats at 1.
LEAST_PROBABILITY = 2.0**-52

_OCTAVES, _PER_OCTAVE = 20, 128
_HALF = 1 + (_OCTAVES - 1) * _PER_OCTAVE
_TRUTHS: Mapping[Label, bool] = {
    True: True,
    False: False,
    "1": True,
    "0": False,
    "true": True,
    "false": False,
}


class UnusableError(ValueError):
    """A prediction or label that says nothing about this task; the message says why."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is predicted, and how a label is read.

    Parameters
    ----------
    kind
        ``score``: probability of the positive class. ``class``: a name. ``probabilities``: one per class.
        ``number``: regression.
    classes
        The classes there are (for ``class`` and ``probabilities``); any other is counted as ``other``.
    positive
        The label that means positive (for ``score``); any other text is negative then. Without it, labels
        are true or false, 1 or 0.
    decision
        Scores from here on (0 to 1) count as predicted positive.
    """

    kind: TaskKind
    classes: tuple[str, ...] = ()
    positive: Label | None = None
    decision: float = 0.5

    def outcome(self, predicted: Predicted, label: Label) -> Tally:
        """Return one outcome.

        Raises
        ------
        UnusableError
            When prediction or label are not of this task.

        Examples
        --------
        >>> Task("class", ("cat", "dog")).outcome("cat", "dog")
        {('n',): 1, ('pair', 'dog', 'cat'): 1}
        """
        tally: Tally = {("n",): 1}
        match self.kind:
            case "score":
                self._score(tally, _probability(predicted), self._is_positive(label))
            case "class":
                if not isinstance(predicted, str):
                    raise UnusableError(f"the prediction {predicted!r} is no class name")
                _count_pair(tally, self._class(label), self._class(predicted))
            case "probabilities":
                self._probabilities(tally, predicted, self._class(label))
            case "number":
                _numbers(tally, _number(predicted, "prediction"), _number(label, "label"))
        return tally

    def is_of(self, name: str, label: Label) -> bool:
        """Return whether a label says that a class is the true one; of a score, ``positive`` is.

        Raises
        ------
        UnusableError
            When the label is not of this task.
        """
        return self._is_positive(label) if self.kind == "score" else self._class(label) == name

    def _is_positive(self, label: Label) -> bool:
        if self.positive is not None:
            return _text(label) == _text(self.positive)
        found = _TRUTHS.get(label.lower() if isinstance(label, str) else label)
        if found is None:
            raise UnusableError(
                f"the label {label!r} is neither true nor false, 1 nor 0; name the positive one: "
                "`labels: {positive: ...}`"
            )
        return found

    def _class(self, label: Label) -> str:
        name = _text(label)
        return name if name in self.classes else OTHER

    def _score(self, tally: Tally, score: float, truth: bool) -> None:
        predicted = POSITIVE if score >= self.decision else NEGATIVE
        _count_pair(tally, POSITIVE if truth else NEGATIVE, predicted)
        tally[("bin", POSITIVE, str(score_bin(score)), str(int(truth)))] = 1
        _count_calibration(tally, score, truth)
        _count_loss(tally, "log_loss", -math.log(max(score if truth else 1.0 - score, LEAST_PROBABILITY)))
        _count_loss(tally, "brier", (score - truth) ** 2)

    def _probabilities(self, tally: Tally, predicted: Predicted, truth: str) -> None:
        if not isinstance(predicted, Mapping):
            raise UnusableError(f"the prediction {predicted!r} is no mapping of classes to probabilities")
        shares = {name: _probability(predicted.get(name, 0.0)) for name in self.classes}
        if not any(shares.values()):
            raise UnusableError("the prediction gives none of the classes a probability")
        chosen = max(self.classes, key=lambda name: shares[name])
        _count_pair(tally, truth, chosen)
        for name in self.classes[:RANKED_CLASSES]:
            tally[("bin", name, str(score_bin(shares[name])), str(int(name == truth)))] = 1
        _count_calibration(tally, shares[chosen], chosen == truth)
        _count_loss(tally, "log_loss", -math.log(max(shares.get(truth, 0.0), LEAST_PROBABILITY)))
        missed = 0.0 if truth in shares else 1.0
        _count_loss(tally, "brier", missed + sum((p - (name == truth)) ** 2 for name, p in shares.items()))


def score_bin(score: float) -> int:
    """Return the bin of a score (0 to 1): a whole number that does not fall as the score grows.

    Bins are narrow towards 0 and 1, where scores of rare classes crowd: 128 to each halving of the
    distance from the nearer end, down to 2**-20, so at most 1/128 of that distance wide.

    Examples
    --------
    >>> [score_bin(score) for score in (0.0, 0.25, 0.5, 0.75, 1.0)]
    [0, 2305, 2433, 2561, 4866]
    """
    distance = min(score, 1.0 - score)
    mantissa, exponent = math.frexp(distance)
    octave = exponent + _OCTAVES - 1
    low = (
        0 if distance < 2.0**-_OCTAVES else 1 + octave * _PER_OCTAVE + int((mantissa - 0.5) * 2 * _PER_OCTAVE)
    )
    return low if score <= 0.5 else 2 * _HALF - low


def score_bounds(place: int) -> tuple[float, float]:
    """Return the lowest and the highest score of a bin of `score_bin`.

    Examples
    --------
    >>> [score_bounds(place) for place in (2305, 2433, 2561)]
    [(0.25, 0.251953125), (0.5, 0.5), (0.748046875, 0.75)]
    """
    if place > _HALF:
        low, high = score_bounds(2 * _HALF - place)
        return 1.0 - high, 1.0 - low
    if place == _HALF:
        return 0.5, 0.5
    if place == 0:
        return 0.0, 2.0**-_OCTAVES
    octave, step = divmod(place - 1, _PER_OCTAVE)
    unit = 2.0 ** (octave - _OCTAVES)
    return unit * (1 + step / _PER_OCTAVE), unit * (1 + (step + 1) / _PER_OCTAVE)


def loss(tally: Mapping[tuple[str, ...], int], name: str) -> tuple[int, int]:
    """Return the sum of a loss and of its squares, both `fixed`."""
    return tally.get(("sum", name, "1"), 0), tally.get(("sum", name, "2"), 0)


def pairs(tally: Mapping[tuple[str, ...], int]) -> Iterator[tuple[str, str, int]]:
    """Yield the confusion matrix: truth, prediction, count."""
    for key, count in tally.items():
        if key[0] == "pair":
            yield key[1], key[2], count


def _count_pair(tally: Tally, truth: str, predicted: str) -> None:
    tally[("pair", truth, predicted)] = 1


def _count_calibration(tally: Tally, confidence: float, right: bool) -> None:
    place = str(min(int(confidence * CALIBRATION_BINS), CALIBRATION_BINS - 1))
    tally[("calibration", place, "n")] = 1
    if right:
        tally[("calibration", place, "right")] = 1
    if confidence:
        tally[("calibration", place, "said")] = fixed(confidence)


def _count_loss(tally: Tally, name: str, number: float) -> None:
    whole = fixed(number)
    if whole:
        tally[("sum", name, "1")] = whole
        tally[("sum", name, "2")] = times(whole, whole)


def _numbers(tally: Tally, predicted: float, truth: float) -> None:
    error = predicted - truth
    _count_loss(tally, "error", error)
    _count_loss(tally, "absolute", abs(error))
    squared = times(fixed(error), fixed(error))
    if squared:
        tally[("sum", "squared", "1")] = squared
        tally[("sum", "squared", "2")] = times(squared, squared)
    if truth:
        tally[("percentages",)] = 1
        _count_loss(tally, "percentage", abs(error / truth))


def _probability(value: object) -> float:
    number = _number(value, "prediction")
    if not 0.0 <= number <= 1.0:
        raise UnusableError(f"the prediction {number!r} is no probability; it must be from 0 to 1")
    return number


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UnusableError(f"the {what} {value!r} is no finite number")
    return float(value)


def _text(label: Label) -> str:
    """Return a label as text: 1 and 1.0 are the same class, and so are true and "true"."""
    if isinstance(label, bool):
        return str(label).lower()
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)
