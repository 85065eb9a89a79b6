"""Evidence that is made when it is looked at."""

from dataclasses import replace

import pytest

from detectors.base import Evidence

WHOLE = Evidence("age: 12 % missing", 0.12, ("a", "b"), (0.5, 0.5), (0.4, 0.6), {"rate": [0.01, 0.12]})


def test_evidence_is_made_once_and_only_when_asked_for() -> None:
    asked: list[str] = []

    def make(sentence: str, value: float) -> Evidence:
        asked.append(sentence)
        return replace(WHOLE, sentence=sentence, value=value)

    evidence = Evidence.when_asked(make, "age: as ever", 0.5)
    assert asked == []
    assert (evidence.sentence, evidence.value, evidence.details) == ("age: as ever", 0.5, WHOLE.details)
    assert asked == ["age: as ever"]


def test_evidence_made_late_is_evidence_like_any_other() -> None:
    late = Evidence.when_asked(lambda: WHOLE)
    assert late == WHOLE
    assert repr(Evidence.when_asked(lambda: WHOLE)) == repr(WHOLE)
    assert replace(Evidence.when_asked(lambda: WHOLE), value=1.0) == replace(WHOLE, value=1.0)


def test_what_evidence_does_not_have_is_an_error_and_makes_nothing() -> None:
    def make() -> Evidence:
        raise AssertionError("nobody asked for what there is")

    with pytest.raises(AttributeError, match="colour"):
        Evidence.when_asked(make).colour  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="colour"):
        WHOLE.colour  # type: ignore[attr-defined]  # noqa: B018
