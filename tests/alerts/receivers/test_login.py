"""What an HTTP receiver shows and whom it trusts, seen from the other side."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import BasicAuth, ClientSession, web
from certificates import Authority
from pydantic import ValidationError

from alerts.config import parse
from alerts.decision import Reason
from alerts.notification import Notification, NotifiedAlert
from alerts.outcome import Failed, Outcome, Retry, Sent
from alerts.receivers.webhook import WebhookReceiver
from alerts.webhook_config import WebhookConfig

ALERT = NotifiedAlert("f1", "firing", {"alertname": "Drift"}, {}, 0, None)
TOLD = Notification("{}:{}", "ops", {}, (ALERT,), Reason.FIRST, "k-1")


async def send(session: ClientSession, url: str, **http_config: Any) -> Outcome:
    config = WebhookConfig.model_validate({"url": url, "http_config": http_config})
    return await WebhookReceiver(config, session).send(TOLD, None)


async def test_a_token_is_read_from_its_file_each_time(
    stub: Any, session: ClientSession, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    config = WebhookConfig.model_validate(
        {"url": stub.url, "http_config": {"authorization": {"credentials_file": str(file)}}}
    )
    receiver = WebhookReceiver(config, session)
    missing = await receiver.send(TOLD, None)
    assert isinstance(missing, Failed)
    assert missing.reason.startswith("credentials_file: cannot read")
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        assert await receiver.send(TOLD, None) == Sent()
    file.write_text("two\nX-Smuggled: lines")
    smuggled = await receiver.send(TOLD, None)
    assert isinstance(smuggled, Failed)
    assert "more than one line" in smuggled.reason
    assert "Smuggled" not in smuggled.reason
    assert [headers["Authorization"] for _, headers, _ in stub.requests] == ["Bearer one", "Bearer two"]


async def test_the_type_of_a_token_may_be_another(stub: Any, session: ClientSession) -> None:
    await send(session, stub.url, authorization={"type": "Token", "credentials": "one"})
    assert stub.requests[0][1]["Authorization"] == "Token one"


async def test_user_and_password_are_basic_auth(stub: Any, session: ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("geheim: ü\n")
    await send(session, stub.url, basic_auth={"username": "ops", "password_file": str(file)})
    shown = BasicAuth.decode(stub.requests[0][1]["Authorization"], encoding="utf-8")
    assert (shown.login, shown.password) == ("ops", "geheim: ü")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def mutual(authority: Authority) -> AsyncIterator[str]:
    """A server that asks for a certificate of the authority."""
    made = authority.issue("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.cert))
    context.load_cert_chain(made.cert, made.key)
    context.verify_mode = ssl.CERT_REQUIRED

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://localhost:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_the_other_side_is_trusted_by_our_authority_and_knows_us_by_our_certificate(
    authority: Authority, mutual: str, session: ClientSession
) -> None:
    ours = authority.issue("driftline")
    pair = {"cert_file": str(ours.cert), "key_file": str(ours.key)}
    assert await send(session, mutual, tls_config={"ca_file": str(authority.cert), **pair}) == Sent()
    stranger = await send(session, mutual, tls_config=pair)
    assert isinstance(stranger, Retry)
    assert not stranger.maybe_delivered
    assert not isinstance(await send(session, mutual, tls_config={"ca_file": str(authority.cert)}), Sent)


async def test_a_certificate_that_cannot_be_used_is_told_with_its_key(
    authority: Authority, session: ClientSession, tmp_path: Path
) -> None:
    locked = authority.issue("locked", password="geheim")
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    for tls, key in (
        ({"ca_file": str(bad)}, "ca_file"),
        ({"ca_file": str(tmp_path / "none.pem")}, "ca_file"),
        ({"cert_file": str(bad), "key_file": str(bad)}, "cert_file"),
        ({"cert_file": str(locked.cert), "key_file": str(locked.key)}, "cert_file"),
    ):
        outcome = await send(session, "https://localhost:1/", tls_config=tls)
        assert isinstance(outcome, Failed)
        assert outcome.reason.startswith(f"{key}: ")
        assert "PEM" in outcome.reason


TOKEN = {"credentials": "s3cret"}
BASIC = {"username": "ops", "password": "s3cret"}


@pytest.mark.parametrize(
    ("section", "place", "message"),
    [
        ({"authorization": TOKEN, "basic_auth": BASIC}, (), "either authorization or basic_auth"),
        ({"authorization": {}}, ("authorization",), "either credentials or credentials_file"),
        ({"authorization": {**TOKEN, "type": "Basic"}}, ("authorization",), "write basic_auth"),
        ({"authorization": {"credentials": "a\ns3cret"}}, ("authorization", "credentials"), "line break"),
        ({"basic_auth": {"username": "a"}}, ("basic_auth",), "either password or password_file"),
        ({"basic_auth": {**BASIC, "username": "a:b"}}, ("basic_auth", "username"), "pattern"),
        ({"tls_config": {"cert_file": "f"}}, ("tls_config",), "both cert_file and key_file"),
        (
            {"tls_config": {"insecure_skip_verify": True}},
            ("tls_config", "insecure_skip_verify"),
            "into ca_file",
        ),
        ({"follow_redirects": True}, ("follow_redirects",), "never followed"),
        ({"bearer_token_file": "f"}, ("bearer_token_file",), "write authorization"),
        ({"proxy_url": "http://p"}, ("proxy_url",), "unknown key 'proxy_url'"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(
    section: dict[str, Any], place: tuple[str | int, ...], message: str
) -> None:
    hook = {"url": "http://localhost/", "http_config": section}
    with pytest.raises(ValidationError) as caught:
        parse({"route": {"receiver": "ops"}, "receivers": [{"name": "ops", "webhook_configs": [hook]}]})
    errors = {error["loc"]: error["msg"] for error in caught.value.errors()}
    assert message in errors["receivers", 0, "webhook_configs", 0, "http_config", *place]
    assert "s3cret" not in str(caught.value)


def test_what_alertmanager_files_say_by_default_is_taken() -> None:
    section = {"follow_redirects": False, "tls_config": {"insecure_skip_verify": False}}
    WebhookConfig.model_validate({"url": "http://localhost/", "http_config": section})
