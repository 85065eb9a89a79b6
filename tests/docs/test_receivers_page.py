"""The examples of docs/receivers.md are files one can use, one for every receiver there is."""

import re
from pathlib import Path

import yaml

from alerts.config import Receiver, parse
from alerts.receivers.registry import REGISTRY

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "receivers.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


def test_every_receiver_has_an_example_that_is_valid() -> None:
    configs = [parse(yaml.safe_load(example)) for example in EXAMPLES]
    shown = {
        type(place.config)
        for config in configs
        for places in config.integrations().values()
        for place in places
    }
    assert shown == set(REGISTRY)


def test_every_receiver_can_be_given_in_the_file() -> None:
    assert len(set(Receiver.model_fields) - {"name", "fallback"}) == len(REGISTRY)
