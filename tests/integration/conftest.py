"""The whole pipeline: its stages as processes, on a broker of each kind and a store of its own."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from brokers import Broker

sys.path.insert(0, str(Path(__file__).parent / "support"))

from desks import Desks, Receiver
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


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Whom a desk tells, with moods."""
    made = Receiver()
    await made.up()
    yield made
    await made.down()


@pytest.fixture
async def desks(
    broker: Broker, prefix: str, own_store: EmbeddedStore, receiver: Receiver, tmp_path: Path
) -> AsyncIterator[Desks]:
    """Topics and files are there; the desk workers wait to be started."""
    async with Desks(broker, prefix, own_store.url, receiver.url, tmp_path, receiver=receiver) as made:
        yield made
