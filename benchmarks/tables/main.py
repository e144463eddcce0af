"""The command line of the tables: python -m benchmarks tables --folder DIR [--folder DIR] [--json FILE] [--page].

Figures that the JSON file holds already are not measured again, so that what was interrupted goes on.
"""

import argparse
import json
import logging
import os
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmarks import machine
from benchmarks.tables import page
from benchmarks.tables.baselines import baselines, facts
from benchmarks.tables.catalog import ADULT, KNOWN, Entry, found
from benchmarks.tables.runs import QUICK, Scored, best_of_sweep, config, default, recipe
from trainer.schema import named_task

FOLDERS = "PODIUM_TABLES"  # the environment variable: folders, as in PATH
KEPT = ("date", "processor", "memory", "system", "python", "commit")
PACKAGES = ("torch", "scikit-learn", "numpy")


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for, print the table, and return the exit code."""
    options = _parse(arguments)
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)  # the epochs of a hundred runs say nothing here
    try:
        results = _measured(options)
    finally:
        log.setLevel(level)
    print("\n" + page.markdown(results) + "\n")
    for verdict in page.verdicts(results):
        print(verdict)
    if options.page:
        page.write(results)
    return 0


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    """Return the results with every score that is asked for."""
    results = _read(options.json)
    for entry, home in found(options.folders, options.only, options.also):
        overrides = [*entry.located(home), *options.overrides, *(QUICK if options.tiny else ())]
        for seed in range(options.seeds):
            for who, scored in _missing(entry, overrides, seed, options, results):
                line = {"table": entry.name, "seed": seed, "who": who, **vars(scored)}
                results["scores"].append(line)
                print(
                    f"{entry.name}, seed {seed}: {who} {scored.test:.4f} ({scored.seconds:.1f} s)", flush=True
                )
                _keep(options.json, results)
    for name in options.recipe:
        _measure_recipe(name, options, results)
    return results


def _measure_recipe(name: str, options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Add the scores of a recipe for Adult, with each seed that the results lack."""
    known = {each["seed"] for each in results["recipes"] if each["recipe"] == name}
    for _, home in found(options.folders, [ADULT], []):
        for seed in sorted({*range(options.seeds)} - known):
            line = {"recipe": name, "seed": seed, **recipe(name, home, seed=seed)}
            results["recipes"].append(line)
            print(f"{name}, seed {seed}: accuracy {line['accuracy']:.4f}, AUC {line['auc']:.4f}", flush=True)
            _keep(options.json, results)


def _keep(file: Path | None, results: dict[str, Any]) -> None:
    if file is not None:
        file.write_text(json.dumps(results, indent=1) + "\n")


def _missing(
    entry: Entry, overrides: Sequence[str], seed: int, options: argparse.Namespace, results: dict[str, Any]
) -> Iterator[tuple[str, Scored]]:
    """Yield the scores of one split that the results lack."""
    known = {each["who"] for each in results["scores"] if (each["table"], each["seed"]) == (entry.name, seed)}
    cfg = config(overrides, seed=seed)
    section: Any = OmegaConf.to_container(cfg.data, resolve=True)
    task = named_task(cfg.task)
    if entry.name not in results["tables"]:
        results["tables"][entry.name] = facts(section, task)
    if page.LINEAR not in known or page.TREES not in known:
        yield from baselines(section, task, seed=seed)
    if page.DEFAULT not in known:
        yield page.DEFAULT, default(overrides, seed=seed)
    if page.SWEEP not in known and seed < options.sweeps:
        yield page.SWEEP, best_of_sweep(overrides, seed=seed)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks tables",
        description="Train on real tables, and compare with scikit-learn on the same rows.",
    )
    add = parser.add_argument
    add("--folder", dest="folders", type=Path, action="append", metavar="DIR",
        help=f"a folder with tables; may be repeated; default: those of ${FOLDERS}")  # fmt: skip
    add("--only", action="append", default=[], metavar="NAME",
        help=f"a table, may be repeated; of {', '.join(each.name for each in KNOWN)}")  # fmt: skip
    add("--also", action="append", default=[], metavar="FILE=TARGET", help="another table of the folders")
    add("--seeds", type=int, default=5, metavar="N", help="seeds, each with a split of its own; default 5")
    add(
        "--sweeps",
        type=int,
        default=1,
        metavar="N",
        help="seeds that the sweep of 12 jobs runs for; default 1",
    )
    add("--recipe", action="append", default=[], metavar="NAME", help="a recipe for Adult, may be repeated")
    add(
        "--json", type=Path, metavar="FILE", help="keep the figures in a file, and measure only what it lacks"
    )
    add("--page", action="store_true", help="write docs/results.md")
    add("--tiny", action="store_true", help="one epoch of a tiny model: only show that it works")
    add("overrides", nargs="*", metavar="KEY=VALUE", help="overrides of the trainer's config for each run")
    options = parser.parse_args(arguments)
    if options.folders is None:
        options.folders = [Path(each) for each in os.environ.get(FOLDERS, "").split(os.pathsep) if each]
    if not options.folders:
        parser.error(f"give the folder of the tables: --folder DIR, or set {FOLDERS}")
    return options


def _read(file: Path | None) -> dict[str, Any]:
    if file is not None and file.exists():
        known: dict[str, Any] = json.loads(file.read_text())
        return known
    every = machine.facts(Path.cwd())
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {
        "machine": {**{key: every[key] for key in KEPT}, **versions},
        "tables": {},
        "scores": [],
        "recipes": [],
    }
