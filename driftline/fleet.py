"""From settings to the `Fleet` the stages are told about."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from alerts import config as alerting
from alerts.errors import ConfigRefused
from alerts.old_keys import old_keys
from alerts.templates.rehearsal import failing, misplaced
from driftline.access import brokers, store
from driftline.configfile import YamlFile
from driftline.errors import ConfigError, DriftlineError, Problem
from driftline.mistakes import Loc, keys_beside
from driftline.settings import Settings
from driftline.template_files import load_templates
from driftline.topics import Found, ensure_topics
from streams.alerting import Links
from streams.backlog import Limits
from streams.stages.fleet import Fleet, Watched
from streams.topics import Topics

_logger = logging.getLogger(__name__)


def _log(warning: Problem) -> None:
    _logger.warning("%s", warning)


def load_alerting(path: Path | None, warn: Callable[[Problem], None] = _log) -> alerting.Config:
    """Return the alerting file; without one, every alert goes to the log.

    Parameters
    ----------
    warn
        Told of what is read, but should be written otherwise; logs it, unless said otherwise.

    Raises
    ------
    ConfigError
        With every problem of the file.
    """
    if path is None:
        return alerting.default_config()
    file = YamlFile(path)
    catalogue, problems, warnings = load_templates(file)
    problems += [file.problem(loc, message) for loc, message in misplaced(file.data)]
    try:
        config = alerting.parse(file.data, catalogue)
    except ValidationError as error:
        raise ConfigError([*file.problems(error, _known_keys), *problems]) from error
    if problems:
        raise ConfigError(problems)
    warnings += [file.problem(loc, message) for loc, message in failing(config)]
    for warning in warnings:
        warn(warning)
    for loc, message in old_keys(file.data):
        warn(file.problem(loc, message))
    return config


def reload_alerting(path: Path | None) -> alerting.Config:
    """Return the alerting file as it is now.

    Raises
    ------
    ConfigRefused
        If it has problems: says all of them.
    """
    try:
        return load_alerting(path)
    except DriftlineError as error:
        raise ConfigRefused(str(error)) from error


def _known_keys(place: Loc) -> set[str]:
    return keys_beside(alerting.Config.model_json_schema(), place)


def prepare_topics(settings: Settings) -> list[Found]:
    """Create the topics that are missing, and return all."""
    topics = Topics(settings.topic_prefix)
    return ensure_topics(
        brokers(settings), topics, partitions=settings.partitions, replication=settings.replication
    )


def make_fleet(settings: Settings, models: Mapping[str, Watched]) -> Fleet:
    """Return the fleet; topics that are missing are created on the way."""
    topics = Topics(settings.topic_prefix)
    counts = {found.name: found.partitions for found in prepare_topics(settings)}
    return Fleet(
        brokers=brokers(settings),
        redis_url=store(settings),
        models=models,
        topics=topics,
        source_partitions=counts[topics.predictions.name],
        profile_partitions=counts[topics.profiles.name],
        join_partitions=counts[topics.joins.name],
        session_timeout_s=settings.session_timeout_s,
        stalled_s=settings.stalled_s,
        links=Links(settings.public_url),
        worker=settings.worker,
        backlog=Limits(round(settings.behind_s * 1000), round(settings.behind_for_s * 1000)),
        slack_buttons=settings.has_slack_buttons,
    )
