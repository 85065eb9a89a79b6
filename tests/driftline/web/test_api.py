"""The JSON API, over a real store."""

import pytest

from streams.views import AlertRow, ModelSummary, ModelView, PaneRow, VerdictRow, rfc3339

NOW_MS = 1_795_424_400_000


async def get(browse, path, **params):
    answer = await browse(f"/api/v1{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_models_are_listed_by_name(browse, seed):
    written = [seed.summary("b"), seed.summary("a")]
    assert [ModelSummary(**row) for row in await get(browse, "/models")] == written[::-1]


async def test_an_empty_store_is_an_empty_list(browse):
    assert await get(browse, "/models") == []
    assert await get(browse, "/alerts") == []


async def test_a_model_is_returned_as_it_was_written(browse, seed):
    summary, window = seed.summary(), seed.window(features=[seed.number("age")])
    seed.view(summary, window)
    assert ModelView(**await get(browse, "/models/churn")) == ModelView(summary=summary, windows=[window])


async def test_panes_come_oldest_first_and_whole(browse, seed):
    written = [seed.pane("churn", ago) for ago in (1, 3, 2)]
    seed.summary()
    rows = await get(browse, "/models/churn/panes")
    assert [PaneRow(**row) for row in rows] == sorted(written, key=lambda pane: pane.end)
    assert rows[0]["features"]["age"]["mean"] == 41.2


async def test_consecutive_questions_neither_repeat_nor_miss_a_pane(browse, seed):
    seed.summary()
    for ago in range(1, 11):
        seed.pane("churn", ago)
    middle = NOW_MS - 40_000
    older = await get(browse, "/models/churn/panes", to=middle)
    newer = await get(browse, "/models/churn/panes", **{"from": rfc3339(middle)})
    assert len(older) == 6
    assert older + newer == await get(browse, "/models/churn/panes")
    assert newer[0]["start"] == rfc3339(middle)


async def test_panes_of_a_version_or_segment(browse, seed):
    seed.summary()
    seed.pane("churn", version="1")
    seed.pane("churn", version="2", segment="country=DE")
    assert [row["version"] for row in await get(browse, "/models/churn/panes", version="2")] == ["2"]
    assert [row["version"] for row in await get(browse, "/models/churn/panes", segment="")] == ["1"]


@pytest.mark.parametrize("value", ["yesterday", "2026-11-23T09:00:00", ""])
@pytest.mark.parametrize("name", ["from", "to"])
async def test_a_bad_time_is_refused_with_the_remedy(browse, seed, name, value):
    seed.summary()
    answer = await browse("/api/v1/models/churn/panes", params={name: value})
    assert answer.status_code == 422
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["query", name]
    assert "2026-11-23T09:00:00Z" in error["msg"]


async def test_verdicts_are_returned_as_they_were_written(browse, seed):
    seed.summary()
    written = [seed.verdict("churn", "psi", "plan"), seed.verdict("churn", "missing", "age", score=3.5)]
    assert [VerdictRow(**row) for row in await get(browse, "/models/churn/verdicts")] == written[::-1]


async def test_alerts_of_a_model_fire_first(browse, seed):
    seed.whole_model()
    rows = [AlertRow(**row) for row in await get(browse, "/models/churn/alerts")]
    assert [row.labels["alertname"] for row in rows] == ["LatencyHigh", "FeatureDrift", "MissingValues"]
    assert len(await get(browse, "/models/churn/alerts", status="resolved")) == 1


async def test_active_alerts_of_all_models_come_together(browse, seed):
    for name in ("a", "b"):
        seed.summary(name)
        seed.alert(name)
    seed.alert("b", status="resolved", labels={"feature": "plan"})
    assert sorted(row["labels"]["model"] for row in await get(browse, "/alerts")) == ["a", "b"]


async def test_an_alert_of_no_model_is_among_those_of_all(browse, seed):
    seed.summary()
    seed.alert("churn")
    seed.fleet_alert()
    assert [row["labels"]["alertname"] for row in await get(browse, "/alerts")] == ["Backlog", "FeatureDrift"]
    assert len(await get(browse, "/models/churn/alerts")) == 1


@pytest.mark.parametrize("path", ["", "/panes", "/verdicts", "/alerts"])
async def test_an_unknown_model_is_told_with_similar_names(browse, seed, path):
    seed.summary("churn")
    answer = await browse(f"/api/v1/models/chrn{path}")
    assert answer.status_code == 404
    assert answer.json()["similar"] == ["churn"]
    assert "'chrn'" in answer.json()["detail"]


async def test_a_path_of_no_meaning_is_json_too(browse):
    answer = await browse("/api/v1/nothing")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


async def test_the_api_describes_itself(browse):
    document = await get(browse, "/openapi.json")
    panes = document["paths"]["/api/v1/models/{m}/panes"]["get"]
    assert {parameter["name"] for parameter in panes["parameters"]} == {
        "m",
        "from",
        "to",
        "version",
        "segment",
    }
    assert all(parameter["description"] for parameter in panes["parameters"])
    assert panes["responses"]["200"]["content"]["application/json"]["example"]
    page = await browse("/api")
    assert all(path in page.text for path in document["paths"])
