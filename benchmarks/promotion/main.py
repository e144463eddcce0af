"""Simulate the gate: python -m benchmarks promotion [NAME...] [--times N] [--write]

best      how often the best of 16 models that are no better is promoted
looks     a year of weekly sweeps without a gain, on one split; ten sweeps are its first ten weeks
coverage  how often an interval of 95 % holds the true gain
rows      which gain a split of some size shows

All of them without a NAME. The seeds are fixed, so that the figures are the same again. `--write` keeps them in
benchmarks/promotion/results.json and in the tables of docs/promotion.md and docs/benchmarks.md; `python -m benchmarks pictures`
draws them.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import machine
from benchmarks.contestants import ROOT
from benchmarks.promotion import simulations, tables

SIMULATIONS: dict[str, tuple[Callable[[int], Any], int, Callable[[Any], str]]] = {
    "best": (simulations.best_of_16, 4000, tables.chance),
    "looks": (simulations.a_year, 2000, tables.looks),
    "coverage": (simulations.coverage, 1000, tables.coverage),
    "rows": (simulations.rows_needed, 1000, tables.rows),
}
FACTS = ("date", "processor", "python", "commit")


def main(arguments: Sequence[str]) -> int:
    """Simulate what is named, print the tables, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks promotion",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SIMULATIONS))
    parser.add_argument("--times", type=int, metavar="N", help="repeat each so often, not as often as usual")
    parser.add_argument("--write", action="store_true", help="keep the figures, and write them into the docs")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in SIMULATIONS]:
        parser.error(f"there is no simulation {unknown[0]!r}; there are {', '.join(SIMULATIONS)}")
    results: dict[str, Any] = {"machine": {}}
    if options.write and tables.RESULTS.exists():
        results = tables.kept()
    facts = {name: text for name, text in machine.facts(ROOT).items() if name in FACTS}
    for name in options.names or SIMULATIONS:
        simulate, usual, table = SIMULATIONS[name]
        results[name] = simulate(options.times or usual)
        results["machine"][name] = facts
        print(f"{name}\n{table(results)}\n", flush=True)
    if options.write:
        tables.RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        for path in tables.write(results):
            print(f"wrote {path.relative_to(ROOT)}")
    return 0
