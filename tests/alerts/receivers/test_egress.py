"""The allow-list, as it is read, and as the session of all receivers keeps to it."""

from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import ValidationError

from alerts.config import parse
from alerts.egress import Egress
from alerts.errors import EgressRefused
from alerts.receivers.gate import demand_host, through


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("hooks.slack.com", True),
        ("HOOKS.slack.com.", True),
        ("evil-hooks.slack.com", False),
        ("hooks.slack.com.evil.org", False),
        ("a.example.org", True),
        ("a.b.example.org", True),
        ("example.org", False),
        ("evilexample.org", False),
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("10.2.0.1", False),
        ("[fd00::1]", True),
        ("169.254.169.254", False),
    ],
)
def test_a_host_is_allowed_by_name_or_network_alone(host: str, allowed: bool) -> None:
    egress = Egress(("hooks.slack.com", "*.example.org", "10.1.0.0/16", "fd00::/8"))
    assert egress.names(host) is allowed
    assert Egress().names(host)


def test_of_a_name_only_the_addresses_that_are_allowed_are_reached() -> None:
    egress = Egress(("10.0.0.0/8",))
    assert egress.demand("mixed.example", ["10.0.0.1", "169.254.169.254"]) == ("10.0.0.1",)
    with pytest.raises(EgressRefused):
        egress.demand("inside.example", ["169.254.169.254"])


@pytest.mark.parametrize(
    ("allow", "allowed"), [(("127.0.0.0/8", "::1"), True), (("localhost",), True), (("10.0.0.0/8",), False)]
)
async def test_the_session_reaches_a_name_by_allowed_addresses_alone(
    stub: Any, session: ClientSession, allow: tuple[str, ...], allowed: bool
) -> None:
    url = stub.url.replace("127.0.0.1", "localhost")
    with through(Egress(allow)):
        if allowed:
            async with session.post(url, json={}) as response:
                assert response.status == 200
            await demand_host("localhost")
        else:
            with pytest.raises(EgressRefused):
                await session.post(url, json={})
            with pytest.raises(EgressRefused):
                await demand_host("localhost")
    assert len(stub.requests) == allowed
    # Outside of the block the list holds no more.
    async with session.post(stub.url, json={}) as response:
        assert response.status == 200


@pytest.mark.parametrize("proxy_allows", [True, False])
async def test_behind_a_proxy_a_host_is_asked_after_by_name_and_the_proxy_not_at_all(
    stub: Any, session: ClientSession, monkeypatch: pytest.MonkeyPatch, proxy_allows: bool
) -> None:
    monkeypatch.setenv("http_proxy", stub.url.replace("127.0.0.1", "localhost"))
    monkeypatch.delenv("no_proxy", raising=False)
    allow = ("10.0.0.0/8", *(["hooks.example.org"] if proxy_allows else []))
    with through(Egress(allow)):
        if proxy_allows:
            async with session.post("http://hooks.example.org/x", json={}) as response:
                assert response.status == 200
        else:
            with pytest.raises(EgressRefused):
                await session.post("http://hooks.example.org/x", json={})
    assert len(stub.requests) == proxy_allows


@pytest.mark.parametrize("entry", ["", "http://a.example", "a b", "10.0.0.0/99", "1.2.3", "*"])
def test_an_entry_that_cannot_be_read_is_told_with_its_place(entry: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse(
            {
                "global": {"egress_allow": ["hooks.slack.com", entry]},
                "route": {"receiver": "a"},
                "receivers": [{"name": "a"}],
            }
        )
    (error,) = caught.value.errors()
    assert error["loc"] == ("global", "egress_allow", 1)
    assert "write hooks.slack.com" in error["msg"]
