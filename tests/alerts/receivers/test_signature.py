"""A signed webhook, checked as docs/receivers.md tells its users to."""

import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import ValidationError

from alerts.decision import Reason
from alerts.notification import Notification, NotifiedAlert
from alerts.outcome import Failed, Sent
from alerts.receivers.webhook import WebhookReceiver
from alerts.webhook_config import WebhookConfig

PAGE = Path(__file__).resolve().parents[3] / "docs" / "receivers.md"
NINE_S = 1_795_424_400
ALERT = NotifiedAlert("f1", "firing", {"alertname": "Drift 🔥"}, {}, 0, None)
TOLD = Notification("{}:{}", "ops", {}, (ALERT,), Reason.FIRST, "k-1")


def documented() -> Any:
    """The function that docs/receivers.md gives for the other side."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["is_from_driftline"]


def receiver(session: ClientSession, **config: Any) -> WebhookReceiver:
    return WebhookReceiver(WebhookConfig.model_validate(config), session, lambda: NINE_S * 1000 + 999)


async def test_the_documented_check_takes_what_we_sign_and_nothing_else(
    stub: Any, session: ClientSession
) -> None:
    assert await receiver(session, url=stub.url, secret="key").send(TOLD, None) == Sent()
    header, body, check = stub.requests[0][1]["Driftline-Signature"], stub.bodies[0], documented()
    assert check(header, body, "key", NINE_S)
    assert check(header, body, "key", NINE_S + 300)
    assert not check(header, body, "key", NINE_S + 301)
    assert not check(header, body + b" ", "key", NINE_S)
    assert not check(header, body, "another", NINE_S)
    assert not check(header.replace(f"t={NINE_S}", f"t={NINE_S + 1}"), body, "key", NINE_S)
    assert not check("", body, "key", NINE_S)


async def test_without_a_secret_nothing_is_signed(stub: Any, session: ClientSession) -> None:
    await receiver(session, url=stub.url).send(TOLD, None)
    assert "Driftline-Signature" not in stub.requests[0][1]


async def test_the_key_is_read_from_its_file_each_time(
    stub: Any, session: ClientSession, tmp_path: Path
) -> None:
    file, check = tmp_path / "key", documented()
    signed = receiver(session, url=stub.url, secret_file=str(file))
    missing = await signed.send(TOLD, None)
    assert isinstance(missing, Failed)
    assert missing.reason.startswith("secret_file: cannot read")
    assert stub.requests == []
    for key in ("one", "two"):
        file.write_text(f"{key}\n")
        await signed.send(TOLD, None)
        assert check(stub.requests[-1][1]["Driftline-Signature"], stub.bodies[-1], key, NINE_S)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"secret": "a", "secret_file": "b"}, "either secret or secret_file"),
        ({"headers": {"driftline-signature": "x"}}, "set by the receiver itself"),
        (
            {"headers": {"authorization": "x"}, "http_config": {"authorization": {"credentials": "y"}}},
            "both say Authorization",
        ),
    ],
)
def test_what_contradicts_is_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        WebhookConfig.model_validate({"url": "http://localhost/", **section})
