"""The evidence of an alert in messages: what is told, and that odd evidence is told less of, never broken by."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.decision import Reason
from alerts.email_config import EmailConfig
from alerts.evidence import read
from alerts.links import silence_link
from alerts.notification import Notification, NotifiedAlert, rank
from alerts.pagerduty_config import PagerdutyConfig
from alerts.receivers.email_message import message
from alerts.receivers.log import line
from alerts.receivers.pagerduty_event import encode
from alerts.receivers.slack_blocks import blocks
from alerts.receivers.webhook import payload

NINE = 1_795_424_400_000
PSI = {
    "detector": "psi", "score": 0.3123, "threshold": 0.2, "samples": 14_203, "value": 0.3123,
    "labels": ["18 to 40", "40 and up"], "reference": [0.6, 0.4], "current": [0.2, 0.8],
    "window": {"start_ms": NINE - 300_000, "end_ms": NINE},
    "cause": {"drivers": [{"what": "40 and up"}, {"what": "18 to 40"}]},
}  # fmt: skip
FACTS = "psi 0.312 > 0.2 · 14,203 samples · 5 min to 2026-11-23 09:00:00 UTC"


def alert(feature: str = "age", status: Any = "firing", **evidence: Any) -> NotifiedAlert:
    labels = {"alertname": "FeatureDrift", "model": 'ch"urn', "feature": feature, "severity": "warning"}
    annotations = {"summary": f"{feature} moved", "evidence": json.dumps(PSI | evidence)}
    return NotifiedAlert(
        f"f-{feature}", status, labels, annotations, NINE, NINE if status == "resolved" else None
    )


def told(*alerts: NotifiedAlert, base: str = "https://drift.example/ml") -> Notification:
    return Notification("{}:{}", "ops", {}, rank(alerts), Reason.FIRST, "k", external_url=base)


def test_the_figures_are_told_in_one_line() -> None:
    assert alert().facts == FACTS
    assert alert().features == ("40 and up", "18 to 40")
    assert alert(status="resolved").facts == ""


@pytest.mark.parametrize(
    ("start", "said"),
    [(NINE - 1_000, "1 s to "), (NINE - 90_000, "90 s to "), (NINE - 3_600_000, "1 h to "),
     (NINE - 7 * 86_400_000, "7 d to "), (NINE - 5_400_000, "90 min to "), (NINE, ""), (-1, ""), ("x", "")],
)  # fmt: skip
def test_the_window_is_told_in_its_own_unit(start: Any, said: str) -> None:
    assert alert(window={"start_ms": start, "end_ms": NINE}).evidence.window.startswith(said)
    assert bool(alert(window={"start_ms": start, "end_ms": NINE}).evidence.window) == bool(said)


def test_the_features_furthest_beyond_their_thresholds_come_first() -> None:
    group = told(alert("a"), alert("b", score=0.9), alert("c", score=0.5), alert("d", "resolved", score=5))
    assert group.top_features == "b, c, a"
    assert told(*(alert(f"f{n}", score=n) for n in range(9))).top_features == "f8, f7, f6, f5, f4 and 4 more"


def test_an_alert_by_itself_names_what_drives_it() -> None:
    one = alert("prediction", cause={"features": [{"what": "age"}, {"what": "plan"}], "drivers": []})
    assert told(one).top_features == "age, plan"
    assert told(alert(cause=None)).top_features == ""


def test_the_silence_link_has_what_all_share_but_severity() -> None:
    group = told(alert("a"), alert("b"))
    assert group.silence_url == (
        "https://drift.example/ml/silences/new?matcher=alertname%3D%22FeatureDrift%22&matcher=model%3D%22ch%5C%22urn%22"
    )
    assert group.silence_of(group.alerts[0]).count("matcher=") == 3
    assert silence_link("", {"a": "b"}) == silence_link("https://x", {"severity": "info"}) == ""


def test_every_receiver_shows_evidence_and_links() -> None:
    group = told(alert("a"), alert("b"))
    slack = json.dumps(blocks(group), ensure_ascii=False)
    assert FACTS.replace(">", "&gt;") in slack
    assert "Top features: a, b" in slack
    assert group.silence_url in slack
    config = PagerdutyConfig.model_validate({"routing_key": "k"})
    event = json.loads(encode(group, config, "k"))
    assert event["payload"]["custom_details"]["alerts"][0]["evidence"] == FACTS
    assert event["payload"]["custom_details"]["top_features"] == "a, b"
    assert {"href": group.silence_url, "text": "Silence these alerts"} in event["links"]
    mail = message(group, EmailConfig.model_validate({"to": "a@x.org", "from": "d@x.org"}), "", NINE)
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body is not None
        text = body.get_content().replace("&gt;", ">").replace("&amp;", "&")
        assert FACTS in text
        assert "Top features: a, b" in text
        assert group.silence_of(group.alerts[0]) in text
    assert FACTS in line(group, group.alerts[0])
    assert json.loads(payload(group)["alerts"][0]["annotations"]["evidence"]) == PSI


def test_where_slack_has_buttons_of_its_own_no_link_says_silence_again() -> None:
    button = {"type": "button", "action_id": "x", "text": {"type": "plain_text", "text": "Silence 1h"}}
    assert "/silences/new" not in json.dumps(blocks(told(alert()), [button]))


def test_what_is_over_has_no_silence_link() -> None:
    over = told(alert(status="resolved"))
    assert "/silences/new" not in json.dumps(blocks(over))
    config = PagerdutyConfig.model_validate({"routing_key": "k"})
    assert "/silences/new" not in encode(over, config, "k").decode()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*PSI, "what"]), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*PSI]), values))
def test_no_evidence_breaks_a_message(odd: dict[str, Any]) -> None:
    group = told(replace(alert(), annotations={"evidence": json.dumps(PSI | odd)}))
    assert len(group.alerts[0].facts) <= 250
    for section in blocks(group):
        assert len(section.get("text", {}).get("text", "")) <= 3_000
    found = read(json.dumps(PSI | odd))
    assert len(found.labels) == len(found.reference) == len(found.current)
