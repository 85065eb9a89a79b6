"""The whole pipeline: its stages as processes, on a broker of each kind and a store of its own."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from brokers import Broker

sys.path.insert(0, str(Path(__file__).parent / "support"))

from fault_proxy import FaultProxy
from fleet_of_stages import Pipeline
from webhook import Webhook

from driftline.embedded import EmbeddedStore


@pytest.fixture
def own_store() -> Iterator[EmbeddedStore]:
    """A Valkey of the test's own: keys of the projection have no prefix."""
    with EmbeddedStore() as server:
        yield server


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    """Somebody to be told."""
    async with Webhook() as receiver:
        yield receiver


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """A network that can be made bad."""
    async with FaultProxy() as between:
        yield between


@pytest.fixture
async def pipeline(
    broker: Broker, prefix: str, own_store: EmbeddedStore, webhook: Webhook, tmp_path: Path
) -> AsyncIterator[Pipeline]:
    """Topics and files are there; the stages wait to be started."""
    async with Pipeline(broker, prefix, own_store.url, webhook.url, tmp_path) as made:
        yield made
