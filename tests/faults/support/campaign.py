"""Many schedules: their seeds shared out over processes, and what was wrong with which."""

import faulthandler
import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from invariants import violations
from world import World

#: Seeds a process takes at once.
SHARE = 50
#: A schedule takes a fraction of a second. A process that is at one for so long says where it stands, and ends.
LONGEST_S = 120


@dataclass
class Campaign:
    """What came of the schedules of some seeds."""

    seeds: range
    processes: int
    schedules: int = 0
    seconds: float = 0.0
    broken: dict[int, list[str]] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """All of it in a line."""
        rate = 60 * self.schedules / max(self.seconds, 1e-3) / self.processes
        return (
            f"seeds {self.seeds.start} to {self.seeds.start + self.schedules - 1}: {self.schedules} schedules, "
            f"{len(self.broken)} with violations, {self.seconds:.0f} s, {rate:.0f} a minute on each of "
            f"{self.processes} processes"
        )

    @property
    def report(self) -> str:
        """What was wrong, and how to see it happen again."""
        found = []
        for seed, wrong in sorted(self.broken.items()):
            found += [f"python tests/faults/replay.py {seed} --trace", *(f"    {one}" for one in wrong[:5])]
        return "\n".join([*found, self.line])


def check(seed: int, trace: Callable[[str], None] | None = None) -> list[str]:
    """Run the schedule of one seed, and return what is wrong with it."""
    world = World(seed, trace)
    world.run()
    return violations(world)


def run(seeds: range, *, processes: int = 1, budget_s: float | None = None) -> Campaign:
    """Run the schedules of some seeds, or as many of them as there is time for."""
    campaign = Campaign(seeds, processes)
    began_s = time.monotonic()
    for share, broken in _results(seeds, processes):
        campaign.schedules += len(share)
        campaign.broken |= broken
        campaign.seconds = time.monotonic() - began_s
        if budget_s is not None and campaign.seconds > budget_s:
            break
    return campaign


def _results(seeds: range, processes: int) -> Iterator[tuple[range, dict[int, list[str]]]]:
    size = SHARE if processes > 1 else 1
    shares = [seeds[low : low + size] for low in range(0, len(seeds), size)]
    if processes == 1:
        yield from zip(shares, map(_check_all, shares), strict=True)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        # A process that dies breaks the pool, and that is raised here.
        yield from zip(shares, pool.map(_check_or_end, shares), strict=True)


def _check_all(seeds: Iterable[int]) -> dict[int, list[str]]:
    return {seed: wrong for seed in seeds if (wrong := _outcome(seed))}


def _check_or_end(seeds: Iterable[int]) -> dict[int, list[str]]:
    found = {}
    for seed in seeds:
        faulthandler.dump_traceback_later(LONGEST_S, exit=True)
        found |= _check_all([seed])
    faulthandler.cancel_dump_traceback_later()
    return found


def _outcome(seed: int) -> list[str]:
    """Check a seed; a schedule that raises is one with a violation, and the others are run all the same."""
    try:
        return check(seed)
    except Exception:
        return [traceback.format_exc()]
