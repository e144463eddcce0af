"""The command line of the benchmarks.

python -m benchmarks [NAME...] [--full] [--no-peers] [--json FILE] [--keep DIR]
python -m benchmarks setup
python -m benchmarks report [--from FILE]... [--readme]
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import environments, machine, report
from benchmarks.contestants import DriverError
from benchmarks.figures import Chapter, Figure, as_text
from benchmarks.measures import best, commands, index, jobs, log, runs, search, slots, start, table
from benchmarks.plan import Plan, Size

# What only reads comes before what makes the stores larger.
MEASURES: dict[str, Callable[[Plan], Chapter]] = {
    module.NAME: module.measure
    for module in (start, log, best, search, table, index, commands, runs, jobs, slots)
}
SETUP, REPORT = "setup", "report"


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; the exit code."""
    options = _parse(arguments)
    if SETUP in options.names:
        environments.setup()
        return 0
    if options.source:
        results = report.merged([json.loads(path.read_text()) for path in options.source])
    else:
        results = _measure(options)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    if REPORT in options.names:
        report.write(results, with_readme=options.readme)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the tracker and the sweeps beside their peers, on this machine, now.",
    )
    names = [*MEASURES, SETUP, REPORT]
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(MEASURES)}; all without one. `setup` installs the peers, `report` writes docs/benchmarks.md",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--full", dest="size", action="store_const", const=Size.FULL, help="100,000 runs too; peers 10,000"
    )
    size.add_argument(
        "--tiny", dest="size", action="store_const", const=Size.TINY, help="only show that it works"
    )
    parser.add_argument(
        "--peers", action=argparse.BooleanOptionalAction, default=True, help="measure the peers too"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="make the stores there, and use those that are there"
    )
    parser.add_argument(
        "--from", dest="source", type=Path, action="append", metavar="FILE", help="report these figures"
    )
    parser.add_argument("--readme", action="store_true", help="report into README too, between its markers")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in names]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(names)}")
    return options


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    names = [name for name in options.names if name in MEASURES] or list(MEASURES)
    with tempfile.TemporaryDirectory(prefix="podium-benchmarks-") as scratch:
        folder = (options.keep or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        plan = Plan(folder, options.size or Size.USUAL, options.peers)
        results: dict[str, Any] = {"machine": machine.facts(folder), "size": plan.size.value, "chapters": []}
        for name in MEASURES:
            if name in names:
                chapter = _chapter(name, plan)
                print(as_text(chapter) + "\n", flush=True)
                results["chapters"].append(chapter.data())
    return results


def _chapter(name: str, plan: Plan) -> Chapter:
    try:
        return MEASURES[name](plan)
    except DriverError as error:  # one benchmark that fails does not cost the others
        return Chapter(name, "could not be measured", (Figure("", "podium", "", note=str(error)),))
