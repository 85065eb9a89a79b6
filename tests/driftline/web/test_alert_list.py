"""What fires, with what keeps it from being told and who looks after it, in the API and on the pages."""

from typing import Any

import pytest
from shown_desk import ShownDesk, config, id_of

from alerts.command import PushAlerts
from alerts.pushed import Pushed
from streams.views import rfc3339

NIGHTS = {
    "time_intervals": [{"name": "always", "time_intervals": [{"months": ["1:12"]}]}],
    "route": {
        "receiver": "hook",
        "group_by": ["model"],
        "routes": [{"matchers": ["model=fraud"], "mute_time_intervals": ["always"]}],
    },
}


@pytest.fixture
async def desk(redis_url: str, seed: Any) -> ShownDesk:
    """Slow is inhibited by Down, Drift silenced, Down acknowledged, and fraud's Slow muted."""
    desk = ShownDesk(redis_url, config(**NIGHTS))
    for model in ("churn", "fraud"):
        seed.summary(model, state="firing", firing=3)
    for kind, model in (("Slow", "churn"), ("Down", "churn"), ("Drift", "churn"), ("Slow", "fraud")):
        desk.upsert("firing", kind, model=model)
        seed.alert(
            model, labels={"alertname": kind, "feature": ""}, annotations={"summary": f"{kind} is bad"}
        )
    desk.silence(3600, "alertname=Drift")
    desk.ack(id_of("Down"), "rolling back")
    desk.pass_s(60)
    await desk.show()
    return desk


async def alerts(browse: Any, path: str = "/api/v1/alerts", **params: str) -> dict[str, Any]:
    answer = await browse(path, params=params)
    assert answer.status_code == 200, answer.text
    return {f"{one['labels']['alertname']} {one['labels']['model']}": one for one in answer.json()}


async def test_each_alert_says_what_keeps_it_from_being_told_and_who_looks_after_it(
    browse: Any, desk: ShownDesk
) -> None:
    found = await alerts(browse)
    kept_back = {name: [(one["kind"], one["by"]) for one in alert["untold"]] for name, alert in found.items()}
    assert kept_back == {
        "Slow churn": [("inhibited", id_of("Down"))],
        "Drift churn": [("silenced", "command-1")],
        "Slow fraud": [("muted", "always")],
        "Down churn": [],
    }
    assert found["Slow churn"]["untold"][0]["text"].startswith("inhibited by warning Down churn")
    until = rfc3339(desk.now_ms - 60_000 + 3_600_000)
    assert found["Drift churn"]["untold"][0]["text"] == f"silenced by ben until {until}: new export"
    assert {name for name, alert in found.items() if alert["ack"]} == {"Down churn"}
    assert (found["Down churn"]["ack"]["by"], found["Down churn"]["ack"]["comment"]) == (
        "ana",
        "rolling back",
    )
    assert found["Down churn"]["id"] == id_of("Down")


async def test_a_models_own_alerts_say_it_too(browse: Any, desk: ShownDesk) -> None:
    found = await alerts(browse, "/api/v1/models/fraud/alerts")
    assert [one["untold"][0]["kind"] for one in found.values()] == ["muted"]


async def test_the_alerts_of_one_model_are_asked_for_by_its_name(browse: Any, desk: ShownDesk) -> None:
    assert set(await alerts(browse, model="fraud")) == {"Slow fraud"}
    assert len(await alerts(browse, model="churn")) == 3
    unknown = await browse("/api/v1/alerts", params={"model": "chrun"})
    assert (unknown.status_code, unknown.json()["similar"]) == (404, ["churn"])


async def test_what_others_tell_the_desk_is_listed_beside_what_judges_say(
    browse: Any, desk: ShownDesk
) -> None:
    desk.upsert("firing", "DiskFull", model="")
    desk.upsert("firing", "HostDown")
    await desk.show()
    found = [one["labels"]["alertname"] for one in (await browse("/api/v1/alerts")).json()]
    assert sorted(found) == ["DiskFull", "Down", "Drift", "HostDown", "Slow", "Slow"]
    assert "HostDown churn" in await alerts(browse, model="churn")


async def test_what_others_push_is_listed_under_its_own_id_with_its_labels_and_where_it_comes_from(
    browse: Any, desk: ShownDesk
) -> None:
    labels = {"alertname": "Down", "model": "churn", "severity": "warning", "rack": "<b>7"}
    pushed = [
        Pushed(labels=labels, generator_url="https://prometheus.example/graph?a=1&b=2"),
        Pushed(labels={"alertname": "Odd"}, generator_url="javascript:alert(1)"),
    ]
    desk.command(PushAlerts(id="a-push-of-two", alerts=tuple(pushed)))
    await desk.show()
    found = {one["id"]: one for one in (await browse("/api/v1/alerts", params={"model": "churn"})).json()}
    assert {id_of("Down"), pushed[0].fingerprint} <= found.keys()
    shown = found[pushed[0].fingerprint]
    assert (shown["pushed"], shown["generatorURL"]) == (True, pushed[0].generator_url)
    assert (shown["endsAt"], found[id_of("Down")]["pushed"]) == (None, False)
    text = (await browse("/alerts")).text
    assert (
        '<a rel="noreferrer" href="https://prometheus.example/graph?a=1&amp;b=2">where it comes from</a>'
        in text
    )
    assert "rack <bdi>&lt;b&gt;7</bdi>" in text
    assert f'href="/alerts/{pushed[0].fingerprint}"' in text
    assert 'href="javascript' not in text
    assert (await browse(f"/alerts/{pushed[0].fingerprint}")).status_code == 200


async def test_one_that_flaps_is_listed_while_the_desk_holds_it(
    browse: Any, seed: Any, redis_url: str
) -> None:
    rule = {"flapping": {"transitions": 4, "within": "30m", "quiet": "15m"}}
    desk = ShownDesk(redis_url, config(**{"global": rule}))
    seed.summary()
    for status in ("firing", "resolved", "firing", "resolved"):
        desk.upsert(status, "Slow")
        desk.pass_s(60)
    seed.alert(
        "churn", labels={"alertname": "Slow", "feature": ""}, status="resolved", endsAt=rfc3339(desk.now_ms)
    )
    await desk.show()
    found = await alerts(browse)
    assert found["Slow churn"]["state"].startswith("Flaps: began or ended 4 times")
    assert "Flaps: began or ended 4 times" in (await browse("/alerts")).text


async def test_once_an_alert_is_over_nothing_keeps_it_back(browse: Any, seed: Any, desk: ShownDesk) -> None:
    over = rfc3339(seed.now_ms)
    labels = {"alertname": "Drift", "feature": ""}
    seed.alert("churn", labels=labels, status="resolved", endsAt=over)
    assert "Drift churn" not in await alerts(browse)
    found = await alerts(browse, "/api/v1/models/churn/alerts", status="resolved")
    assert [(one["untold"], one["ack"]) for one in found.values()] == [([], None)]


async def test_the_page_lists_alerts_and_silences(browse: Any, desk: ShownDesk) -> None:
    desk.silence(7200, 'comment="<b>"', "model=fraud")
    await desk.show()
    text = (await browse("/alerts")).text
    for words in (
        "4 alerts fire", "3 of them are not told", "Not told: <bdi>inhibited by warning Down churn",
        "Not told: <bdi>silenced by ben until", "Not told: <bdi>muted in always", "Acknowledged by <bdi>ana",
        "rolling back", "2 silences hold or wait", "new export", f'href="/alerts/{id_of("Drift")}"',
    ):  # fmt: skip
        assert words in text, words
    assert "<b>" not in text.replace("<bdi>", "")


async def test_the_model_page_says_it_too(browse: Any, desk: ShownDesk) -> None:
    text = (await browse("/models/churn")).text
    assert text.count("Not told:") == 2
    assert "Acknowledged by" in text


async def test_without_alerts_and_silences_the_page_says_so(browse: Any, seed: Any) -> None:
    text = (await browse("/alerts")).text
    assert "No alert is firing" in text
    assert "driftline silence add" in text
