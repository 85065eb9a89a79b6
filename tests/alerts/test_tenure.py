"""A judge that another has followed is not heard any more, and whoever owns a partition always is."""

from alerts.alert import AlertUpsert
from alerts.config import default_config
from alerts.decision import Reason
from alerts.desk import Desk
from alerts.tenure import Tenure, Written, opening

FIRST, SECOND = Tenure(3, 10), Tenure(3, 20)
UNSTATED = Tenure(4, 1)
_NOW = Written(1_000, 1_000)


def _fires(desk: Desk, tenure: Tenure | None, model: str = "churn") -> bool:
    labels = {"alertname": "TrafficSilence", "model": model, "severity": "critical"}
    upsert = AlertUpsert(status="firing", labels=labels, starts_at_ms=0, pane_end_ms=0, sequence=1)
    key = upsert.fingerprint.encode() if tenure is None else tenure.key_of(upsert.fingerprint)
    desk.take(key, upsert.model_dump_json().encode(), 0, _NOW)
    return upsert.fingerprint in desk.firing


def _desk(*stated: Tenure) -> Desk:
    desk = Desk(default_config())
    _state(desk, *stated)
    return desk


def _state(desk: Desk, *stated: Tenure, began_ms: int = 0) -> None:
    """Have tenures stated, one every millisecond."""
    for offset, tenure in enumerate(stated):
        desk.take(opening(tenure.partition), b"", 0, Written(began_ms + offset, 2 * offset))
        desk.take(tenure.statement, b"", 0, Written(began_ms + offset, 2 * offset + 1))


def test_what_a_judge_tells_after_another_took_over_is_refused_and_counted() -> None:
    desk = _desk(FIRST, SECOND)
    assert not _fires(desk, FIRST)
    assert desk.counts[Reason.FOLLOWED] == 1
    assert _fires(desk, SECOND)


def test_what_it_told_before_is_heard() -> None:
    desk = _desk(FIRST)
    assert _fires(desk, FIRST)
    desk.take(opening(3), b"", 0, _NOW)
    assert _fires(desk, FIRST, "fraud")


def test_a_new_owner_is_refused_by_nothing_it_did_not_follow() -> None:
    desk = _desk(FIRST, SECOND)
    assert _fires(desk, UNSTATED)
    assert _fires(desk, None, "fraud")
    assert _fires(desk, Tenure(3, 30), "other")


def test_whoever_goes_on_stating_its_epoch_is_heard_whatever_was_stated_before() -> None:
    made_anew = Tenure(3, 0)
    desk = _desk(FIRST, SECOND, made_anew, made_anew)
    assert _fires(desk, made_anew)


def test_the_last_word_of_a_stalled_judge_does_not_open_the_door_to_another() -> None:
    desk = _desk(FIRST, SECOND, Tenure(3, 30), FIRST)
    assert not _fires(desk, SECOND)
    desk = _desk(FIRST, SECOND, Tenure(3, 30), FIRST, Tenure(3, 30), FIRST)
    assert not _fires(desk, SECOND)


def test_what_a_desk_reads_again_says_nothing_new() -> None:
    told = (FIRST, FIRST, SECOND)
    desk = _desk(*told)
    _state(desk, FIRST, FIRST)
    assert not _fires(desk, FIRST)
    _state(desk, *told)
    assert not _fires(desk, FIRST)


def test_a_topic_made_anew_is_heard_though_its_offsets_are_low() -> None:
    desk = _desk(FIRST, SECOND, SECOND)
    made_anew = Tenure(3, 0)
    _state(desk, made_anew, made_anew, began_ms=5)
    assert _fires(desk, made_anew)


def test_the_next_owner_of_the_desk_knows_who_was_followed() -> None:
    before = _desk(FIRST, SECOND)
    rows = {key: row for key, row in before.take_changed_rows().items() if row is not None}
    desk = Desk.restore(default_config(), rows, 0)
    assert not _fires(desk, FIRST)
    assert _fires(desk, SECOND)
