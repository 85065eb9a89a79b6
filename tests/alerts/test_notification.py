import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.decision import Reason
from alerts.links import usable_link
from alerts.notification import Notification, NotifiedAlert, clip, rank, rfc3339

NINE = 1_795_424_400_000
RLO = "\u202e"


def alert(
    name: str = "FeatureDrift", severity: str = "warning", status: Any = "firing", **more: Any
) -> NotifiedAlert:
    labels = {
        "alertname": name,
        "model": "churn",
        "version": "1.4.2",
        "severity": severity,
        **more.pop("labels", {}),
    }
    annotations = more.pop("annotations", {"summary": "it drifted"})
    ends = NINE + 60_000 if status == "resolved" else None
    return NotifiedAlert(f"f-{name}-{severity}", status, labels, annotations, more.get("starts", NINE), ends)


def of(*alerts: NotifiedAlert, **more: Any) -> Notification:
    given = {"external_url": "https://drift.example/", **more}
    return Notification("{}:{}", "ops", {"model": "churn"}, rank(alerts), Reason.FIRST, "key", **given)


def test_the_title_says_how_bad_what_and_how_many() -> None:
    assert of(alert()).title == "WARNING: FeatureDrift · churn 1.4.2"
    three = of(alert("A"), alert("B", "critical"), alert("C", status="resolved"))
    assert three.title == "CRITICAL: churn · 1.4.2 (2 firing, 1 resolved)"
    assert of(alert(status="resolved")).title == "RESOLVED: FeatureDrift · churn 1.4.2"
    assert of(alert(), possible_repeat=True).title.endswith("(possible repeat)")


def test_the_text_holds_evidence_since_when_and_the_runbook() -> None:
    annotations = {
        "summary": "short",
        "evidence": json.dumps({"sentence": "p99 730 ms > 500 ms"}),
        "runbook_url": "/runbooks/LatencyHigh",
    }
    text = of(alert("LatencyHigh", "critical", annotations=annotations)).text
    assert text == (
        "CRITICAL: LatencyHigh · churn 1.4.2 | p99 730 ms > 500 ms | since 2026-11-23 09:00:00 UTC"
        " | runbook: https://drift.example/runbooks/LatencyHigh"
    )


@pytest.mark.parametrize(
    ("annotations", "sentence"),
    [
        ({"evidence": '{"sentence": "s"}', "summary": "x"}, "s"),
        ({"evidence": "plain words", "summary": "x"}, "plain words"),
        ({"evidence": '{"sentence": 3}', "summary": "x"}, "x"),
        ({"evidence": "[" * 100_000, "summary": "x"}, "[" * 499 + "…"),
        ({"evidence": "", "summary": " ", "description": "d"}, "d"),
        ({}, "FeatureDrift · churn 1.4.2"),
    ],
)
def test_the_sentence_is_the_best_there_is(annotations: dict[str, str], sentence: str) -> None:
    assert alert(annotations=annotations).sentence == sentence


def test_firing_comes_before_resolved_then_worse_then_older() -> None:
    over = alert("over", "critical", "resolved")
    given_ = [over, alert("i", "info"), alert("new", starts=NINE + 1), alert("old"), alert("bad", "critical")]
    assert [a.labels["alertname"] for a in rank([*given_, alert("odd", "odd")])] == [
        "bad", "old", "new", "i", "odd", "over",
    ]  # fmt: skip


def test_what_all_share_is_common() -> None:
    both = of(alert("A"), alert("B"))
    assert both.common_labels == {"model": "churn", "severity": "warning", "version": "1.4.2"}
    assert both.common_annotations == {"summary": "it drifted"}


texts = st.one_of(
    st.text(), st.just("x" * 10_000), st.just(f"{RLO}evil\ud800\r\n\x00🔥"), st.just("שלום עולم")
)


@given(st.dictionaries(st.sampled_from(["alertname", "model", "feature", "severity"]), texts), texts, texts)
def test_any_text_makes_a_short_plain_line(labels: dict[str, str], summary: str, link: str) -> None:
    annotations = {"summary": summary, "runbook_url": link, "evidence": summary}
    told = of(NotifiedAlert("f", "firing", labels, annotations, 10**18, None))
    assert 0 < len(told.title) <= 150
    for text in (told.title, told.text):
        assert not set(text) & set(f"{RLO}\n\r\x00\ud800")
    assert len(told.text) < 4500


@given(st.text(), st.integers(1, 20))
def test_clipped_text_is_within_its_limit(text: str, limit: int) -> None:
    assert len(clip(text, limit)) <= limit


@pytest.mark.parametrize(
    "address",
    ["", " ", "javascript:alert(1)", "http://", "http://[", "ftp://x/y", "http://x/a b", "http://x/" + "a" * 3000,
     "data:text/html,x", f"http://x/{RLO}"],
)  # fmt: skip
def test_what_cannot_be_opened_is_no_link(address: str) -> None:
    assert usable_link(address) == ""


@pytest.mark.parametrize("at_ms", [-(10**18), 0, NINE, 10**18])
def test_any_time_can_be_written(at_ms: int) -> None:
    assert len(rfc3339(at_ms)) == len("2026-11-23T09:00:00.000Z")
