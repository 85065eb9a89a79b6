"""Two models: *churn* learns its own bins and trails itself, *fraud* has a reference file."""

import numpy as np
from numpy.random import Generator, default_rng

from streams import reference
from streams.codec import ModelCodec
from streams.decode import Decoder
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.profile import Profile

PANE_MS = 1_000
LATENESS_MS = 2_000
OBJECTIVE_MS = 100.0

CHURN = """\
model: churn
team: growth
features:
  age: {type: number, min: 18, max: 100}
  plan: {type: category, values: [free, pro]}
  visits: {type: number}
segments: [country]
windows: {pane: 1s, current: 5s, allowed_lateness: 2s, min_samples: 100}
reference: {trailing: 7d}
detectors: {stale_stream: false, traffic_silence: false, traffic_surge: false, invalid_rate: false}
"""

FRAUD = """\
model: fraud
team: risk
features:
  amount: {type: number}
windows: {pane: 1s, current: 5s, allowed_lateness: 2s, min_samples: 50}
reference: {file: fraud.reference.json}
objectives: {latency_p99_ms: 100}
detectors: {stale_stream: false, traffic_silence: false, traffic_surge: false}
"""

ALERTING = """\
route:
  receiver: hook
  group_by: [model, version, alertname]
  group_wait: 100ms
  group_interval: 1s
receivers:
  - name: hook
    webhook_configs: [{{url: "{url}"}}]
"""


def files(webhook_url: str) -> dict[str, bytes]:
    """Return every file of the monitors' folder, and ``alerting.yml``."""
    return {
        "monitors/churn.yaml": CHURN.encode(),
        "monitors/fraud.yaml": FRAUD.encode(),
        "monitors/fraud.reference.json": fraud_reference(),
        "alerting.yml": ALERTING.format(url=webhook_url).encode(),
    }


def fraud_reference() -> bytes:
    """Return a reference of a thousand ordinary amounts."""
    monitor = Monitor.model_validate(
        {"model": "fraud", "features": {"amount": {"type": "number"}}, "reference": {"trailing": "7d"}}
    )
    random = default_rng(7)
    amounts = amounts_of(random, 1000)
    layout = compile_layout(monitor, edges={"amount": reference.number_edges(np.array(amounts))})
    values = [
        b'{"id": "%d", "model": "fraud", "ts": 1, "prediction": %f, "features": {"amount": %f}}'
        % (i, random.random(), amount)
        for i, amount in enumerate(amounts)
    ]
    rows = Decoder({"fraud": ModelCodec(monitor, layout)}).decode(
        values, np.arange(1000), np.ones(1000, np.int64)
    )
    profile = Profile(layout)
    profile.fold(rows.models["fraud"].batch)
    return reference.dump(
        reference.ReferenceFile(
            reference.FORMAT, "fraud", "test", "", 1000, 0, 1, layout, reference.pack(profile)
        )
    )


def amounts_of(random: Generator, count: int) -> list[float]:
    """Return ordinary amounts."""
    found: list[float] = np.round(random.gamma(2.0, 20.0, count), 2).tolist()
    return found
