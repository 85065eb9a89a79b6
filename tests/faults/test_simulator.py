"""Whatever crashes, stalls, comes twice or late: what is told in the end is what came in."""

import os

import pytest
from campaign import check, run
from mutations import MUTATIONS, Break

#: Enough to find each of the rules missing.
SEEDS = range(300)
BUDGET_S = 20.0


def test_no_schedule_of_faults_makes_a_count_or_an_alert_wrong() -> None:
    asked = int(os.environ.get("DRIFTLINE_FAULT_SCHEDULES", "0"))
    campaign = run(range(asked or len(SEEDS)), budget_s=None if asked else BUDGET_S)
    assert not campaign.broken, campaign.report
    assert campaign.schedules


def test_a_schedule_is_the_same_every_time() -> None:
    first: list[str] = []
    again: list[str] = []
    check(7, first.append)
    check(7, again.append)
    assert len(first) > 20
    assert first == again


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_a_rule_taken_away_is_missed(mutation: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(monkeypatch)
    assert any(check(seed) for seed in SEEDS)
