"""The command line of the benchmarks.

python -m benchmarks [NAME...] [--full | --tiny] [--no-peers] [--json FILE] [--keep DIR]
python -m benchmarks setup [PEER...]
python -m benchmarks report [--from FILE]... [--readme]
python -m benchmarks tables --folder DIR   (how good the models are; benchmarks.tables)
python -m benchmarks searches --lcbench DIR   (how good the searches are; benchmarks.searches)
python -m benchmarks promotion [NAME...] [--write]   (how often chance promotes; benchmarks.promotion)
python -m benchmarks engines [scale | cost]   (what engines cost; benchmarks.engines)
python -m benchmarks pictures   (the pictures of the docs; benchmarks.dashboard, benchmarks.promotion)
python -m benchmarks sizes      (how large the extras are; benchmarks.sizes)
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import environments, machine, report
from benchmarks.contestants import DriverError, Module
from benchmarks.figures import Chapter, Figure, as_text
from benchmarks.measures import dashboard, processes, reading, sweeps, training, writing
from benchmarks.plan import Plan, Result, Size

MEASURES: dict[str, Callable[[Plan], Result]] = {
    "sweep": training.sweep,
    "training": training.training,
    "start": processes.start,
    "log": writing.log,
    "best": reading.best,
    "search": reading.search,
    "table": reading.table,
    "index": reading.index,
    "commands": processes.commands,
    "runs": writing.runs,
    "jobs": sweeps.jobs,
    "slots": sweeps.slots,
    "dashboard": dashboard.dashboard,
}
SETUP, REPORT, TABLES, SEARCHES = "setup", "report", "tables", "searches"
PICTURES, SIZES, PROMOTION, ENGINES = "pictures", "sizes", "promotion", "engines"


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says, and return the exit code."""
    if arguments[:1] == [TABLES]:
        from benchmarks.tables.main import main as tables  # loads torch

        return tables(arguments[1:])
    if arguments[:1] == [SEARCHES]:
        from benchmarks.searches.main import main as searches  # loads Optuna

        return searches(arguments[1:])
    if arguments[:1] == [PROMOTION]:
        from benchmarks.promotion.main import main as promotion  # loads scipy

        return promotion(arguments[1:])
    if arguments[:1] == [ENGINES]:
        from benchmarks.engines.main import main as engines

        return engines(arguments[1:])
    if arguments[:1] == [PICTURES]:
        from benchmarks.dashboard.pictures import main as pictures

        return pictures(arguments[1:])
    if arguments[:1] == [SIZES]:
        from benchmarks.sizes import main as sizes

        return sizes(arguments[1:])
    options = _parse(arguments)
    if SETUP in options.names:
        environments.setup([peer for peer in Module if peer in options.names] or list(Module))
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
        description="Measure the tracker and the sweeps beside their peers, on this machine.",
    )
    names = [*MEASURES, SETUP, REPORT]
    add = parser.add_argument
    known = f"{', '.join(MEASURES)}; all without one. `setup` installs the peers, or those that are named, `report` writes docs/benchmarks.md; `tables` trains on real tables and has options of its own"
    add("names", nargs="*", metavar="NAME", help=known)
    size = parser.add_mutually_exclusive_group()
    for each, what in ((Size.FULL, "100,000 runs too; peers 10,000"), (Size.TINY, "only show that it works")):
        size.add_argument(
            f"--{each}", dest="size", action="store_const", const=each, default=Size.USUAL, help=what
        )
    add("--peers", action=argparse.BooleanOptionalAction, default=True, help="measure the peers too")
    add("--json", type=Path, metavar="FILE", help="write the figures to a file")
    add("--keep", type=Path, metavar="DIR", help="keep the stores in a folder, and use those that are there")
    add("--from", dest="source", type=Path, action="append", metavar="FILE", help="report these figures")
    add("--readme", action="store_true", help="report into README too, between its markers")
    options = parser.parse_args(arguments)
    peers = [peer.value for peer in Module] if SETUP in options.names else []
    if unknown := [name for name in options.names if name not in [*names, *peers]]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(names)}")
    return options


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    names = [name for name in MEASURES if name in options.names] or list(MEASURES)
    with tempfile.TemporaryDirectory(prefix="podium-benchmarks-") as scratch:
        folder = (options.keep or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        plan = Plan(folder, options.size, options.peers)
        facts, chapters = machine.facts(folder), []
        for name in names:
            try:
                title, figures = MEASURES[name](plan)
                chapter = Chapter(name, title, tuple(figures))
            except DriverError as error:  # one benchmark that fails does not stop the others
                chapter = Chapter(name, "could not be measured", (Figure("", "podium", "", note=str(error)),))
            print(as_text(chapter) + "\n", flush=True)
            chapters.append(chapter.data())
    return {"machine": facts, "size": plan.size.value, "chapters": chapters}
