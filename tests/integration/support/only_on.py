"""Marks for runs that one kind of broker is enough for."""

import pytest

kafka = pytest.mark.parametrize(
    "broker", [pytest.param("kafka", marks=[pytest.mark.broker, pytest.mark.kafka])], indirect=True
)
