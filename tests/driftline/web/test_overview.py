"""The fleet page, over a real store."""

import json
import re
import time

import pytest

from streams.views import rfc3339


def rows(text):
    return re.findall(r'<tr role="row" class="(\w+)">.*?<bdi>(.*?)</bdi>', text, re.DOTALL)


async def test_an_empty_store_teaches_the_first_event(browse):
    answer = await browse("/")
    assert answer.status_code == 200
    assert "Waiting for the first event" in answer.text
    assert "kcat -P -b localhost:9092 -t driftline.predictions" in answer.text


async def test_the_event_it_teaches_is_one(browse):
    text = (await browse("/")).text.replace("&#34;", '"')
    event = json.loads(re.search(r"<code>(\{\n.*?\})</code>", text, re.DOTALL)[1])
    assert {"id", "model", "ts", "prediction"} <= set(event)


async def test_models_come_with_what_is_wrong_first(browse, seed):
    for name, state in [("a", "ok"), ("b", "silent"), ("c", "firing")]:
        seed.summary(name, state=state)
    assert rows((await browse("/")).text) == [("firing", "c"), ("silent", "b"), ("ok", "a")]


async def test_a_firing_model_says_why(browse, seed):
    seed.summary(state="firing", firing=2)
    seed.alert("churn")
    seed.alert(
        "churn", labels={"severity": "critical", "feature": "x"}, annotations={"summary": "p99 is high"}
    )
    text = (await browse("/")).text
    assert "p99 is high" in text
    assert "(1) Fleet" in text


@pytest.mark.parametrize("models", [0, 1])
async def test_an_alert_of_no_model_stands_on_top_with_its_runbook(browse, seed, models):
    for _ in range(models):
        seed.summary()
    assert "Driftline is behind" not in (await browse("/")).text
    seed.fleet_alert()
    text = (await browse("/")).text
    assert "Driftline is behind: 1,234 records wait" in text
    assert 'href="/runbooks/Backlog"' in text
    seed.fleet_alert(status="resolved", endsAt=rfc3339(seed.now_ms))
    assert "Driftline is behind" not in (await browse("/")).text


async def test_a_model_without_a_monitor_says_how_to_start(browse, seed):
    seed.summary("eta", state="unmonitored")
    assert 'href="/models/eta#start"' in (await browse("/")).text
    assert "monitors/eta.yaml" in (await browse("/models/eta")).text


async def test_numbers_are_for_people(browse, seed):
    seed.summary(events_per_second=1234.5, latency_p99_ms=1240.0, error_rate=0.0123)
    text = (await browse("/")).text
    assert all(words in text for words in ("1,234/s", "1.24 s", "1.2%", "2 s ago"))


async def test_a_sparkline_grows_with_each_closed_pane(browse, seed):
    seed.summary(versions=["1", "2"])
    seed.pane("churn", 5, version="1", events=1)
    assert "1 pane, last 1 event, most 1" in (await browse("/")).text
    for ago in (4, 3):
        seed.pane("churn", ago, version="1", events=10)
        seed.pane("churn", ago, version="2", events=5)
    assert "3 panes, last 15 events, most 15" in (await browse("/")).text
    seed.pane("churn", 2, version="1", events=40)
    assert "4 panes, last 40 events, most 40" in (await browse("/")).text
    seed.pane("churn", 2, version="2", events=2)
    assert "4 panes, last 42 events, most 42" in (await browse("/")).text


async def test_search_and_filter_go_into_the_links(browse, seed):
    for i in range(150):
        seed.summary(f"model-{i:03}", state="silent")
    text = (await browse("/", params={"q": "model", "state": "silent"})).text
    assert 'href="/?q=model&amp;state=silent&amp;page=2"' in text
    assert "page 1 of 2, 150 models" in text
    assert 'value="model"' in text


async def test_a_search_without_a_find_says_so(browse, seed):
    seed.summary()
    answer = await browse("/", params={"q": "<b>"})
    assert "No model matches" in answer.text
    assert "<b>" not in answer.text.partition("<main")[2].replace("<b>Not", "")


async def test_thousands_of_models_are_paged_and_quick(browse, seed):
    with seed.redis.pipeline() as pipe:
        live, seed.redis = seed.redis, pipe
        for i in range(3000):
            seed.summary(f"model-{i:04}")
            seed.pane(f"model-{i:04}")
        pipe.execute()
        seed.redis = live
    await browse("/")
    spans = []
    for _ in range(5):
        start = time.perf_counter()
        answer = await browse("/")
        spans.append(time.perf_counter() - start)
    assert len(rows(answer.text)) == 100
    assert "page 1 of 30, 3,000 models" in answer.text
    assert min(spans) < 1.0


async def test_the_pipeline_itself_is_on_the_page(browse, seed):
    seed.summary()
    seed.worker("profile", lag=12)
    text = (await browse("/")).text
    assert "judge: no worker has reported" in text
    seed.worker("judge")
    seed.worker("desk")
    assert "profile: 1 worker, 12 records behind" in (await browse("/")).text


async def test_a_row_nobody_can_read_takes_no_other_away(browse, seed, caplog):
    seed.summary("good")
    seed.redis.hset("driftline:models", "bad", '{"model": 3')
    assert rows((await browse("/")).text) == [("ok", "good")]
    assert "cannot be read" in caplog.text
