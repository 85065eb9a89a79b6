"""Tokens: kept while they are good, asked for again in time, and never given away."""

from pathlib import Path

import pytest
from token_endpoint import TokenServer

from streams.connections import TokenEndpoint, TokenError, TokenFile

SECRET = "hunter2/&="


def test_a_token_file_is_read_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    tokens = TokenFile(file)
    assert tokens.token() == "first"
    file.write_text("second")
    assert tokens.token() == "second"


@pytest.mark.parametrize("content", [b"", b"\n", b"two tokens", b"\xff"])
def test_a_file_without_one_token_says_which(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "token"
    with pytest.raises(TokenError, match=f"{file} cannot be read: No such file"):
        TokenFile(file).token()
    file.write_bytes(content)
    with pytest.raises(TokenError, match=str(file)) as refused:
        TokenFile(file).token()
    assert "two tokens" not in str(refused.value)


def test_a_token_is_kept_until_most_of_its_life_is_over() -> None:
    now_s = 1000.0
    with TokenServer("me", "hunter2", lifetime_s=100) as server:
        tokens = TokenEndpoint(server.url, "me", "hunter2", scope="kafka x", clock=lambda: now_s)
        first = tokens.token()
        now_s += 79
        assert tokens.token() == first
        now_s += 2
        assert tokens.token() != first
        assert server.asked == 2 * [{"grant_type": ["client_credentials"], "scope": ["kafka x"]}]


def test_client_id_and_secret_are_encoded_before_they_are_joined() -> None:
    with TokenServer("a%3Ab", "hunter2%2F%26%3D") as server:
        assert TokenEndpoint(server.url, "a:b", SECRET).token()


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ({"status": 500}, "answered 500"),
        ({"answer": b"<html>"}, "no JSON"),
        ({"answer": b"[]"}, "without an access_token"),
        ({"answer": b'{"access_token": "a b"}'}, "without an access_token"),
        ({"status": 302, "headers": {"location": "http://127.0.0.1:9/"}}, "answered 302"),
    ],
)
def test_an_endpoint_that_gives_no_token_is_told_of_without_the_secret(says: dict, reason: str) -> None:
    with TokenServer("me", "hunter2", **says) as server:
        with pytest.raises(TokenError, match=reason) as refused:
            TokenEndpoint(server.url, "me", "hunter2").token()
        assert "hunter2" not in str(refused.value)
        assert server.url in str(refused.value)


def test_a_wrong_secret_and_a_missing_endpoint_are_said() -> None:
    with TokenServer("me", "hunter2") as server:
        with pytest.raises(TokenError, match=r"answered 401 Unauthorized; check DRIFTLINE_KAFKA_OAUTH"):
            TokenEndpoint(server.url, "me", "wrong").token()
        assert server.asked == []
    with pytest.raises(TokenError, match="cannot be asked: "):
        TokenEndpoint(server.url, "me", "hunter2").token()


def test_a_token_that_does_not_tell_its_life_is_kept_for_a_minute() -> None:
    now_s = 0.0
    with TokenServer("me", "hunter2", answer=b'{"access_token": "a"}') as server:
        tokens = TokenEndpoint(server.url, "me", "hunter2", clock=lambda: now_s)
        for at_s in (0.0, 40.0, 50.0):
            now_s = at_s
            assert tokens.token() == "a"
        assert len(server.asked) == 2
