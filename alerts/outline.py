"""A config as others may see it: who is told what, and by which rules, in Alertmanager's words and without a secret."""

import json
from typing import Any

from alerts import duration
from alerts.config import ALL_LABELS, Config
from alerts.routing import Node, compile_routes


def outline(config: Config) -> str:
    """Return routes (with all they inherit), names of receivers and inhibit rules, as JSON, which is YAML too.

    What receivers are made of is left out, as it holds secrets; so are time intervals.

    Examples
    --------
    >>> from alerts.config import default_config
    >>> json.loads(outline(default_config()))["route"]["group_by"]
    ['model', 'alertname']
    """
    found: dict[str, Any] = {
        "global": {"resolve_timeout": duration.format(config.defaults.resolve_timeout_ms)},
        "route": _route(compile_routes(config.route)),
        "receivers": [{"name": receiver.name} for receiver in config.receivers],
    }
    if config.inhibit_rules:
        found["inhibit_rules"] = [
            {
                "source_matchers": [str(matcher) for matcher in rule.source],
                "target_matchers": [str(matcher) for matcher in rule.target],
                "equal": list(rule.equal),
            }
            for rule in config.inhibit_rules
        ]
    return json.dumps(found, indent=2, ensure_ascii=False)


def _route(node: Node) -> dict[str, Any]:
    return {
        "receiver": node.receiver,
        "group_by": [ALL_LABELS] if node.group_by is None else list(node.group_by),
        "group_wait": duration.format(node.group_wait_ms),
        "group_interval": duration.format(node.group_interval_ms),
        "repeat_interval": duration.format(node.repeat_interval_ms),
        **({"matchers": [str(matcher) for matcher in node.matchers]} if node.matchers else {}),
        **({"continue": True} if node.goes_on else {}),
        **({"routes": [_route(child) for child in node.children]} if node.children else {}),
    }
