"""Columns judged at once: each as if it were alone, and as it was when each was judged by itself."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from odd_columns import CATEGORIES, NUMBERS, odd_windows

from detectors.base import Detector, Verdict
from detectors.columns import side_by_side
from detectors.registry import DETECTORS, AnyDetector, build

#: Detectors that judge many columns at once; the confidence is always one.
AT_ONCE = [
    name
    for name, cls in DETECTORS.items()
    if cls.observe_many.__func__ is not Detector.observe_many.__func__ and name != "confidence_drift"  # type: ignore[attr-defined]
]
_NUMBER = re.compile(r"\d[\d,]*\.?\d*(?:e-?\d+)?")
#: Verdicts on `odd_windows` by the detectors that judged each column by itself: pane, detector, column,
#: status, score, threshold, samples, sentence.
GOLDEN = Path(__file__).parent / "golden" / "odd_verdicts.json"


def made(name: str) -> list[AnyDetector]:
    """Return a detector for each of the odd columns it may judge."""
    targets = DETECTORS[name].targets
    columns = (*NUMBERS, *CATEGORIES) if "prediction" in targets else ()
    columns = columns or (NUMBERS if "number" in targets else ()) + (
        CATEGORIES if "category" in targets else ()
    )
    return [build(name, {"min_samples": 100}, column) for column in columns]


def judged(detectors: Sequence[AnyDetector], seed: int) -> Iterator[tuple[int, list[Verdict]]]:
    for at, (window, reference) in enumerate(odd_windows(seed)):
        yield at, type(detectors[0]).observe_many(detectors, window, reference)


@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("name", AT_ONCE)
def test_a_column_among_many_is_judged_as_if_it_were_alone(name: str, seed: int) -> None:
    together, alone = made(name), made(name)
    for (_, verdicts), (window, reference) in zip(judged(together, seed), odd_windows(seed), strict=True):
        for mine, single in zip(verdicts, alone, strict=True):
            assert_alike(told(mine), told(single.observe(window, reference)))
    for one, single in zip(together, alone, strict=True):
        assert_alike(one.snapshot(), single.snapshot())


@pytest.mark.parametrize("name", sorted({row[1] for row in json.loads(GOLDEN.read_text())}))
def test_verdicts_are_those_of_judging_column_by_column(name: str) -> None:
    wanted = {(at, column): rest for at, of, column, *rest in json.loads(GOLDEN.read_text()) if of == name}
    found = {
        (at, one.column): [one.status, one.score, one.threshold, one.samples, one.evidence.sentence]
        for at, verdicts in judged(made(name), 1)
        for one in verdicts
    }
    assert len(wanted) > 20
    for place, row in wanted.items():
        assert_alike(found[place], row)


def test_the_odd_columns_make_every_kind_of_verdict() -> None:
    statuses = {row[3] for row in json.loads(GOLDEN.read_text())}
    assert statuses == {"firing", "ok", "insufficient"}


def test_narrow_columns_are_filled_up_with_empty_bins() -> None:
    assert side_by_side([np.array([1, 2]), np.array([3, 4])]).tolist() == [[1, 2], [3, 4]]
    assert side_by_side([np.zeros(0, np.int64), np.array([5])]).tolist() == [[0], [5]]


def told(verdict: Verdict) -> list[Any]:
    evidence = verdict.evidence
    return [
        verdict.status, verdict.score, verdict.threshold, verdict.samples, evidence.sentence, evidence.value,
        list(evidence.labels), list(evidence.reference), list(evidence.current), dict(evidence.details),
    ]  # fmt: skip


def assert_alike(found: Any, wanted: Any) -> None:
    """The same, numbers to nine digits, in texts to two: sums of floats depend on how many are summed at once."""
    if isinstance(wanted, str):
        assert _NUMBER.sub("#", found) == _NUMBER.sub("#", wanted)
        mine, theirs = (
            [float(one.replace(",", "")) for one in _NUMBER.findall(text)] for text in (found, wanted)
        )
        assert mine == pytest.approx(theirs, rel=1e-2)
    elif isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key, one in wanted.items():
            assert_alike(found[key], one)
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted)
        for mine, theirs in zip(found, wanted, strict=True):
            assert_alike(mine, theirs)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12, nan_ok=True)
    else:
        assert found == wanted
