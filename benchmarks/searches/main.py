"""The command line: python -m benchmarks searches [--lcbench FOLDER] [--tasks held|tuned] [--seeds N] [--workers N] ...

Without LCBench's folder, searches are tried on Branin and Hartmann-6 alone. Results that the JSON file holds are not
measured again, so that what was interrupted goes on.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.searches.measured import measured_problems
from benchmarks.searches.problems import TUNED_ON, Problem, Surrogate, branin, hartmann6, mean_and_error
from benchmarks.searches.rivals import BY_BUDGET, RIVALS
from benchmarks.searches.simulation import Method, method
from sweeps.settings.search_settings import Mode, Schedule

FOLDER = "PODIUM_LCBENCH"  # the environment variable
LENGTHS = (4, 8, 16, 32, 64)  # budgets, in full trainings
OURS: dict[str, Method] = {
    "podium random + asha": method(Mode.RANDOM, Schedule.ASHA, eta=2.0),
    "podium tpe + asha": method(Mode.TPE, Schedule.ASHA, eta=2.0),
    "podium gp + asha": method(Mode.GP, Schedule.ASHA, eta=2.0),
    "podium gp + median": method(Mode.GP, Schedule.MEDIAN),
    "podium gp, cannot resume + asha": method(Mode.GP, Schedule.ASHA, eta=2.0, resumes=False),
    "podium gp, all in full": method(Mode.GP, Schedule.NONE),
}
WITHOUT_EPOCHS: dict[str, Method] = {
    f"podium {mode}": method(mode, Schedule.NONE)
    for mode in (Mode.RANDOM, Mode.QMC, Mode.TPE, Mode.GP, Mode.CMAES)
}


def main(arguments: Sequence[str]) -> int:
    """Try what is asked for, print a table, and return the exit code."""
    options = _parse(arguments)
    results = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    for problem, name, run in _to_try(options):
        for seed in range(options.seeds):
            key = f"{name}|{problem.name}|{options.workers}|{seed}"
            if key not in results:
                began = time.process_time()
                regrets = _regrets(problem, name, run, seed, options)
                results[key] = {"regrets": regrets, "cpu_s": time.process_time() - began}
                if options.json:
                    options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results, options.lengths))
    return 0


def _regrets(problem: Problem, name: str, run: Method, seed: int, options: argparse.Namespace) -> list[float]:
    """Return the regret at each budget; of one run, unless what a method does depends on its budget."""
    budgets = [each * problem.epochs for each in LENGTHS[: options.lengths]]
    if name == BY_BUDGET:
        return [problem.regret(run(problem, seed, options.workers, each).best(each)) for each in budgets]
    trace = run(problem, seed, options.workers, budgets[-1])
    return [problem.regret(trace.best(each)) for each in budgets]


def table(results: dict[str, Any], lengths: int = len(LENGTHS)) -> str:
    """Return the mean regret x 100 with its standard error, and the median, by method and budget in full trainings."""
    rows: dict[tuple[str, str, str], list[list[float]]] = {}
    for key, result in results.items():
        name, problem, workers, _seed = key.split("|")
        kind = (
            "LCBench tuned" if problem in TUNED_ON else "LCBench" if problem.isdigit() else problem.split()[0]
        )
        rows.setdefault((kind, workers, name), []).append(result["regrets"][:lengths])
    heads = [f"{each} full" for each in LENGTHS[:lengths]]
    lines = [
        "| problem | workers | method | runs | " + " | ".join(heads) + " |",
        "|---" * (4 + lengths) + "|",
    ]
    for (kind, workers, name), regrets in sorted(rows.items()):
        cells = []
        for index in range(lengths):
            column = [each[index] for each in regrets if len(each) > index]
            mean, error = mean_and_error(column) if column else (0.0, 0.0)
            cells.append(f"{mean:.1f} ± {error:.1f} ({np.median(column):.1f})" if column else "")
        lines.append(f"| {kind} | {workers} | {name} | {len(regrets)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _to_try(options: argparse.Namespace) -> Iterator[tuple[Problem, str, Method]]:
    folder = options.lcbench or (Path(os.environ[FOLDER]) if FOLDER in os.environ else None)
    curves = {**RIVALS, **OURS}
    if folder is not None:
        surrogate = Surrogate(folder)
        tuned = options.tasks == "tuned"
        tasks = [each for each in surrogate.tasks if (each in TUNED_ON) == tuned][: options.problems]
        for name, run in curves.items():
            if not options.methods or any(part in name for part in options.methods):
                for task in tasks:
                    yield surrogate.problem(task), name, run
    if options.functions:
        stock = "Optuna's TPE, all in full"
        for problem in (branin(), hartmann6(), *measured_problems()):
            for name, run in {**WITHOUT_EPOCHS, stock: RIVALS[stock]}.items():
                if not options.methods or any(part in name for part in options.methods):
                    yield problem, name, run


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks searches", description=__doc__)
    add = parser.add_argument
    add("--lcbench", type=Path, metavar="FOLDER", help=f"the folder of the surrogate; or {FOLDER}")
    add(
        "--tasks",
        choices=("held", "tuned"),
        default="held",
        help="those that nothing was chosen on, or the others",
    )
    add("--problems", type=int, metavar="N", help="only so many data sets")
    add("--functions", action=argparse.BooleanOptionalAction, default=True, help="Branin and Hartmann-6 too")
    add("--methods", action="append", metavar="TEXT", help="only methods whose name contains this")
    add("--seeds", type=int, default=2, metavar="N")
    add("--workers", type=int, default=4, metavar="N")
    add(
        "--lengths",
        type=int,
        default=4,
        metavar="N",
        help=f"how many of the budgets {LENGTHS} of full trainings",
    )
    add("--json", type=Path, metavar="FILE", help="keep results there, and go on from those that are there")
    return parser.parse_args(arguments)
