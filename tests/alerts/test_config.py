from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.config import default_config, parse
from alerts.receiver_config import SlackConfig

GOOD: dict[str, Any] = {
    "global": {"slack_token": "xoxb-secret-1"},
    "route": {
        "receiver": "ops",
        "group_by": ["model"],
        "group_wait": "10s",
        "routes": [
            {
                "receiver": "pager",
                "matchers": ['severity="critical"'],
                "continue": True,
                "repeat_interval": "1h",
            },
            {"matchers": ['team=~"growth|fraud"'], "group_by": ["..."]},
        ],
    },
    "receivers": [
        {"name": "ops", "log_configs": [{}], "slack_configs": [{"channel": "#ml"}]},
        {
            "name": "pager",
            "webhook_configs": [
                {"url": "https://secret-2@example.org/x", "headers": {"X-Key": "secret-3"}, "timeout": "3s"}
            ],
        },
    ],
}


def edited(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    data = deepcopy(GOOD)
    place: Any = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return data


BAD: list[tuple[tuple[str | int, ...], Any, tuple[str | int, ...] | None, str]] = [
    (("rout",), {}, None, "unknown key 'rout'"),
    (("route", "receiver"), "nobody", None, "no receiver named 'nobody'; there are: ops, pager"),
    (("route", "receiver"), None, None, "string"),
    (("route", "routes", 0, "receiver"), "nobody", None, "no receiver named"),
    (
        ("route", "routes", 1, "routes"),
        [{"receiver": "x"}],
        ("route", "routes", 1, "routes", 0, "receiver"),
        "no rec",
    ),
    (("route", "matchers"), ['a="b"'], None, "takes every alert"),
    (("route", "continue"), True, None, "takes every alert"),
    (("route", "group_by"), ["...", "model"], None, "stands alone"),
    (("route", "group_by"), ["model", "model"], None, "twice"),
    (("route", "group_wait"), "30", None, "write one such as 30s"),
    (("route", "group_wait"), 30, None, "text with a unit"),
    (("route", "group_wait_ms"), "30s", None, "unknown key"),
    (("route", "group_interval"), "0s", None, "greater than 0"),
    (("route", "repeat_interval"), "4x", None, "not a duration"),
    (
        ("route", "routes", 0, "matchers"),
        ['a=~"("'],
        ("route", "routes", 0, "matchers", 0),
        "regular expression",
    ),
    (("route", "routes", 0, "matchers"), ['a="b"', 3], ("route", "routes", 0, "matchers", 1), "is text"),
    (("route", "match"), {"a": "b"}, None, "takes every alert"),
    (("route", "routes", 0, "match"), "a=b", None, "dict"),
    (("route", "routes", 0, "match_re"), {"a": "("}, None, "regular expression"),
    (
        ("route", "routes", 0, "mute_time_intervals"),
        ["night"],
        ("route", "routes", 0, "mute_time_intervals", 0),
        "no time interval named 'night'; there are: none",
    ),
    (
        ("route", "active_time_intervals"),
        ["night"],
        ("route", "active_time_intervals", 0),
        "no time interval",
    ),
    (("inhibit_rules",), [{"equal": "model"}], ("inhibit_rules", 0, "equal"), "tuple"),
    (("inhibit_rules",), [{"source_matcher": []}], ("inhibit_rules", 0, "source_matcher"), "unknown key"),
    (
        ("inhibit_rules",),
        [{"target_match_re": {"a": "("}}],
        ("inhibit_rules", 0, "target_match_re"),
        "regular expression",
    ),
    (("time_intervals",), [{"name": ""}], ("time_intervals", 0, "name"), "at least 1"),
    (("mute_time_intervals",), [{"name": ""}], ("mute_time_intervals", 0, "name"), "at least 1"),
    (("global", "resolve_timeout"), "0s", None, "greater than 0"),
    (("global", "slack_token_file"), "f", ("global",), "either slack_token or slack_token_file"),
    (("global", "slack_api_url"), "https://hooks.slack.com/services/x", None, "bot token"),
    (("receivers",), [], None, "at least 1"),
    (("receivers", 1, "name"), "ops", None, "a second receiver named 'ops'"),
    (("receivers", 0, "slack_configs", 0, "channel"), "", None, "at least 1"),
    (("receivers", 0, "slack_configs", 0, "chanel"), "#x", None, "unknown key 'chanel'"),
    (("receivers", 1, "webhook_configs", 0, "url"), "ftp://host", None, "write http://"),
    (("receivers", 1, "webhook_configs", 0, "url"), "http://[::1", None, "write http://"),
    (("receivers", 1, "webhook_configs", 0, "url"), "http://a b/", None, "write http://"),
    (
        ("receivers", 1, "webhook_configs", 0, "url_file"),
        "f",
        ("receivers", 1, "webhook_configs", 0),
        "either url",
    ),
    (("receivers", 1, "webhook_configs", 0, "max_alerts"), -1, None, "greater than or equal to 0"),
    (("receivers", 1, "webhook_configs", 0, "headers"), {"A b": "x"}, None, "not the name"),
    (("receivers", 1, "webhook_configs", 0, "headers"), {"A": "x\r\nB: y"}, None, "line break"),
    (("receivers", 1, "webhook_configs", 0, "headers"), {"Idempotency-Key": "x"}, None, "itself"),
]


@pytest.mark.parametrize(("path", "value", "loc", "message"), BAD)
def test_an_error_names_its_exact_place_and_the_remedy(
    path: tuple[str | int, ...], value: Any, loc: tuple[str | int, ...] | None, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        parse(edited(path, value))
    found = {error["loc"]: error["msg"] for error in caught.value.errors()}
    # A renamed receiver leaves routes behind that name it; those errors are right too.
    assert message in found[loc or path]


def test_all_errors_are_reported_at_once() -> None:
    data = edited(("route", "group_wait"), "x")
    data["receivers"][0]["slack_configs"][0]["chanel"] = "y"
    data["route"]["routes"][0]["receiver"] = "z"
    with pytest.raises(ValidationError) as caught:
        parse(data)
    assert {error["loc"] for error in caught.value.errors()} == {
        ("route", "group_wait"),
        ("route", "routes", 0, "receiver"),
        ("receivers", 0, "slack_configs", 0, "chanel"),
    }


def test_a_root_route_without_receiver_is_an_error_there() -> None:
    data = deepcopy(GOOD)
    del data["route"]["receiver"]
    with pytest.raises(ValidationError) as caught:
        parse(data)
    assert [(error["loc"], error["type"]) for error in caught.value.errors()] == [
        (("route", "receiver"), "missing")
    ]


def test_slack_without_any_token_is_an_error() -> None:
    data = deepcopy(GOOD)
    del data["global"]
    with pytest.raises(ValidationError, match="no bot token; set token_file"):
        parse(data)


@pytest.mark.parametrize("data", [None, [], "route", {}, {"route": 1, "receivers": 2, "global": 3}])
def test_any_other_shape_is_a_validation_error(data: Any) -> None:
    with pytest.raises(ValidationError):
        parse(data)


def test_secrets_are_neither_in_repr_nor_in_errors() -> None:
    assert "secret-" not in repr(parse(GOOD))
    data = edited(("receivers", 1, "webhook_configs", 0, "url_file"), "f")
    data["global"]["slack_tokn"] = "secret-4"
    data["receivers"][1]["webhook_configs"].append({"url": "secret-5"})
    with pytest.raises(ValidationError) as caught:
        parse(data)
    assert "secret-" not in str(caught.value) + repr(caught.value.errors()) + caught.value.json()


def test_what_a_slack_config_does_not_say_is_global() -> None:
    data = deepcopy(GOOD)
    data["global"]["slack_api_url"] = "http://proxy.example/api/"
    data["receivers"][0]["slack_configs"].append(
        {"channel": "#own", "token_file": "t", "api_url": "http://x/"}
    )
    shared, own = (place.config for place in parse(data).integrations()["ops"][1:])
    assert isinstance(shared, SlackConfig)
    assert isinstance(own, SlackConfig)
    assert shared.token is not None
    assert (shared.token.get_secret_value(), shared.api_url) == ("xoxb-secret-1", "http://proxy.example/api/")
    assert (own.token, own.token_file, own.api_url) == (None, "t", "http://x/")


def test_without_a_file_alerts_go_to_the_log_by_model_and_kind() -> None:
    config = default_config()
    assert config.route.group_by == ("model", "alertname")
    assert [place.key for place in config.integrations()[config.route.receiver]] == ["log/log/0"]
