"""Settings of connections: what they lead to, what is refused, and that no secret is ever shown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from certificates import Authority

from driftline import access, settings
from driftline.settings import SettingsError
from driftline.worker import settings_environment
from streams.connections import Brokers, Login, Tls, TokenEndpoint, TokenFile, aiokafka_options

SECRET = "hunter2-and-more"
SCRAM = {
    "KAFKA": "a:1",
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "driftline",
}
OAUTH = {"KAFKA": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER"}
ENDPOINT = OAUTH | {"KAFKA_OAUTH_TOKEN_URL": "https://login.example/token", "KAFKA_OAUTH_CLIENT_ID": "me"}


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch):
    def set_all(values: dict[str, object]) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"DRIFTLINE_{name}", str(value))

    return set_all


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{SECRET}\n")
    return path


def refusal() -> list[str]:
    with pytest.raises(SettingsError) as refused:
        settings.load()
    return str(refused.value).splitlines()


def test_a_plain_broker_needs_nothing_more(give) -> None:
    give({"KAFKA": "a:1,b:2"})
    assert access.brokers(settings.load()) == Brokers("a:1,b:2")


def test_a_login_comes_from_a_file_without_its_line_end(give, password_file: Path) -> None:
    give(SCRAM | {"KAFKA_SASL_PASSWORD_FILE": password_file})
    brokers = access.brokers(settings.load())
    assert brokers == Brokers("a:1", Tls(), Login("SCRAM-SHA-512", "driftline", SECRET))
    assert aiokafka_options(brokers)["security_protocol"] == "SASL_SSL"


def test_kafkas_words_may_be_written_in_any_case(give) -> None:
    give(
        SCRAM
        | {
            "KAFKA_SECURITY_PROTOCOL": "sasl_plaintext",
            "KAFKA_SASL_MECHANISM": "scram-sha-256",
            "KAFKA_SASL_PASSWORD": SECRET,
        }
    )
    assert access.brokers(settings.load()) == Brokers(
        "a:1", None, Login("SCRAM-SHA-256", "driftline", SECRET)
    )


def test_tokens_come_from_a_file_or_an_endpoint(
    give, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("a.b.c")
    give(OAUTH | {"KAFKA_OAUTH_TOKEN_FILE": tmp_path / "token"})
    assert access.brokers(settings.load()).sasl == TokenFile(tmp_path / "token")
    monkeypatch.delenv("DRIFTLINE_KAFKA_OAUTH_TOKEN_FILE")
    give(ENDPOINT | {"KAFKA_OAUTH_CLIENT_SECRET": SECRET, "KAFKA_OAUTH_SCOPE": "kafka"})
    endpoint = access.brokers(settings.load()).sasl
    assert isinstance(endpoint, TokenEndpoint)
    assert (endpoint.client_id, endpoint.client_secret, endpoint.scope) == ("me", SECRET, "kafka")


def test_a_store_takes_its_password_from_a_file(give, password_file: Path) -> None:
    give({"REDIS": "rediss://store:6380/0", "REDIS_USERNAME": "drift", "REDIS_PASSWORD_FILE": password_file})
    store = access.store(settings.load())
    assert store.options == {"username": "drift", "password": SECRET}
    assert str(store) == "store:6380"


@pytest.mark.parametrize(
    ("given", "variable", "remedy"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, "KAFKA_SECURITY_PROTOCOL", "set DRIFTLINE_KAFKA"),
        ({"KAFKA": "a:1", "KAFKA_CA_FILE": "/ca"}, "KAFKA_CA_FILE", "set SSL there"),
        ({"KAFKA": "a:1", "KAFKA_SASL_USERNAME": "me"}, "KAFKA_SASL_USERNAME", "set SASL_SSL"),
        (
            {"KAFKA": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"},
            "KAFKA_SASL_MECHANISM",
            "PLAIN, SCRAM-SHA-256",
        ),
        (SCRAM, "KAFKA_SASL_PASSWORD_FILE", "needed with SCRAM-SHA-512"),
        (
            SCRAM | {"KAFKA_SASL_USERNAME": "", "KAFKA_SASL_PASSWORD": SECRET},
            "KAFKA_SASL_USERNAME",
            "needed with",
        ),
        (
            SCRAM | {"KAFKA_SASL_PASSWORD": SECRET, "KAFKA_OAUTH_SCOPE": "x"},
            "KAFKA_OAUTH_SCOPE",
            "set OAUTHBEARER",
        ),
        (
            SCRAM | {"KAFKA_SASL_PASSWORD": SECRET, "KAFKA_KEY_FILE": "/key"},
            "KAFKA_CERT_FILE",
            "needed beside the key",
        ),
        (
            ENDPOINT | {"KAFKA_OAUTH_CLIENT_SECRET": SECRET, "KAFKA_SASL_PASSWORD": SECRET},
            "KAFKA_SASL_PASSWORD",
            "leave it out",
        ),
        (ENDPOINT, "KAFKA_OAUTH_CLIENT_SECRET_FILE", "needed"),
        (OAUTH | {"KAFKA_OAUTH_TOKEN_FILE": "/no/token"}, "KAFKA_OAUTH_TOKEN_FILE", "no file /no/token"),
        (OAUTH | {"KAFKA_OAUTH_TOKEN_URL": "http://login.example"}, "KAFKA_OAUTH_TOKEN_URL", "https://"),
        (
            OAUTH | {"KAFKA_OAUTH_TOKEN_URL": f"https://me:{SECRET}@login.example"},
            "KAFKA_OAUTH_TOKEN_URL",
            "no user",
        ),
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ({"REDIS_PASSWORD": SECRET}, "REDIS_PASSWORD", "set DRIFTLINE_REDIS"),
        ({"REDIS": "redis://h", "REDIS_USERNAME": "me"}, "REDIS_PASSWORD_FILE", "needed beside"),
        ({"REDIS": f"redis://:{SECRET}@h", "REDIS_PASSWORD": SECRET}, "REDIS", "leave one of them out"),
        ({"REDIS": f"redis://me:{SECRET}@h", "REDIS_USERNAME": "me"}, "REDIS", "leave one of them out"),
        ({"REDIS": "redis://h", "REDIS_CA_FILE": "/ca"}, "REDIS_CA_FILE", "rediss://"),
        ({"REDIS": "rediss://h", "REDIS_KEY_FILE": "/key"}, "REDIS_CERT_FILE", "needed beside"),
        ({"REDIS": "rediss://h", "REDIS_CA_FILE": "/no/ca"}, "REDIS_CA_FILE", "/no/ca cannot be read"),
        ({"REDIS": "rediss://h", "REDIS_CA_FILE": __file__}, "REDIS_CA_FILE", "no certificate"),
    ],
)
def test_a_contradiction_is_one_line_that_says_what_to_do(
    given: dict[str, str], variable: str, remedy: str, give
) -> None:
    give(given)
    (line,) = refusal()
    assert line.startswith((f"DRIFTLINE_{variable}:", f"DRIFTLINE_{variable} "))
    assert remedy in line
    assert SECRET not in line


def test_contradictions_are_said_all_at_once(give) -> None:
    give(SCRAM | {"KAFKA_OAUTH_SCOPE": "x", "REDIS": "redis://h", "REDIS_CA_FILE": "/ca"})
    assert len(refusal()) == 3


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("KAFKA_SASL_PASSWORD", SCRAM),
        ("KAFKA_OAUTH_CLIENT_SECRET", ENDPOINT),
        (
            "KAFKA_KEY_PASSWORD",
            {"KAFKA": "a:1", "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CERT_FILE": "/cert"},
        ),
        ("REDIS_PASSWORD", {"REDIS": "redis://h"}),
    ],
)
def test_a_secret_comes_one_way_only_and_its_file_must_hold_it(
    name: str, given: dict[str, str], give, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    give(given | {name: SECRET, f"{name}_FILE": file})
    assert refusal() == [f"DRIFTLINE_{name} and DRIFTLINE_{name}_FILE are both set: unset one of them"]
    monkeypatch.delenv(f"DRIFTLINE_{name}")
    assert refusal() == [f"DRIFTLINE_{name}_FILE: {file} cannot be read: No such file or directory"]
    file.write_text("\n")
    assert refusal() == [f"DRIFTLINE_{name}_FILE: {file} is empty"]
    file.write_bytes(b"\xff\xfe")
    assert refusal() == [f"DRIFTLINE_{name}_FILE: {file} is no text in UTF-8"]


def test_an_encrypted_key_opens_with_its_password_and_is_never_asked_for(
    give, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Authority(tmp_path).issue("driftline", password=SECRET)
    files = {"KAFKA_CERT_FILE": own.cert, "KAFKA_KEY_FILE": own.key}
    give({"KAFKA": "a:1", "KAFKA_SECURITY_PROTOCOL": "SSL"} | files)
    (line,) = refusal()
    assert line.startswith(f"DRIFTLINE_KAFKA_CERT_FILE: {own.cert} and its key {own.key} cannot be used")
    monkeypatch.setenv("DRIFTLINE_KAFKA_KEY_PASSWORD", SECRET)
    tls = access.brokers(settings.load()).tls
    assert tls is not None
    assert tls.context().check_hostname


def test_no_secret_shows_in_what_may_be_printed(give) -> None:
    give(SCRAM | {"KAFKA_SASL_PASSWORD": SECRET, "REDIS": f"rediss://u:{SECRET}@h/0", "KAFKA_CERT_FILE": ""})
    chosen = settings.load()
    shown = f"{chosen!r} {chosen} {access.brokers(chosen)!r} {access.store(chosen)!r} {chosen.model_dump()}"
    assert SECRET not in shown
    assert SECRET not in repr(TokenEndpoint("https://h", "me", SECRET))
    assert SECRET not in repr(Tls(key_password=SECRET))


def test_a_stage_gets_the_same_settings_and_files_stay_files(
    give, password_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(SCRAM | {"KAFKA_SASL_PASSWORD_FILE": password_file, "REDIS": f"redis://:{SECRET}@h:1/0"})
    chosen = settings.load()
    environment = settings_environment(chosen)
    assert environment["DRIFTLINE_REDIS"] == f"redis://:{SECRET}@h:1/0"
    assert environment["DRIFTLINE_KAFKA_SASL_PASSWORD_FILE"] == str(password_file)
    assert "DRIFTLINE_KAFKA_SASL_PASSWORD" not in environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert settings.load() == chosen


def test_a_command_says_a_contradiction_without_a_traceback() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "driftline", "topics", "create"],
        env={**os.environ, "DRIFTLINE_REDIS": f"redis://:{SECRET}@h", "DRIFTLINE_REDIS_PASSWORD": SECRET},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr == (
        "DRIFTLINE_REDIS holds a password, and so does DRIFTLINE_REDIS_PASSWORD: leave one of them out\n"
    )


def test_buttons_in_slack_come_with_the_apps_signing_secret(give, password_file: Path) -> None:
    assert not settings.load().has_slack_buttons
    assert access.slack_secret(settings.load())() is None
    give({"SLACK_SIGNING_SECRET_FILE": password_file})
    found = settings.load()
    assert found.has_slack_buttons
    assert access.slack_secret(found)() == SECRET
    password_file.write_text("rotated")
    assert access.slack_secret(found)() == "rotated"
    # A worker hands its stages the path alone.
    assert "rotated" not in str(settings_environment(found).values())
    give({"SLACK_SIGNING_SECRET": SECRET})
    assert refusal() == [
        "DRIFTLINE_SLACK_SIGNING_SECRET and DRIFTLINE_SLACK_SIGNING_SECRET_FILE are both set: unset one of them"
    ]
