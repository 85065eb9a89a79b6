"""Which outcomes are judged: settled ones, newest first, against those before; and what the judge makes of it."""

from typing import Any

import pytest

from detectors.outcomes.task import UNUSABLE, Task
from streams.joins.book import OutcomeBook
from streams.joins.outcome_bench import OutcomeBench, outcome_bench
from streams.joins.outcomes import LABELS, PREDICTIONS, Outcomes
from streams.joins.wire import outcome_row, outcomes_of
from streams.judge import ModelJudge
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.wire import OutcomeKey, encode

HOUR_MS = 3_600_000
TASK = Task("score")


def row(fence: int, one: Outcomes) -> bytes:
    return encode(outcome_row(fence, one))


def monitor(**labels: Any) -> Monitor:
    return Monitor.model_validate({"model": "churn", "labels": {"window": "2h", "horizon": "1d"} | labels})


def bench(**labels: Any) -> OutcomeBench:
    found = outcome_bench(monitor(**labels))
    assert found is not None
    return found


def pane(
    hour: int, predictions: int = 100, labels: int = 100, *, right: float = 0.9, final: bool = False
) -> Outcomes:
    """A pane of which so many have labels; the share ``right`` of them is as predicted."""
    tally: dict[tuple[str, ...], int] = {PREDICTIONS: predictions, LABELS: labels}
    for number in range(labels):
        truth = number % 2 == 0
        score = 0.8 if truth == (number < right * labels) else 0.2
        for key, count in TASK.outcome(score, truth).items():
            tally[key] = tally.get(key, 0) + count
    return Outcomes(hour * HOUR_MS, (hour + 1) * HOUR_MS, tally, 1.0, final)


def test_the_window_ends_with_the_newest_pane_whose_labels_are_in() -> None:
    panes = [pane(0), pane(1), pane(2), pane(3), pane(4, labels=10)]
    window, before = bench().windows("1", "", panes)
    assert window.outcomes is not None
    assert before is not None
    assert before.outcomes is not None
    assert (window.outcomes.start_ms, window.outcomes.end_ms) == (2 * HOUR_MS, 4 * HOUR_MS)
    assert (before.outcomes.start_ms, before.outcomes.end_ms) == (0, 2 * HOUR_MS)
    assert (window.outcomes.predictions, window.outcomes.labels, window.outcomes.waiting) == (200, 200, 100)


def test_without_enough_labels_nothing_is_judged_and_that_is_said() -> None:
    made = bench()
    window, before = made.windows("1", "", [pane(0, labels=10)])
    assert before is None
    verdicts = [one.observe(window, before) for one in made.detectors]
    assert {one.status for one in verdicts} == {"insufficient"}
    assert {one.evidence.sentence for one in verdicts} == {
        "0 of 100 predictions have labels that are settled"
    }


def test_a_pane_past_the_horizon_is_settled_with_whatever_it_has() -> None:
    window, _ = bench().windows("1", "", [pane(0, labels=10, final=True)])
    assert window.outcomes is not None
    assert window.outcomes.labels == 10


WAYS = {"adwin_loss": {}, "page_hinkley_loss": {}, "ddm": {}, "hddm": {}}


def test_the_loss_of_settled_panes_is_followed_where_a_way_is_turned_on() -> None:
    assert {one.name for one in bench().detectors} == {"performance", "calibration_drift"}
    watched = Monitor.model_validate({"model": "churn", "labels": {"window": "2h"}, "detectors": WAYS})
    made = outcome_bench(watched)
    assert made is not None
    followed = [(one.name, one.column) for one in made.detectors if one.name in WAYS]
    assert sorted(followed) == sorted((name, "error_rate") for name in WAYS)
    panes = [pane(hour, right=0.9 if hour < 30 else 0.6) for hour in range(40)]
    window, _ = made.windows("1", "", [*panes, pane(40, labels=10)])
    assert window.outcomes is not None
    assert [one.start_ms for one in window.outcomes.losses] == [hour * HOUR_MS for hour in range(40)]
    assert {one.observe(window, None).status for one in made.detectors if one.name in WAYS} == {"firing"}


def test_a_restarted_judge_follows_the_loss_as_if_it_had_never_stopped() -> None:
    watched = Monitor.model_validate({"model": "churn", "labels": {"window": "2h"}, "detectors": WAYS})
    judge, restarted = (ModelJudge(watched, compile_layout(watched)) for _ in range(2))
    for hour in range(40):
        for one in (judge, restarted):
            assert one.outcomes is not None
            one.outcomes.put(
                OutcomeKey(0, "churn", "1", "", hour * HOUR_MS),
                row(hour, pane(hour, right=0.9 if hour < 30 else 0.6)),
            )
        told = judge.judge_outcomes()
    restarted.restore(judge.snapshot(), {})
    again = restarted.judge_outcomes()
    assert again.verdicts == told.verdicts
    assert "ConceptDrift" in {key.kind for key in judge.book.alerts}
    assert not again.alerts, "what fires is known to fire already"


def test_labels_of_another_kind_alone_are_said_to_be_so() -> None:
    tally = {PREDICTIONS: 90, LABELS: 90, UNUSABLE: 90}
    window, before = bench().windows("1", "", [Outcomes(0, HOUR_MS, tally, 1.0, True)])
    said = [one.observe(window, before) for one in bench().detectors if one.name == "performance"]
    assert {one.status for one in said} == {"insufficient"}
    assert all(
        "none of 90 labels can be held against its prediction" in one.evidence.sentence for one in said
    )


OFF = {"performance": False, "calibration_drift": False}


def test_what_is_promised_is_judged_beside_the_usual() -> None:
    assert [one.column for one in bench().detectors] == ["calibration", "roc_auc", "brier"]
    made = bench(objectives={"recall": 0.7, "brier": 0.1}, costs={"positive": {"negative": 9}})
    judged = [one for one in made.detectors if one.name == "performance"]
    assert [(one.column, one.params.objective) for one in judged] == [
        ("roc_auc", None), ("brier", 0.1), ("cost", None), ("recall", 0.7),
    ]  # fmt: skip
    off = Monitor.model_validate({"model": "churn", "labels": {}, "detectors": OFF})
    assert not (outcome_bench(off) or bench()).detectors
    assert outcome_bench(Monitor.model_validate({"model": "churn"})) is None


def test_outcomes_of_several_joins_partitions_add_up_and_old_news_is_ignored() -> None:
    book = OutcomeBook(keep_ms=10 * HOUR_MS)
    keys = [OutcomeKey(partition, "churn", "1", "", 0) for partition in (0, 1)]
    assert book.put(keys[0], row(5, pane(0, 10, 5)))
    assert book.put(keys[1], row(2, pane(0, 7, 7)))
    assert not book.put(keys[0], row(4, pane(0, 99, 99)))
    assert book.put(keys[0], row(5, pane(0, 10, 6)))
    (only,) = book.panes()[("1", "")]
    assert (only.tally[PREDICTIONS], only.tally[LABELS]) == (17, 13)
    assert book.put(OutcomeKey(0, "churn", "1", "", 30 * HOUR_MS), row(9, pane(30)))
    assert sorted(book.let_go()) == keys
    assert not book.put(keys[0], row(10, pane(0)))
    assert len(book) == 1


def test_a_pane_that_was_taken_back_is_gone() -> None:
    book = OutcomeBook(keep_ms=10 * HOUR_MS)
    key = OutcomeKey(0, "churn", "1", "", 0)
    book.put(key, row(1, pane(0)))
    book.put(key, row(2, Outcomes(0, HOUR_MS, {}, 1.0, False)))
    assert not book.panes()


@pytest.mark.parametrize("count", [0, 1, -1, 2**62, -(2**62), 2**300, -(2**300)])
def test_counts_of_any_size_travel(count: int) -> None:
    sent = Outcomes(0, HOUR_MS, {("sum", "squared", "2"): count}, 0.5, True)
    assert outcomes_of(0, outcome_row(1, sent)) == sent


def test_the_judge_fires_when_the_model_gets_worse_and_resolves_when_it_is_well_again() -> None:
    watched = monitor(window="1h", objectives={"recall": 0.8})
    judge = ModelJudge(watched, compile_layout(watched))
    assert judge.outcomes is not None
    told = []
    for hour, right in enumerate((0.9, 0.9, 0.5, 0.5, 0.9, 0.9)):
        judge.outcomes.put(
            OutcomeKey(0, "churn", "1", "", hour * HOUR_MS),
            row(hour, pane(hour, 500, 500, right=right)),
        )
        judged = judge.judge_outcomes()
        assert "performance" in {verdict.detector for _, _, verdict in judged.verdicts}
        told += [(hour, one.status, one.labels["feature"]) for one in judged.alerts]
        restored = ModelJudge(watched, compile_layout(watched))
        restored.restore(judge.snapshot(), {})
        restored.outcomes = judge.outcomes
        judge = restored
    recall = [(hour, status) for hour, status, metric in told if metric == "recall"]
    assert recall[0] == (2, "firing")
    assert recall[-1][1] == "resolved"
    assert {metric for _, _, metric in told} == {"recall", "roc_auc", "brier", "calibration"}
