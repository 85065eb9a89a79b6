"""Laws of tallies: they add up the same in any order, and give back what was put in."""

import random

from hypothesis import given
from hypothesis import strategies as st

from detectors.outcomes.tally import LARGEST, Tally, add, fixed, mean_and_error, real, summed, times
from detectors.outcomes.task import Task, UnusableError

numbers = st.floats(min_value=-1e60, max_value=1e60, allow_nan=False).filter(lambda x: not 0 < abs(x) < 1e-20)


@given(numbers)
def test_a_number_comes_back_as_it_was(number: float) -> None:
    assert abs(real(fixed(number)) - number) <= abs(number) * 2.0**-52


def test_what_is_no_ordinary_number_is_clipped() -> None:
    assert real(fixed(float("inf"))) == LARGEST
    assert real(fixed(-float("inf"))) == -LARGEST
    assert fixed(1e-300) == 0


@given(
    st.lists(st.tuples(numbers, numbers), min_size=1, max_size=30), st.integers(0, 2**32), st.integers(1, 5)
)
def test_any_order_and_any_split_add_up_to_the_bit(
    rows: list[tuple[float, float]], seed: int, parts: int
) -> None:
    outcomes = [Task("number").outcome(*row) for row in rows]
    shuffled = outcomes.copy()
    random.Random(seed).shuffle(shuffled)
    assert summed(summed(shuffled[at::parts]) for at in range(parts)) == summed(outcomes)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=20), st.floats(0, 1), st.booleans())
def test_what_is_taken_out_leaves_no_trace(rows: list[tuple[float, bool]], score: float, label: bool) -> None:
    task = Task("score")
    total: Tally = summed(task.outcome(*row) for row in rows)
    before = dict(total)
    add(total, task.outcome(score, label))
    assert total != before
    add(total, task.outcome(score, label), -1)
    assert total == before


def test_the_mean_of_far_away_numbers_keeps_its_error() -> None:
    values = [fixed(1e15 + step) for step in (0.0, 1.0, 0.0, 1.0)]
    mean, error = mean_and_error(4, sum(values), sum(times(one, one) for one in values))
    assert (mean, error) == (1e15 + 0.5, 0.25)


def test_what_no_task_can_use_is_said_in_words() -> None:
    said = []
    for kind, predicted, label in (
        ("score", 1.5, True),
        ("score", "high", True),
        ("score", 0.5, "maybe"),
        ("number", 1.0, "two"),
        ("number", float("nan"), 2.0),
        ("class", 1.0, "cat"),
        ("probabilities", 0.5, "cat"),
        ("probabilities", {"bird": 1.0}, "cat"),
    ):
        try:
            Task(kind, ("cat", "dog")).outcome(predicted, label)  # type: ignore[arg-type]
        except UnusableError as error:
            said.append(str(error))
    assert len(said) == 8
    assert "name the positive one" in said[2]


def test_labels_are_read_whatever_way_they_are_written() -> None:
    plain = Task("score")
    assert len({str(plain.outcome(0.9, one)) for one in (True, 1.0, "1", "true", "TRUE")}) == 1
    assert plain.outcome(0.9, True) != plain.outcome(0.9, False)
    named = Task("score", positive="churned")
    assert named.outcome(0.9, "churned") == plain.outcome(0.9, True)
    assert named.outcome(0.9, "stayed") == plain.outcome(0.9, False)
    assert Task("class", ("1", "2")).outcome("1", 1.0) == Task("class", ("1", "2")).outcome("1", "1")
