"""One model's page, over a real store."""

import re


def cards(page: str) -> list[tuple[str, list[str]]]:
    """Return each feature card's heading and scores, as they read."""
    return [
        (
            words(re.findall(r"<h3>.*?</h3>", card)[0]),
            [words(row) for row in re.findall(r"<li .*?</li>", card)],
        )
        for card in re.findall(r"<article class=\"tile.*?</article>", page, flags=re.DOTALL)
    ]


def words(html: str) -> str:
    return " ".join(re.sub(r"<svg.*?</svg>|<[^>]*>", " ", html).split())


async def test_everything_known_is_on_the_page(browse, seed):
    seed.whole_model()
    answer = await browse("/models/churn")
    assert answer.status_code == 200
    for words in (
        "churn 1.4.2: p99 latency 730 ms &gt; 500 ms for 5 min",
        'href="/runbooks/LatencyHigh"',
        "Events per second",
        "Distribution of age",
        "unlisted:",
        "needs 500 values, has 312",
        "Lately resolved (1)",
        "utm_source",
        '<time datetime="2026-11-23T09:00:00.000Z"',
    ):
        assert words in answer.text


async def test_the_most_severe_alert_comes_first(browse, seed):
    seed.whole_model()
    text = (await browse("/models/churn")).text
    assert text.index("LatencyHigh") < text.index("FeatureDrift")


async def test_columns_that_fire_come_before_those_that_do_not(browse, seed):
    seed.whole_model()
    text = (await browse("/models/churn")).text
    tiles = re.findall(r'<article class="tile( firing)?">\s*<h3><bdi>(\w+)', text)
    assert tiles == [
        ("", "prediction"),
        (" firing", "age"),
        ("", "tenure_months"),
        ("", "plan"),
        ("", "balance"),
    ]


async def test_every_drawing_has_its_figures_in_a_table(browse, seed):
    seed.whole_model()
    text = (await browse("/models/churn")).text
    assert text.count("<caption>Distribution of") == text.count("<title>Distribution of") == 5


async def test_a_version_can_be_chosen(browse, seed):
    seed.whole_model()
    text = (await browse("/models/churn", params={"version": "1.4.1"})).text
    assert re.search(r'version=1\.4\.1" aria-current="true"', text)
    assert "Distribution of tenure_months" in text
    assert "Distribution of plan" not in text


async def test_invalid_events_without_a_version_are_in_the_chart_of_the_version_shown_first(browse, seed):
    summary = seed.summary()
    seed.view(summary, seed.window("1.4.2"))
    seed.pane("churn", 1, events=900)
    seed.pane("churn", 1, events=0, version="", invalid=100)
    text = (await browse("/models/churn")).text
    assert "invalid at most 10%, last 10%" in text


async def test_cards_name_the_segment_they_show_and_scores_the_one_they_judge(browse, seed):
    summary = seed.summary()
    germans = seed.window("", "country=DE", events=300, features=[seed.number("age")])
    seed.view(summary, seed.window(features=[seed.number("age")]), germans)
    seed.verdict("churn", "psi", "age")
    seed.verdict("churn", "psi", "age", segment="country=DE", score=0.1)
    whole = cards((await browse("/models/churn")).text)
    assert [(heading, scores) for heading, scores in whole] == [
        ("age number", ["psi country=DE 0.1", "psi 0.05"])
    ]
    germany = cards((await browse("/models/churn", params={"segment": "country=DE"})).text)
    assert germany == [("age number in country=DE", ["psi 0.1"])]


async def test_a_segment_says_why_it_is_not_judged(browse, seed):
    seed.whole_model()
    text = (await browse("/models/churn", params={"segment": "country=DE"})).text
    assert "300 of 500 events seen in 7 d" in text


async def test_an_unknown_version_shows_all(browse, seed):
    seed.whole_model()
    answer = await browse("/models/churn", params={"version": "nope", "span": "nope"})
    assert answer.status_code == 200
    assert "Distribution of plan" in answer.text


async def test_a_longer_span_reaches_further_back(browse, seed):
    seed.summary()
    for ago in (1, 700):
        seed.pane("churn", ago, events=50)
    short, long = [(await browse("/models/churn", params={"span": span})).text for span in ("30m", "2h")]
    assert "From 08:59:50 to 09:00:00 UTC" in short
    assert "From 07:03:20 to 09:00:00 UTC" in long


async def test_a_model_known_by_name_only_has_a_page(browse, seed):
    seed.summary("new", state="warming", not_judged="no pane has closed")
    answer = await browse("/models/new")
    assert answer.status_code == 200
    assert "no pane has closed" in answer.text
    assert "No pane has closed yet" in answer.text


async def test_a_feature_without_bins_says_why(browse, seed):
    summary = seed.summary()
    seed.view(
        summary,
        seed.window(features=[seed.number("age", count=0, missing=0).model_copy(update={"bins": []})]),
    )
    assert "no bins yet" in (await browse("/models/churn")).text


async def test_a_cause_is_told_while_the_alert_fires_and_nothing_in_it_is_markup(browse, seed):
    seed.summary()
    told = {"summary": "plan moved", "cause": "12 % new category '<script>alert(1)</script>'"}
    row = seed.alert("churn", annotations=told)
    text = (await browse("/models/churn")).text
    assert "Cause: <bdi>12 % new category" in text
    assert "<script>alert" not in text
    seed.alert("churn", status="resolved", endsAt=row.startsAt, annotations=told)
    assert "Cause:" not in (await browse("/models/churn")).text


async def test_an_alert_of_another_kind_links_its_own_runbook_only_if_it_is_a_web_address(browse, seed):
    seed.summary()
    good, bad = "https://wiki.example/x", "javascript:alert(1)"
    seed.alert("churn", labels={"alertname": "Own"}, annotations={"runbook_url": good})
    seed.alert("churn", labels={"alertname": "Evil"}, annotations={"runbook_url": bad})
    text = (await browse("/models/churn")).text
    assert f'href="{good}"' in text
    assert "javascript:" not in text


async def test_an_unknown_model_names_similar_ones(browse, seed):
    seed.summary("churn-eu")
    answer = await browse("/models/churn-e")
    assert answer.status_code == 404
    assert 'href="/models/churn-eu"' in answer.text
