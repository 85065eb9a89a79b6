"""Run one schedule again and print what happens in it: ``python tests/faults/replay.py SEED [--trace]``."""

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "support"), str(Path(__file__).parents[2])]

from invariants import violations  # noqa: E402
from world import World  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--trace", action="store_true", help="print every move")
    asked = parser.parse_args()
    world = World(asked.seed, print if asked.trace else None)
    world.run()
    found = violations(world)
    print(f"seed {asked.seed}: {world.moves} moves, {len(world.sent)} events, {len(found)} violations")
    print(*found, sep="\n")
    return bool(found)


if __name__ == "__main__":
    raise SystemExit(main())
