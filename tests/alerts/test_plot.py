"""Pictures of evidence: drawn here, shown where a receiver can show them, and never in a message's way."""

import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import plot
from alerts.decision import Reason
from alerts.email_config import EmailConfig
from alerts.notification import Notification, NotifiedAlert, rank
from alerts.outcome import Failed, Outcome, Sent
from alerts.pagerduty_config import PagerdutyConfig
from alerts.pictures import is_public
from alerts.receiver_config import SlackConfig
from alerts.receivers.email_message import message
from alerts.receivers.pagerduty_event import encode
from alerts.receivers.slack import SlackReceiver
from alerts.receivers.slack_blocks import blocks

NINE = 1_795_424_400_000
PUBLIC = "https://drift.example.org/ml"
MOVED = {"labels": ["a", "b"], "reference": [0.9, 0.1], "current": [0.1, 0.9]}


def alert(
    feature: str = "age", severity: str = "critical", status: Any = "firing", **evidence: Any
) -> NotifiedAlert:
    labels = {"alertname": "FeatureDrift", "model": "churn", "feature": feature, "severity": severity}
    annotations = {
        "summary": "moved",
        "evidence": json.dumps(MOVED | evidence),
        "dashboard_url": "https://d.example",
    }
    return NotifiedAlert(
        f"f{feature}", status, labels, annotations, NINE, NINE if status == "resolved" else None
    )


def told(*alerts: NotifiedAlert, base: str = PUBLIC) -> Notification:
    return Notification("{}:{}", "ops", {}, rank(alerts), Reason.FIRST, "k", external_url=base)


def pixels(picture: bytes) -> tuple[int, int, dict[bytes, int]]:
    """Width, height, and how many pixels are of which colour, of a PNG of 8-bit RGBA."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack(">IIBB", picture[16:26])
    assert (depth, kind) == (8, 6)
    at, packed = 8, b""
    while at < len(picture):
        (length,) = struct.unpack(">I", picture[at : at + 4])
        packed += picture[at + 8 : at + 8 + length] if picture[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + length
    raw, stride = zlib.decompress(packed), width * 4
    before, counts = bytearray(stride), {}
    for row in range(height):
        line = raw[row * (stride + 1) : (row + 1) * (stride + 1)]
        before = _unfiltered(line[0], bytearray(line[1:]), before)
        for x in range(0, stride, 4):
            colour = bytes(before[x : x + 3])
            counts[colour] = counts.get(colour, 0) + 1
    return width, height, counts


def _unfiltered(kind: int, line: bytearray, above: bytearray) -> bytearray:
    for x in range(len(line)):
        left, up, corner = line[x - 4] if x >= 4 else 0, above[x], above[x - 4] if x >= 4 else 0
        guess = left + up - corner
        nearest = min(
            (abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner)
        )[2]
        line[x] = (line[x] + (0, left, up, (left + up) // 2, nearest)[kind]) & 255
    return line


def test_the_picture_shows_both_distributions_and_words_without_any_font_of_the_system() -> None:
    drawn = plot.png(alert(samples=1_000, score=1.0, threshold=0.2))
    assert drawn is not None
    width, height, counts = pixels(drawn)
    assert (width, height) == (2 * plot.WIDTH, 2 * plot.HEIGHT)
    assert counts[bytes.fromhex("b3261e")] > 5_000
    assert counts[bytes.fromhex("cbc4b5")] > 5_000
    assert counts[bytes.fromhex("1c1b19")] > 300
    without_words = plot.png(NotifiedAlert("f", "firing", {}, {"evidence": json.dumps(MOVED)}, 0, None))
    assert without_words != drawn


def test_its_colour_is_the_severitys() -> None:
    for severity, colour in (("warning", "c07a12"), ("info", "14807c")):
        drawn = plot.png(alert(severity=severity))
        assert drawn is not None
        assert pixels(drawn)[2][bytes.fromhex(colour)] > 5_000


def test_many_bins_are_drawn_together_and_none_of_them_is_lost() -> None:
    bins = 500
    evidence = {
        "labels": [str(n) for n in range(bins)],
        "reference": [1 / bins] * bins,
        "current": [1 / bins] * bins,
    }
    drawn = plot.svg(alert(**evidence))
    assert plot.MOST_BARS - 8 < drawn.count('fill="#b3261e"') - 1 <= plot.MOST_BARS


@pytest.mark.parametrize(
    "evidence",
    [
        {"labels": []},
        {"current": [0.1]},
        {"reference": [0, 0], "current": [0, 0]},
        {"current": ["x", "y"]},
        {"labels": 3},
    ],
)
def test_without_distributions_there_is_no_picture(evidence: dict[str, Any]) -> None:
    assert plot.png(alert(**evidence)) is None


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=30), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60),
    st.text(),
)
def test_any_names_and_shares_can_be_drawn(bars: list[tuple[str, float, float]], feature: str) -> None:
    labels, reference, current = zip(*bars, strict=True)
    given_ = alert(feature, labels=labels, reference=reference, current=current)
    drawn = plot.png(given_)
    assert (drawn is None) == (max(*reference, *current) == 0)


@pytest.mark.parametrize(
    "broken", [ValueError("x"), type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})()]
)
def test_a_picture_that_cannot_be_drawn_is_left_out(
    broken: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(**_: Any) -> bytes:
        raise broken

    monkeypatch.setattr("resvg_py.svg_to_bytes", breaks)
    assert plot.png(alert()) is None
    mail = message(told(alert()), EmailConfig.model_validate({"to": "a@x.org", "from": "d@x.org"}), "", NINE)
    assert "moved" in str(mail.get_body(("html",)))


def test_an_email_holds_the_pictures_of_the_three_worst() -> None:
    group = told(*(alert(f"f{n}") for n in range(5)), alert("over", status="resolved"))
    mail = message(group, EmailConfig.model_validate({"to": "a@x.org", "from": "d@x.org"}), "", NINE)
    html = mail.get_body(("html",))
    assert html is not None
    images = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert [part["Content-ID"] for part in images] == [f"<ff{n}.k@driftline>" for n in range(3)]
    assert all(f'src="cid:{part["Content-ID"][1:-1]}"' in html.get_content() for part in images)
    assert images[0].get_content()[:4] == b"\x89PNG"
    text = mail.get_body(("plain",))
    assert text is not None
    assert "cid:" not in text.get_content()


def test_pagerduty_is_given_pictures_it_can_show() -> None:
    config = PagerdutyConfig.model_validate(
        {"routing_key": "k", "images": [{"src": "https://x.example/a.png"}]}
    )
    event = json.loads(encode(told(alert("a"), alert("b")), config, "k"))
    assert [image["src"] for image in event["images"]] == [
        "https://x.example/a.png", f"{PUBLIC}/api/v1/alerts/fa/plot.png", f"{PUBLIC}/api/v1/alerts/fb/plot.png",
    ]  # fmt: skip
    assert event["images"][1]["href"] == "https://d.example"
    plain = json.loads(encode(told(alert("a"), base="http://drift.example.org"), config, "k"))
    assert len(plain["images"]) == 1
    assert plain["payload"]["custom_details"]["alerts"][0]["plot"].startswith(
        "http://drift.example.org/api/v1/"
    )


@pytest.mark.parametrize(
    ("address", "public"),
    [
        (PUBLIC, True), ("http://drift.example.org", False), ("https://localhost:8080", False),
        ("https://drift", False), ("https://drift.corp", False), ("https://192.168.1.7", False),
        ("https://[::1]", False), ("https://8.8.8.8", True),
        ("https://drift.prod.internal", False),
    ],
)  # fmt: skip
def test_slack_is_given_a_picture_only_where_it_can_fetch_it(address: str, public: bool) -> None:
    assert is_public(address) == public
    shown = blocks(told(alert(), base=address))
    pictures = [block for block in shown if block["type"] == "image"]
    assert [picture["image_url"] for picture in pictures] == [
        f"{address}/api/v1/alerts/fage/plot.png"
    ] * public
    assert all(0 < len(picture["alt_text"]) <= 2_000 for picture in pictures)
    buttons = {button["text"]["text"]: button["url"] for button in shown[-1]["elements"]}
    assert buttons["Plot"] == f"{address}/api/v1/alerts/fage/plot.png"


@pytest.fixture
def posted(stub: Any, session: ClientSession) -> Callable[..., Any]:
    """Sends a pictured notification to a Slack that refuses pictures, and maybe more."""

    async def run(
        error: str, *, always: bool = False, reference: Any = None
    ) -> tuple[Outcome, list[list[str]]]:
        def answer(path: str, body: Any) -> dict[str, Any]:
            pictured = any(block["type"] == "image" for block in body.get("blocks", ()))
            return (
                {"ok": False, "error": error}
                if pictured or always
                else {"ok": True, "channel": "C", "ts": "1"}
            )

        stub.default = answer
        config = SlackConfig.model_validate(
            {"channel": "#ml", "token": "xoxb-1", "api_url": f"{stub.url}/api/"}
        )
        outcome = await SlackReceiver(config, session).send(told(alert()), reference)
        return outcome, [[block["type"] for block in body.get("blocks", ())] for _, _, body in stub.requests]

    return run


async def test_a_picture_that_slack_cannot_fetch_costs_no_message(posted: Callable[..., Any]) -> None:
    outcome, sent = await posted("invalid_blocks")
    assert outcome == Sent({"channel": "C", "ts": "1"})
    assert ["image" in kinds for kinds in sent] == [True, False]


async def test_nor_does_it_when_the_message_is_updated(posted: Callable[..., Any]) -> None:
    outcome, sent = await posted("invalid_blocks", reference={"channel": "C", "ts": "1"})
    assert outcome == Sent({"channel": "C", "ts": "1"})
    # With it, without it, and the reply in the thread.
    assert ["image" in kinds for kinds in sent] == [True, False, False]


async def test_what_is_refused_for_another_reason_is_not_sent_twice(posted: Callable[..., Any]) -> None:
    outcome, sent = await posted("not_in_channel")
    assert isinstance(outcome, Failed)
    assert len(sent) == 1
    outcome, sent = await posted("invalid_blocks", always=True)
    assert isinstance(outcome, Failed)
    assert len(sent) == 3
