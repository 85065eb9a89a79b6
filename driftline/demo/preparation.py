"""The demo's monitor and its reference, made from rows the model would have been trained on."""

import tempfile
from importlib import resources
from pathlib import Path

from driftline import reference_build
from driftline.demo.traffic import Traffic
from driftline.monitors import load_monitor
from streams import reference

TRAINING_ROWS = 20_000
SEED = 20_260_101


def prepare(folder: Path, now_ms: int, seed: int = SEED) -> None:
    """Write ``credit.yaml`` and ``credit.reference.json`` into a folder.

    Parameters
    ----------
    now_ms
        Time of the training rows, epoch milliseconds.
    seed
        Of the training rows.
    """
    path = folder / "credit.yaml"
    path.write_bytes(resources.files(__package__).joinpath("credit.yaml").read_bytes())
    _, monitor = load_monitor(path)
    found = monitor.reference_path(folder)
    assert found is not None
    with tempfile.TemporaryDirectory() as scratch:
        training = Path(scratch) / "training.jsonl"
        quiet = Traffic(seed).events(TRAINING_ROWS, elapsed_s=0.0, now_ms=now_ms)
        training.write_bytes(b"\n".join(value for _, value in quiet))
        found.write_bytes(reference.dump(reference_build.build([training], monitor)))
