"""The config file, in Alertmanager's words: ``global``, ``route``, ``receivers``.

`parse` reports every error at once, each with the exact place (`loc`) in the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from alerts.alertmanager_config import AlertmanagerConfig
from alerts.desk_config import DeskDefaults
from alerts.duration import DurationMs, PositiveDurationMs
from alerts.egress import readable
from alerts.email_config import EmailConfig, SmtpDefaults, readable_defaults, with_defaults
from alerts.escalation_config import EscalationStep
from alerts.inhibit_config import InhibitRule
from alerts.matcher import Matcher
from alerts.matcher_config import MatcherLines, Patterns, together
from alerts.pagerduty_config import ENQUEUE, PagerdutyConfig
from alerts.receiver_config import ApiBase, HttpAddress, LogConfig, Section, SlackConfig
from alerts.receiver_kinds import ReceiverConfig
from alerts.references import IntervalName, MaybeReceiverName, ReceiverName
from alerts.templates.catalogue import Catalogue
from alerts.time_interval import TimeInterval
from alerts.webhook_config import WebhookConfig

#: `group_by` that puts every alert into a group of its own.
ALL_LABELS: Final = "..."


@dataclass(slots=True)
class _Context:
    """What a part of the file must know of the others."""

    receivers: frozenset[str]
    intervals: frozenset[str]
    slack_token: bool
    smtp: SmtpDefaults | None
    catalogue: Catalogue
    seen: set[str] = field(default_factory=set)
    seen_intervals: set[str] = field(default_factory=set)


def _label_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if ALL_LABELS in names and len(names) > 1:
        raise ValueError(f"{ALL_LABELS!r} means all labels and stands alone")
    if "related" in names and len(names) > 1:
        raise ValueError("'related' goes by several labels, and stands alone")
    if len(set(names)) < len(names):
        raise ValueError(f"a label is named twice in {list(names)}")
    return names


def _interval_named_once(interval: TimeInterval, info: ValidationInfo) -> TimeInterval:
    if info.context:
        if interval.name in info.context.seen_intervals:
            raise ValueError(
                f"a second time interval named {interval.name[:80]!r}; join the two, or rename one"
            )
        info.context.seen_intervals.add(interval.name)
    return interval


Interval = Annotated[TimeInterval, AfterValidator(_interval_named_once)]
GroupBy = Annotated[tuple[str, ...], AfterValidator(_label_names)]


class Global(SmtpDefaults, DeskDefaults):
    """What holds for every receiver that does not say otherwise."""

    slack_token: SecretStr | None = Field(
        default=None, min_length=1, description="bot token of all slack_configs"
    )
    slack_token_file: str | None = Field(default=None, min_length=1, description="file that holds that token")
    slack_api_url: ApiBase = Field(
        default="https://slack.com/api/", description="base address of the Slack API"
    )
    egress_allow: tuple[Annotated[str, AfterValidator(readable)], ...] | None = Field(
        default=None,
        description="the only hosts (hooks.slack.com, *.example.org) and networks (10.1.0.0/16) that receivers "
        "may reach; default all",
    )
    pagerduty_url: HttpAddress = Field(default=ENQUEUE, description="address of PagerDuty's Events API v2")
    resolve_timeout_ms: PositiveDurationMs = Field(
        default=5 * 60_000,
        alias="resolve_timeout",
        description="when an alert is over that came without an end and is not told of any more; "
        "Driftline's own always come with one",
    )

    @model_validator(mode="after")
    def _one_token(self) -> "Global":
        if self.slack_token is not None and self.slack_token_file is not None:
            raise ValueError("give either slack_token or slack_token_file")
        return self


class Route(Section):
    """Which alerts go to which receiver, and in which groups. What is not said is the parent's."""

    receiver: MaybeReceiverName = Field(default=None, description="name of a receiver")
    matchers: MatcherLines = Field(default=(), description='all must hold, e.g. severity="critical"')
    goes_on: bool = Field(default=False, alias="continue", description="also try the routes after this one")
    group_by: GroupBy | None = Field(
        default=None, description="labels alerts of one group share; ['...'] is all, [related] by cause"
    )
    group_wait_ms: DurationMs | None = Field(
        default=None, alias="group_wait", description="wait of a new group for more alerts; default 30s"
    )
    group_interval_ms: PositiveDurationMs | None = Field(
        default=None, alias="group_interval", description="least time between news of a group; default 5m"
    )
    repeat_interval_ms: PositiveDurationMs | None = Field(
        default=None, alias="repeat_interval", description="time until it is said again; default 4h"
    )
    escalate: tuple[EscalationStep, ...] | None = Field(
        default=None, description="who is told as well while nobody acknowledges; [] ends what is inherited"
    )
    routes: tuple["Route", ...] = Field(
        default=(), description="more special routes, the first that matches wins"
    )
    mute_time_intervals: tuple[IntervalName, ...] = Field(
        default=(),
        description="its groups are told nothing during one of these; routes below do not inherit it",
    )
    active_time_intervals: tuple[IntervalName, ...] = Field(
        default=(), description="its groups are told something only during one of these; not inherited either"
    )
    match: dict[str, str] = Field(default={}, description="old for matchers")
    match_re: Patterns = Field(default={}, description="old for matchers")

    @property
    def all_matchers(self) -> tuple[Matcher, ...]:
        """All that must hold, those written the old ways last."""
        return together(self.matchers, self.match, self.match_re)


class RootRoute(Route):
    """The route every alert enters."""

    receiver: ReceiverName = Field(description="name of a receiver")

    @field_validator("matchers", "match", "match_re", "goes_on")
    @classmethod
    def _takes_every_alert(cls, value: object) -> object:
        if value:
            raise ValueError("the root route takes every alert; move this to a route under routes")
        return value

    @field_validator("mute_time_intervals", "active_time_intervals")
    @classmethod
    def _is_never_muted(cls, value: object) -> object:
        if value:
            raise ValueError("the root route cannot be muted; move this to a route under routes")
        return value


class Receiver(Section):
    """A name, and every place a notification for it goes to."""

    name: str = Field(min_length=1, description="what routes call it")
    fallback: MaybeReceiverName = Field(
        default=None, description="another receiver, told as well where this one refuses; default global's"
    )
    log_configs: tuple[LogConfig, ...] = ()
    webhook_configs: tuple[WebhookConfig, ...] = ()
    slack_configs: tuple[SlackConfig, ...] = ()
    pagerduty_configs: tuple[PagerdutyConfig, ...] = ()
    alertmanager_configs: tuple[AlertmanagerConfig, ...] = ()
    email_configs: tuple[EmailConfig, ...] = ()

    @field_validator("name")
    @classmethod
    def _named_once(cls, name: str, info: ValidationInfo) -> str:
        if info.context:
            if name in info.context.seen:
                raise ValueError(f"a second receiver named {name[:80]!r}; join the two, or rename one")
            info.context.seen.add(name)
        return name

    @field_validator("fallback")
    @classmethod
    def _is_another(cls, fallback: str | None, info: ValidationInfo) -> str | None:
        if fallback is not None and fallback == info.data.get("name"):
            raise ValueError("a receiver cannot stand in for itself; name another one")
        return fallback


@dataclass(frozen=True, slots=True)
class Integration:
    """One place a receiver's notifications go to; ``key`` names it in the notification log."""

    key: str
    receiver: str
    config: ReceiverConfig


class Config(Section):
    """The whole file."""

    defaults: Global = Field(default=Global(), alias="global")
    route: RootRoute
    receivers: tuple[Receiver, ...] = Field(min_length=1)
    inhibit_rules: tuple[InhibitRule, ...] = Field(
        default=(), description="which alerts keep others from being told"
    )
    time_intervals: tuple[Interval, ...] = Field(default=(), description="names for parts of days and weeks")
    mute_time_intervals: tuple[Interval, ...] = Field(default=(), description="old for time_intervals")
    templates: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="files of templates, as globs, from this file's folder"
    )
    _catalogue: Catalogue = PrivateAttr(default_factory=Catalogue)

    @property
    def catalogue(self) -> Catalogue:
        """What the files of ``templates`` held when this was read."""
        return self._catalogue

    def intervals(self) -> dict[str, TimeInterval]:
        """Return the time intervals by name."""
        return {interval.name: interval for interval in (*self.time_intervals, *self.mute_time_intervals)}

    def fallbacks(self) -> dict[str, str]:
        """Return, by receiver name, who is told as well where it refuses; nobody stands in for themselves."""
        named = {one.name: one.fallback or self.defaults.fallback for one in self.receivers}
        return {name: fallback for name, fallback in named.items() if fallback and fallback != name}

    def integrations(self) -> dict[str, tuple[Integration, ...]]:
        """Return, by receiver name, the places it sends to, with ``global`` filled in."""
        return {receiver.name: tuple(self._places(receiver)) for receiver in self.receivers}

    def _places(self, receiver: Receiver) -> list[Integration]:
        places: list[Integration] = []
        kinds: dict[str, tuple[ReceiverConfig, ...]] = {
            "log": receiver.log_configs,
            "webhook": receiver.webhook_configs,
            "slack": tuple(self._with_defaults(config) for config in receiver.slack_configs),
            "pagerduty": tuple(
                config.model_copy(update={"url": config.url or self.defaults.pagerduty_url})
                for config in receiver.pagerduty_configs
            ),
            "alertmanager": receiver.alertmanager_configs,
            "email": tuple(with_defaults(config, self.defaults) for config in receiver.email_configs),
        }
        for kind, configs in kinds.items():
            for index, config in enumerate(configs):
                places.append(Integration(f"{receiver.name}/{kind}/{index}", receiver.name, config))
        return places

    def _with_defaults(self, config: SlackConfig) -> SlackConfig:
        update: dict[str, Any] = {"api_url": config.api_url or self.defaults.slack_api_url}
        if config.token is None and config.token_file is None:
            update |= {"token": self.defaults.slack_token, "token_file": self.defaults.slack_token_file}
        return config.model_copy(update=update)


def parse(data: Mapping[str, Any], catalogue: Catalogue | None = None) -> Config:
    """Return the configuration of a file's content.

    Parameters
    ----------
    data
        What the YAML file holds.
    catalogue
        What the files hold that it names under ``templates``.

    Raises
    ------
    pydantic.ValidationError
        With every error, the ``loc`` of each, and no value of the file but those its message quotes:
        ``input`` is always None, so that no secret gets out with it.

    Examples
    --------
    >>> config = parse({"route": {"receiver": "ops"}, "receivers": [{"name": "ops", "log_configs": [{}]}]})
    >>> [place.key for place in config.integrations()["ops"]]
    ['ops/log/0']
    """
    smtp = readable_defaults(data.get("global") if isinstance(data, Mapping) else None)
    context = _Context(
        _names(data, "receivers"),
        _names(data, "time_intervals", "mute_time_intervals"),
        _has_slack_token(data),
        smtp,
        catalogue or Catalogue(),
    )
    try:
        config = Config.model_validate(data, context=context)
        config._catalogue = context.catalogue
        return config
    except ValidationError as error:
        bare = [_without_input(details) for details in error.errors(include_url=False, include_input=False)]
    raise ValidationError.from_exception_data("alerting config", bare, hide_input=True)


def default_config() -> Config:
    """Return what holds without a file: one group per model and alert kind, told to the log."""
    return parse(
        {
            "route": {"receiver": "log", "group_by": ["model", "alertname"]},
            "receivers": [{"name": "log", "log_configs": [{}]}],
        }
    )


def _without_input(details: Any) -> InitErrorDetails:
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "extra_forbidden":
        message = f"unknown key {str(details['loc'][-1])[:80]!r}; correct its spelling, or leave it out"
    # Lines of mistakes within a template are kept.
    within = {"within": details["ctx"]["within"]} if "within" in details.get("ctx", {}) else {}
    kind = PydanticCustomError(details["type"], "{message}", {"message": message, **within})
    return InitErrorDetails(type=kind, loc=details["loc"], input=None)


def _names(data: object, *keys: str) -> frozenset[str]:
    """Return the names of what stands under some keys of the file."""
    held = [data.get(key) for key in keys] if isinstance(data, Mapping) else []
    items = [item for each in held if isinstance(each, list | tuple) for item in each]
    names = (item.get("name") for item in items if isinstance(item, Mapping))
    return frozenset(name for name in names if isinstance(name, str))


def _has_slack_token(data: object) -> bool:
    defaults = data.get("global") if isinstance(data, Mapping) else None
    return isinstance(defaults, Mapping) and bool({"slack_token", "slack_token_file"} & defaults.keys())
