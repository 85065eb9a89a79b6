from pathlib import Path

import pytest

from driftline import settings
from driftline.settings import Settings, SettingsError, variable


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described(name: str) -> None:
    description = Settings.model_fields[name].description or ""
    assert len(description) > 10
    assert not description.endswith(".")


def of_connections(name: str) -> bool:
    return name.startswith(("kafka_", "redis_", "slack_"))


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if not of_connections(name)])
def test_every_setting_comes_from_its_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "kafka": "a:1,b:2", "redis": "rediss://u:p@host:6380/1", "public_url": "https://drift.example",
        "partitions": "3", "replication": "2", "metrics_port": "0", "session_timeout_s": "12.5", "stalled_s": "90.5",
        "static_membership": "true", "log_level": "DEBUG", "topic_prefix": "staging.drift",
        "behind_s": "60.5", "behind_for_s": "30.5",
    }  # fmt: skip
    text = texts.get(name, "something")
    monkeypatch.setenv(variable(name), text)
    value = getattr(settings.load(), name)
    assert str(value.get_secret_value() if name == "redis" else value).lower() == text.lower()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("partitions", "0"),
        ("partitions", "many"),
        ("replication", "10"),
        ("metrics_port", "65536"),
        ("session_timeout_s", "nan"),
        ("static_membership", "perhaps"),
        ("topic_prefix", "a b"),
        ("public_url", "drift.example"),
        ("kafka", "localhost"),
        ("kafka", "localhost:9092,"),
        ("kafka", "localhost:99999"),
        ("redis", "localhost:6379"),
        ("redis", "redis://localhost:port"),
        ("redis", "redis://"),
        ("log_level", "loud"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_the_variables_name(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable(name), text)
    with pytest.raises(SettingsError) as refused:
        settings.load()
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{variable(name)}: ")


def test_all_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("partitions", "replication", "metrics_port"):
        monkeypatch.setenv(variable(name), "x")
    with pytest.raises(SettingsError) as refused:
        settings.load()
    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize("text", ["http://:hunter2@host/0", "redis://:hunter2@host:x/0"])
def test_a_password_is_never_said(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_REDIS", text)
    with pytest.raises(SettingsError) as refused:
        settings.load()
    assert "hunter2" not in str(refused.value)


def test_an_empty_variable_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(variable(name), "")
    chosen = settings.load()
    assert chosen.kafka is None
    assert chosen.redis is None
    assert chosen.monitors == Path("monitors")
    assert chosen.partitions == 8


def test_links_have_no_double_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_PUBLIC_URL", "https://drift.example/")
    assert settings.load().public_url == "https://drift.example"


def test_blanks_between_brokers_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_KAFKA", "a:1, b:2")
    assert settings.load().kafka == "a:1,b:2"
