"""What goes wrong on the wire, by the code its dead letter must carry."""

import json
import time

_GOOD = {"id": "x", "model": "churn", "ts": 1, "prediction": 0.5, "features": {"age": 40}}
LARGE = json.dumps(_GOOD | {"id": "large", "labels": {"note": "x" * 1_000_000}}).encode()


def _event(**changes: object) -> bytes:
    return json.dumps({name: value for name, value in (_GOOD | changes).items() if value != "-"}).encode()


#: ``code`` or ``code:variant`` -> value.
BAD: dict[str, bytes | None] = {
    "empty:null": None,
    "empty:nothing": b"",
    "not_json:cut": b'{"id": "x", "model": "chu',
    "not_json:text": b"hello",
    "not_utf8:raw": b'{"id": "\xff\xfe", "model": "churn"}',
    "missing_field:ts": _event(ts="-"),
    "missing_field:prediction": _event(prediction="-"),
    "wrong_type:feature": _event(features={"age": "forty"}),
    "wrong_type:latency": _event(latency_ms="slow"),
    "wrong_type:ts": _event(ts="yesterday"),
    "future:hour": _event(ts=int(time.time() * 1000) + 3_600_000),
    "too_large:megabyte": LARGE,
}
