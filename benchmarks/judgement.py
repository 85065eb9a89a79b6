"""How well the product judges: false alarms on the budget, delay of the alarm, against the rules of others.

- *tables*: published average run lengths of CUSUM and EWMA charts, reproduced by the harness. Wanted: within 2 %.
- *alarms*: alerts a week of healthy models, against the budgets of 0.5, 1 and 5. Wanted: at most 20 % above.
- *rules*: alarms a week of Evidently's, NannyML's and river's published rules on the same models.
- *delay*: panes from a change to the alarm; theirs held to the same budget first. Wanted: half of the best of
  theirs where that is more than two windows, elsewhere no more than a pane later.
- *check*: raw events of healthy weeks through the whole pipeline, against *alarms*.

Seeds from 900 on are for development, 1 to 99 for what is reported.

    python benchmarks/judgement.py [--only tables,alarms] [--quick] [--seed 1] [--models 30] [--days 7] [--seeds 100]
        [--json results.jsonl]
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import judgement_alarms
import judgement_check
import judgement_delay
import judgement_rules
import judgement_tables
from rich.console import Console
from rich.table import Table

Row = dict[str, object]
#: What a table shows of each part's rows.
SHOWN = {
    "tables": ("chart", "parameters", "shift", "published", "simulated", "off_by", "passes"),
    "alarms": ("scenario", "budget", "model_weeks", "alerts", "per_week", "interval", "passes"),
    "rules": ("scenario", "rule", "model_weeks", "alerts", "per_week", "interval"),
    "delay": ("change", "pace", "rule", "found", "panes", "median_events", "best_peer", "passes"),
    "check": ("scenario", "budget", "model_weeks", "alerts", "per_week", "interval", "by_kind", "passes"),
}


def parts(chosen: argparse.Namespace) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return what there is to measure, by name."""
    seed = chosen.seed
    if chosen.quick:
        return {
            "tables": lambda: judgement_tables.rows(2_000, seed),
            "alarms": lambda: judgement_alarms.rows(1, seed, days=1, columns=2),
            "rules": lambda: judgement_rules.rows(20, seed),
            "delay": lambda: judgement_delay.rows(5, seed, healthy=200, only={"mean + 1 sigma"}),
            "check": lambda: judgement_check.rows(seed, days=1),
        }
    return {
        "tables": lambda: judgement_tables.rows(40_000, seed),
        "alarms": lambda: judgement_alarms.rows(chosen.models, seed, days=chosen.days),
        "rules": lambda: judgement_rules.rows(5 * chosen.seeds, seed),
        "delay": lambda: judgement_delay.rows(chosen.seeds, seed, healthy=200 * chosen.seeds),
        "check": lambda: judgement_check.rows(seed, days=2 * chosen.days),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default=",".join(SHOWN), help="parts to run, by comma")
    parser.add_argument("--quick", action="store_true", help="little of each, to see that it runs")
    parser.add_argument("--seed", type=int, default=1, help="all randomness follows from it")
    parser.add_argument("--models", type=int, default=30, help="healthy models of each of seven scenarios")
    parser.add_argument("--days", type=int, default=7, help="healthy days of each model")
    parser.add_argument(
        "--seeds", type=int, default=100, help="runs of each change; 200 healthy chunks for each"
    )
    parser.add_argument("--json", type=Path, help="append one JSON line per row to this file")
    chosen = parser.parse_args()
    todo = parts(chosen)
    for name in chosen.only.split(","):
        shown = Table(*SHOWN[name], title=name)
        for row in todo[name]():
            line = json.dumps(row | {"seed": chosen.seed})
            print(line, flush=True)
            if chosen.json is not None:
                with chosen.json.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
            shown.add_row(*(str(row[key]) for key in SHOWN[name]))
        Console().print(shown)


if __name__ == "__main__":
    main()
