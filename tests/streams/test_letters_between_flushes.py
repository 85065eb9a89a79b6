"""Dead letters found while others are being sent: they wait for the next flush, and so does their chunk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from prediction_events import T0, monitor
from prometheus_client import CollectorRegistry

from streams.layout import compile_layout
from streams.metrics import Metrics
from streams.stages.fleet import Fleet, Watched
from streams.stages.profile_stage import ProfileStage
from streams.transport import Chunk
from streams.writes import Record

MONITOR = monitor()
FLEET = Fleet("nobody:1", "redis://nobody", {"churn": Watched(MONITOR, compile_layout(MONITOR))})


@dataclass
class Receipt:
    acked: bool = False

    def ack(self) -> None:
        self.acked = True


async def test_a_letter_found_while_others_are_sent_is_sent_before_its_chunk_is_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = ProfileStage(FLEET, Metrics(CollectorRegistry()))
    stage.profiler.restore(0, None, [])
    stage._ready.add(0)
    sent: list[bytes | None] = []
    receipts = [Receipt(), Receipt()]

    async def take(offset: int) -> None:
        chunk = Chunk("predictions", 0, [offset], [T0], [None], [b"bad %d" % offset])
        await stage.take(chunk, receipts[offset])  # type: ignore[arg-type]

    async def put(letters: Sequence[Record]) -> None:
        if not sent:
            await take(1)
        sent.extend(letter.value for letter in letters)

    async def written(*_: Any) -> None:
        """Nothing has to be written for a test."""

    monkeypatch.setattr(stage._letter_box, "put", put)
    monkeypatch.setattr(stage._rows, "carry_out", written)
    monkeypatch.setattr(stage, "_lag", lambda _: 0)
    monkeypatch.setattr(stage, "_heard_ms", lambda _: 0)
    await take(0)
    await stage.flush()
    assert sent == [b"bad 0"]
    assert [one.acked for one in receipts] == [True, False]
    await stage.flush()
    assert sent == [b"bad 0", b"bad 1"]
    assert [one.acked for one in receipts] == [True, True]
