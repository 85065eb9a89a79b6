"""The same timelines pushed to Debian's Alertmanager and to a running `driftline up`: both tell the same, in order.

Where we chose to differ, a test of its own says so, in the words of the table in docs/alerting.md.
"""

import json
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from side_by_side import Both, Side, Told, rfc3339, until

PAGE = Path(__file__).parents[2] / "docs" / "alerting.md"
INTERVAL_S = 1.0
CONFIG = """\
global: {resolve_timeout: 3s}
route:
  receiver: hook
  group_by: [case]
  group_wait: 500ms
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - {matchers: ['case="repeat"'], repeat_interval: 3s}
    - {matchers: ['case="repeat-equal"'], repeat_interval: 1s}
    - {matchers: ['case="patient"'], group_wait: 1h}
    - {matchers: ['case="overlap"'], group_wait: 5s}
    - {matchers: ['case="retry"'], receiver: retry}
receivers:
  - {name: hook, webhook_configs: [{url: URL/hook}]}
  - {name: retry, webhook_configs: [{url: URL/retry}]}
  - {name: late, webhook_configs: [{url: URL/late}]}
inhibit_rules:
  - {source_matchers: ['alertname="Down"'], target_matchers: ['alertname=~"Slow|Odd"'], equal: [case]}
"""
RELOADED = CONFIG.replace("  routes:\n", "  routes:\n    - {matchers: ['case=\"moved\"'], receiver: late}\n")

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    async with Both(tmp_path_factory.mktemp("side-by-side")) as made:
        made.configure(CONFIG)
        await made.start()
        yield made


def alert(name: str, **more: Any) -> dict[str, Any]:
    """Return an alert as Prometheus pushes it, which fires for an hour unless its end is given."""
    labels = {"alertname": name, "severity": "warning", "empty": ""}
    return {
        "labels": labels, "annotations": {"summary": f"{name} it is"}, "endsAt": rfc3339(time.time() + 3600),
        "generatorURL": f"http://prometheus.example/graph?g0.expr={name}", **more,
    }  # fmt: skip


def over(name: str, **more: Any) -> dict[str, Any]:
    """Return an alert that has ended now."""
    return alert(name, endsAt=rfc3339(time.time()), **more)


def chosen(theirs: str, ours: str, when: str) -> None:
    """The page lists this difference."""
    assert f"| {when} | {theirs} | {ours} |" in PAGE.read_text()


def gaps(told: list[Told]) -> list[float]:
    """Return the seconds between notifications."""
    return [later.at_s - sooner.at_s for sooner, later in pairwise(told)]


async def several(side: Side, case: str, count: int) -> list[Told]:
    """Wait until a side has told so many notifications of a case, and return them."""
    await until(lambda: len(side.told(case)) >= count, f"{side.name} tells {case} {count} times")
    return side.told(case)


async def test_alerts_of_a_group_are_told_together_then_what_joins_and_what_is_over(both: Both) -> None:
    case, since = "batching", rfc3339(time.time())
    await both.push(case, alert("A", startsAt=since), alert("B", startsAt=since))
    await both.tell(case, "+A +B")
    await both.push(case, alert("C", startsAt=since, annotations={"summary": "new"}))
    await both.tell(case, "+A +B", "+A +B +C")
    end = rfc3339(time.time())
    await both.push(case, alert("A", startsAt=since, endsAt=end))
    await both.tell(case, "+A +B", "+A +B +C", "-A +B +C")
    end = rfc3339(time.time())
    await both.push(case, *(alert(name, startsAt=since, endsAt=end) for name in "BC"))
    await both.tell(case, "+A +B", "+A +B +C", "-A +B +C", "-B -C")
    both.same(case)
    for side in both.sides:
        assert min(gaps(side.told(case))) > 0.7 * INTERVAL_S


async def test_what_has_fired_for_longer_than_group_wait_is_told_at_once(both: Both) -> None:
    long_ago = rfc3339(time.time() - 7200)
    await both.push("patient", alert("A", startsAt=long_ago), alert("B", startsAt=long_ago))
    await both.tell("patient", "+A +B")
    both.same("patient")


async def test_pushes_that_overlap_are_one_alert_with_the_earliest_start_and_the_newest_words(
    both: Both,
) -> None:
    case, now_s = "overlap", time.time()
    await both.push(case, alert("A", startsAt=rfc3339(now_s - 0.2), annotations={"summary": "first"}))
    await both.push(case, alert("A", startsAt=rfc3339(now_s), annotations={"summary": "second"}))
    await both.tell(case, "+A")
    end = rfc3339(time.time())
    await both.push(case, alert("A", startsAt=rfc3339(now_s), endsAt=end, annotations={"summary": "third"}))
    await both.tell(case, "+A", "-A")
    both.same(case)
    (told,) = both.ours.told(case)[1].content["alerts"]
    assert (told["startsAt"].timestamp(), told["annotations"]) == (
        pytest.approx(now_s - 0.2, abs=0.002),
        {"summary": "third"},
    )


async def test_one_without_an_end_is_over_when_it_is_not_pushed_again(both: Both) -> None:
    for _ in range(2):
        await both.push("timeout", alert("A", endsAt="0001-01-01T00:00:00Z"), alert("B", endsAt=None))
    await both.tell("timeout", "+A +B", "-A -B")
    for side in both.sides:
        assert gaps(side.told("timeout"))[0] > 1.5


async def test_what_goes_on_is_repeated(both: Both) -> None:
    since = rfc3339(time.time())
    await both.push("repeat", alert("A", startsAt=since))
    theirs, ours = [(await several(side, "repeat", 2))[:2] for side in both.sides]
    assert [one.words for one in ours] == ["+A", "+A"]
    assert [one.content for one in theirs] == [one.content for one in ours]
    assert min(gaps(theirs) + gaps(ours)) > 2.5
    await both.push("repeat", over("A", startsAt=since))


async def test_difference_repeat_interval_equal_to_group_interval(both: Both) -> None:
    chosen(
        "repeats at it or at twice it, as milliseconds fall", "repeats at the interval, after a second try too",
        "`repeat_interval` equal to `group_interval`",
    )  # fmt: skip
    case, since = "repeat-equal", rfc3339(time.time())
    await both.push(case, alert("A", startsAt=since))
    for side in both.sides:
        await several(side, case, 5)
    assert [set(side.words(case)) for side in both.sides] == [{"+A"}, {"+A"}]
    found = sorted(gaps(both.ours.told(case)))
    assert 0.7 * INTERVAL_S < found[len(found) // 2] < 1.5 * INTERVAL_S
    await both.push(case, over("A", startsAt=since))


async def test_what_a_receiver_did_not_take_is_tried_again(both: Both) -> None:
    for side in both.sides:
        side.hook("retry").statuses.extend([500, 503])
    since = rfc3339(time.time())
    await both.push("retry", alert("A", startsAt=since))
    await both.tell("retry", "+A", "+A", "+A", receiver="retry")
    await both.push("retry", alert("B", startsAt=since))
    await both.tell("retry", "+A", "+A", "+A", "+A +B", receiver="retry")
    both.same("retry", receiver="retry")


async def test_what_is_inhibited_is_told_once_nothing_inhibits_it(both: Both) -> None:
    case, since = "inhibition", rfc3339(time.time())
    await both.push(case, alert("Down", startsAt=since), alert("Slow", startsAt=since))
    await both.tell(case, "+Down")
    await both.push(case, alert("Other", startsAt=since))
    await both.tell(case, "+Down", "+Down +Other")
    await both.push(case, alert("Down", startsAt=since, endsAt=rfc3339(time.time())))
    await both.tell(case, "+Down", "+Down +Other", "-Down +Other +Slow")


async def test_difference_an_end_while_inhibited(both: Both) -> None:
    chosen(
        "never says so", "says so with the group's next notification",
        "an alert that was told is over while it is inhibited",
    )  # fmt: skip
    case, since = "inhibited-end", rfc3339(time.time())
    await both.push(case, alert("Slow", startsAt=since))
    await both.tell(case, "+Slow")
    await both.push(case, alert("Down", startsAt=since))
    await both.tell(case, "+Slow", "+Down")
    await both.push(case, over("Slow", startsAt=since), alert("Marker", startsAt=since))
    await both.differ(case, ["+Slow", "+Down", "+Down +Marker"], ["+Slow", "+Down", "+Down +Marker -Slow"])


def silence(case: str, name: str) -> dict[str, Any]:
    matchers = [
        {"name": label, "value": value, "isRegex": False, "isEqual": True}
        for label, value in (("case", case), ("alertname", name))
    ]
    return {
        "matchers": matchers, "startsAt": rfc3339(time.time()), "endsAt": rfc3339(time.time() + 3600),
        "createdBy": "ana", "comment": "deploy",
    }  # fmt: skip


async def test_what_is_silenced_is_told_once_the_silence_is_expired(both: Both) -> None:
    case, since = "silence", rfc3339(time.time())
    answers = await both.post("/api/v2/silences", silence(case, "Quiet"))
    assert [status for status, _ in answers] == [200, 200]
    await both.push(case, alert("Loud", startsAt=since), alert("Quiet", startsAt=since))
    await both.tell(case, "+Loud")
    await both.delete("/api/v2/silence", [json.loads(text)["silenceID"] for _, text in answers])
    await both.tell(case, "+Loud", "+Loud +Quiet")
    both.same(case)


async def test_difference_an_end_while_silenced(both: Both) -> None:
    chosen("never says so", "says so", "an alert that was told is over while it is silenced")
    case, since = "silenced-end", rfc3339(time.time())
    await both.push(case, alert("Quiet", startsAt=since))
    await both.tell(case, "+Quiet")
    answers = await both.post("/api/v2/silences", silence(case, "Quiet"))
    assert [status for status, _ in answers] == [200, 200]
    await both.push(case, over("Quiet", startsAt=since), alert("Marker", startsAt=since))
    await both.differ(case, ["+Quiet", "+Marker"], ["+Quiet", "+Marker -Quiet"])


async def test_difference_a_silence_ends_while_what_was_told_fires(both: Both) -> None:
    chosen(
        "repeats it after `repeat_interval`", "tells it with the group's next turn",
        "a silence ends while an alert that was told before fires",
    )  # fmt: skip
    case, since = "silence-ends", rfc3339(time.time())
    await both.push(case, alert("Quiet", startsAt=since))
    await both.tell(case, "+Quiet")
    answers = await both.post("/api/v2/silences", silence(case, "Quiet"))
    (told,) = both.ours.told(case)[0].content["alerts"]
    # The group has a turn while the silence holds.
    receipt = f"/api/v1/alerts/{told['fingerprint']}"
    await both.ours_says(receipt, lambda text: "a silence holds for it" in text)
    await both.delete("/api/v2/silence", [json.loads(text)["silenceID"] for _, text in answers])
    await both.differ(case, ["+Quiet"], ["+Quiet", "+Quiet"])
    await both.push(case, alert("Marker", startsAt=since))
    await both.differ(case, ["+Quiet", "+Marker +Quiet"], ["+Quiet", "+Quiet", "+Marker +Quiet"])


async def test_a_bad_alert_is_answered_with_400_and_the_good_ones_are_kept(both: Both) -> None:
    bad = {"labels": {"alertname": "Bad", "case": "bad", "a-b": "c"}}
    good = {"labels": {"alertname": "Good", "case": "bad"}}
    ends_first = {"startsAt": rfc3339(time.time()), "endsAt": rfc3339(time.time() - 60)}
    answers = await both.post("/api/v2/alerts", [bad, good, good | ends_first, {"labels": {"alertname": ""}}])
    assert [(status, "a-b" in text) for status, text in answers] == [(400, True), (400, True)]
    await both.tell("bad", "+Good")


async def test_difference_a_time_that_cannot_be_read(both: Both) -> None:
    chosen(
        "refuses the whole post", "refuses that alert alone",
        "a posted alert has a time that cannot be read, or a label that is no text",
    )  # fmt: skip
    labels = {"case": "unreadable", "alertname": "Good"}
    posted = [{"labels": labels}, {"labels": {"alertname": "Bad"}, "startsAt": "yesterday"}]
    (theirs, _), (ours, said) = await both.post("/api/v2/alerts", posted)
    assert (theirs >= 400, ours, "alert 2" in said) == (True, 400, True)
    await both.differ("unreadable", [], ["+Good"])


async def test_a_reload_moves_what_another_route_takes_and_tells_nothing_again(both: Both) -> None:
    since = rfc3339(time.time())
    await both.push("moved", alert("A", startsAt=since))
    await both.push("stays", alert("A", startsAt=since))
    await both.tell("moved", "+A")
    await both.tell("stays", "+A")
    both.configure(RELOADED)
    assert [status for status, _ in await both.post("/-/reload")] == [200, 200]
    await both.tell("moved", "+A", receiver="late")
    both.same("moved", receiver="late")
    await both.push("stays", alert("B", startsAt=since))
    await both.tell("stays", "+A", "+A +B")
    both.same("stays")


async def test_difference_the_receiver_from_which_a_reload_takes_an_alert(both: Both) -> None:
    chosen(
        "is not told of it any more",
        "is told that it is over there",
        "a reload takes an alert to another receiver",
    )
    await both.differ("moved", ["+A"], ["+A", "-A"])


async def test_after_a_cold_start_what_was_told_is_not_told_again_and_what_is_over_is(both: Both) -> None:
    case, since = "cold", rfc3339(time.time())
    await both.push(case, alert("A", startsAt=since))
    await both.tell(case, "+A")
    await both.stop()
    await both.start()
    chosen(
        "forgets what was posted",
        "keeps it; for `resolve_timeout` nothing posted before ends unless somebody says so",
        "it restarts, or another worker takes over",
    )
    await both.ours_says(
        "/api/v2/alerts", lambda text: any(one["labels"].get("case") == case for one in json.loads(text))
    )
    (_, theirs), _ = await both.get("/api/v2/alerts")
    assert json.loads(theirs) == []
    await both.push(case, alert("A", startsAt=since))
    await both.push(case, alert("B", startsAt=since))
    await both.tell(case, "+A", "+A +B")
    end = rfc3339(time.time())
    await both.push(case, *(alert(name, startsAt=since, endsAt=end) for name in "AB"))
    await both.tell(case, "+A", "+A +B", "-A -B")
    both.same(case)


async def test_every_alert_has_the_fingerprint_alertmanager_gives_it(both: Both) -> None:
    theirs, ours = (
        {
            (one.content["groupLabels"]["case"], alert["labels"]["alertname"]): alert["fingerprint"]
            for hook in side.hooks.values() for one in hook.told for alert in one.content["alerts"]
        }
        for side in both.sides
    )  # fmt: skip
    shared = theirs.keys() & ours.keys()
    assert len(shared) > 10
    assert {name: theirs[name] for name in shared} == {name: ours[name] for name in shared}
