"""Helpers of these tests live in `support` and are imported by their bare name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))
