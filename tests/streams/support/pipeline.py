"""Stages 1 and 2 in this process and in virtual time: records in, panes, verdicts and alerts out."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import numpy as np
from prediction_events import T0

from alerts.alert import AlertUpsert
from detectors.window import Window
from streams.judge import JudgeState, ModelJudge
from streams.judged import Judged
from streams.layout import Layout, compile_layout
from streams.monitor import Monitor
from streams.profiler import Profiler
from streams.wire import PartKey, decode_part

Make = Callable[[np.random.Generator, int], dict[str, Any]]


class Pipeline:
    """One model; each second some events, a flush and the closing of panes, every 5 s a tick."""

    def __init__(
        self,
        monitor: Monitor,
        layout: Layout | None = None,
        *,
        reference_file: Window | None = None,
        partitions: int = 1,
    ) -> None:
        self.monitor = monitor
        self.layout = layout or compile_layout(monitor)
        self.reference_file = reference_file
        self.partitions = partitions
        self.profiler = Profiler({monitor.model: (monitor, self.layout)})
        self.judge = self._judge()
        self.random = np.random.default_rng(7)
        self.second = 0
        self.offset = 0
        self.alerts: list[tuple[int, AlertUpsert]] = []
        self.closed: list[Judged] = []
        self.layouts: list[Layout] = []

    def run(
        self, seconds: int, make: Make, *, rate: int = 40, back_s: int = 0, step_s: int = 1
    ) -> list[tuple[str, str]]:
        """Go on, ``rate`` events a step, and return what began and ended: (status, alert kind and feature)."""
        before = len(self._transitions())
        for _ in range(seconds // step_s):
            self._fold([make(self.random, self.offset + n) for n in range(rate)], back_s)
            self._flush()
            self.second += step_s
        return self._transitions()[before:]

    def _transitions(self) -> list[tuple[str, str]]:
        return transitions(alert for _, alert in self.alerts)

    def restart_judge(self) -> None:
        """Replace the judge by one restored from what it would have written."""
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.judge.snapshot()), type=JudgeState)
        panes = {group: list(history.panes) for group, history in self.judge.histories.items()}
        old, self.judge = self.judge, self._judge()
        self.judge.restore(state, panes)
        self.judge.inbox._open = old.inbox._open  # Read again from the topic: not acknowledged yet.

    def _judge(self) -> ModelJudge:
        return ModelJudge(self.monitor, self.layout, reference_file=self.reference_file)

    def _fold(self, events: list[dict[str, Any]], back_s: int) -> None:
        record_ms = T0 + self.second * 1000
        values = [
            json.dumps(
                {"id": str(self.offset + n), "model": self.monitor.model, "ts": record_ms - back_s * 1000}
                | {"prediction": 0.5}
                | one
            ).encode()
            for n, one in enumerate(events)
        ]
        offsets = np.arange(self.offset, self.offset + len(values))
        for partition in range(self.partitions):
            mine = slice(partition, None, self.partitions)
            own = offsets[mine]
            self.profiler.fold_records(partition, values[mine], own, np.full(len(own), record_ms))
        self.offset += len(values)

    def _flush(self) -> None:
        now_ms = T0 + self.second * 1000 + 900
        for partition in range(self.partitions):
            flush = self.profiler.flush(partition, now_ms, caught_up=True)
            for key, parts in flush.profiles:
                for index, part in enumerate(parts):
                    self.judge.inbox.put(PartKey(key, index), decode_part(part))
            for beat_key, beat in flush.heartbeats:
                self.judge.inbox.heard(beat_key.partition, beat)
        self._take(self.judge.close())
        if self.second % 5 == 0:
            self._take(self.judge.tick(now_ms))

    def _take(self, judged: Judged) -> None:
        if judged.layout is not None:
            self.layouts.append(judged.layout[1])
            self.profiler.relayout(judged.layout[1], judged.layout[0])
        self.closed.append(judged)
        self.alerts += [(self.second, alert) for alert in judged.alerts]


def transitions(alerts: Iterable[AlertUpsert]) -> list[tuple[str, str]]:
    """Return what began and ended, without the repeats of what goes on."""
    firing: set[str] = set()
    found = []
    for alert in alerts:
        name = alert.labels["alertname"] + (
            f" {alert.labels['feature']}" if "feature" in alert.labels else ""
        )
        if alert.status == "resolved" or alert.fingerprint not in firing:
            found.append((alert.status, name))
        (firing.discard if alert.status == "resolved" else firing.add)(alert.fingerprint)
    return found
