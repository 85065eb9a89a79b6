"""Schedules of the fault simulator, one to read or many to be sure.

``python tests/faults/replay.py 123 --trace`` runs one seed again and prints every move;
``python tests/faults/replay.py 0 --schedules 10000`` runs as many from there on, over all cores.
"""

import argparse
import os
import sys
from pathlib import Path

_HERE = Path(__file__).parent


def main() -> int:
    """Run what is asked for; 1 if anything was wrong."""
    sys.path[:0] = [str(_HERE / "support"), str(_HERE.parents[1])]
    from campaign import Campaign, check, run

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("seed", type=int, help="the schedule to run, or the first of many")
    parser.add_argument("--trace", action="store_true", help="print every move")
    parser.add_argument("--schedules", type=int, metavar="N", help="run N seeds")
    asked = parser.parse_args()
    if asked.schedules is not None:
        many = run(range(asked.seed, asked.seed + asked.schedules), processes=os.cpu_count() or 1)
        print(many.report)
        return bool(many.broken)
    found = check(asked.seed, print if asked.trace else None)
    print(
        Campaign(range(asked.seed, asked.seed + 1), 1, 1, broken={asked.seed: found} if found else {}).report
    )
    return bool(found)


if __name__ == "__main__":
    raise SystemExit(main())
