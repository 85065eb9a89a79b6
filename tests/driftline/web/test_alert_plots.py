"""Pictures of evidence on the web face, over a desk in this process and a real store."""

import json
from html import unescape
from typing import Any
from urllib.parse import parse_qs

from shown_desk import ShownDesk, id_of

from alerts.alert import AlertUpsert

MOVED = {"labels": ["a", "b"], "reference": [0.9, 0.1], "current": [0.1, 0.9]}


def tell(desk: ShownDesk, name: str, evidence: dict[str, Any]) -> None:
    labels = {"alertname": name, "model": "churn", "severity": "warning"}
    upsert = {
        "status": "firing", "labels": labels, "annotations": {"evidence": json.dumps(evidence)},
        "starts_at_ms": desk.now_ms, "pane_end_ms": desk.now_ms, "sequence": 1,
    }  # fmt: skip
    desk.desk.upsert(AlertUpsert.model_validate(upsert), desk.now_ms)


async def test_an_alerts_picture_is_at_its_fingerprint_and_may_be_shown_elsewhere(
    browse: Any, redis_url: str, seed: Any
) -> None:
    desk = ShownDesk(redis_url)
    tell(desk, "Drift", MOVED)
    tell(desk, "Slow", {})
    await desk.show()
    answer = await browse(f"/api/v1/alerts/{id_of('Drift')}/plot.png")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.content[:8] == b"\x89PNG\r\n\x1a\n"
    without = await browse(f"/api/v1/alerts/{id_of('Slow')}/plot.png")
    assert (without.status_code, "no distributions" in without.text) == (404, True)
    unknown = await browse("/api/v1/alerts/0123456789abcdef/plot.png")
    assert unknown.status_code == 404
    assert (await browse(f"/api/v1/alerts/{id_of('Drift')}")).json()["fingerprint"] == id_of("Drift")


async def test_the_page_of_an_alert_shows_it_and_links_to_a_silence(
    browse: Any, redis_url: str, seed: Any
) -> None:
    desk = ShownDesk(redis_url)
    tell(desk, "Drift", MOVED)
    tell(desk, "Slow", {})
    await desk.show()
    page = (await browse(f"/alerts/{id_of('Drift')}")).text
    assert f'src="/api/v1/alerts/{id_of("Drift")}/plot.png"' in page
    link = unescape(page.split('href="/silences/new?')[1].split('"')[0])
    assert parse_qs(link) == {"matcher": ['alertname="Drift"', 'model="churn"']}
    assert "plot.png" not in (await browse(f"/alerts/{id_of('Slow')}")).text


async def test_the_picture_stays_for_a_while_after_the_alert_is_over(
    browse: Any, redis_url: str, seed: Any
) -> None:
    desk = ShownDesk(redis_url)
    tell(desk, "Drift", MOVED)
    await desk.show()
    labels = {"alertname": "Drift", "feature": ""}
    seed.alert("churn", status="resolved", labels=labels, annotations={"evidence": json.dumps(MOVED)})
    desk.upsert("resolved", "Drift")
    desk.pass_s(600)
    await desk.show()
    assert (await browse(f"/api/v1/alerts/{id_of('Drift')}/plot.png")).status_code == 200
