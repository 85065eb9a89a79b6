"""The demo's producer: steady traffic into Kafka, with the timetable's incidents."""

import asyncio
import time
from collections.abc import Callable, Collection

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from driftline.demo.timetable import Incident, active, clock, events_due
from driftline.demo.traffic import Traffic
from streams.connections import Brokers, aiokafka_options

BATCH_S = 0.05
#: What a stalled broker leaves unsent beyond this many seconds of traffic is skipped, not caught up.
BACKLOG_S = 1.0
#: The timetable begins with a pane of the demo's monitor, so that panes are wholly in or out of an incident.
PANE_S = 2.0
STOP_TIMEOUT_S = 5.0

Say = Callable[[str], None]


async def produce(
    brokers: Brokers | str,
    topic: str,
    stop: asyncio.Event,
    say: Say,
    *,
    rate_per_second: float = 400.0,
    seed: int | None = None,
) -> None:
    """Send events until ``stop`` is set, and announce each incident in a line.

    Parameters
    ----------
    brokers
        Where, and how one is let in.
    rate_per_second
        Events a second in quiet times.
    seed
        Of the traffic; by default another one at each start.
    """
    producer = AIOKafkaProducer(**aiokafka_options(brokers), acks=1)
    await producer.start()
    try:
        await _Loop(producer, topic, stop, say, rate_per_second, seed or time.time_ns()).run()
    finally:
        await _stop(producer)


class _Loop:
    def __init__(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        stop: asyncio.Event,
        say: Say,
        rate_per_second: float,
        seed: int,
    ) -> None:
        self._producer, self._topic, self._stop, self._say = producer, topic, stop, say
        self._rate_per_second = rate_per_second
        self._traffic = Traffic(seed)
        self._stalled = False

    async def run(self) -> None:
        await _pause(self._stop, -time.time() % PANE_S)
        began_s, sent, known = time.monotonic(), 0, frozenset[Incident]()
        while not self._stop.is_set():
            elapsed_s = time.monotonic() - began_s
            now = frozenset(active(elapsed_s))
            for line in announcements(elapsed_s, known, now):
                self._say(line)
            known = now
            due = events_due(elapsed_s, self._rate_per_second)
            n = min(due - sent, int(BACKLOG_S * self._rate_per_second))
            sent = due
            if n > 0:
                await self._send(self._traffic.events(n, elapsed_s, time.time_ns() // 1_000_000))
            await _pause(self._stop, began_s + elapsed_s + BATCH_S - time.monotonic())

    async def _send(self, events: list[tuple[bytes, bytes]]) -> None:
        """Send a batch and wait for its acknowledgement, so that one batch at most is in memory."""
        sending = asyncio.ensure_future(self._deliver(events))
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({sending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                sending.cancel()
            await asyncio.gather(sending, return_exceptions=self._stop.is_set())
            self._stalled = False
        except KafkaError as error:
            if not self._stalled:
                self._say(f"the broker takes no events ({error!r}); the demo goes on trying")
            self._stalled = True
        finally:
            stopping.cancel()

    async def _deliver(self, events: list[tuple[bytes, bytes]]) -> None:
        deliveries = [await self._producer.send(self._topic, value, key=key) for key, value in events]
        await asyncio.gather(*deliveries)


def announcements(elapsed_s: float, before: Collection[Incident], now: Collection[Incident]) -> list[str]:
    """Return what to say of incidents that ended or began.

    Examples
    --------
    >>> announcements(20.0, (), active(20.0))
    ['00:20 incident: income now arrives in thousands (watch FeatureDrift)']
    """
    at = clock(elapsed_s)
    over = [f"{at} over: {one.says} ({one.kind} resolves soon)" for one in before if one not in now]
    return over + [f"{at} incident: {one.says} (watch {one.kind})" for one in now if one not in before]


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), max(seconds, 0.0))
    except TimeoutError:
        return


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        await asyncio.wait_for(producer.stop(), STOP_TIMEOUT_S)
    except TimeoutError:
        return
