"""Real trainings: how many epochs a search takes to the best value of a random sweep on census income.

    python -m benchmarks.searches.trainings --folder FOLDER [--seeds N] [--mode MODE] [--json FILE]

For each seed a sweep of random points trains every job to its end. Then searches with the same space are told the
value that it reached as their target, and as their budget the epochs that it took.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweeps.ranking.aggregate import rank_jobs
from sweeps.ranking.best_so_far import best_so_far
from sweeps.state.ledger import read_sweep

JOBS, MOST_JOBS = 32, 400  # of the random sweep, and of a search, which its budget ends before
SPACE = (
    "training.learning_rate=tag(log,interval(1e-5,1e-1))",
    "model.dropout=interval(0,0.6)",
    "training.weight_decay=tag(log,interval(1e-7,1e-1))",
    "training.batch_size=64,128,256,512,1024",
    "model.hidden_dims=[64],[256],[128,64],[256,128],[256,128,64]",
)
RECIPE = ("experiment=adult_mlp", "optimizer=adamw", "promotion.promote=false", "hydra.sweeper.winner=null")


def main(arguments: Sequence[str]) -> int:
    """Run the sweeps that the results lack, print a table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.searches.trainings", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the folder of adult.data and adult.test")
    parser.add_argument("--seeds", type=int, default=5, metavar="N")
    parser.add_argument("--mode", action="append", metavar="MODE", help="of the searches; tpe without")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep results there, and go on from those")
    options = parser.parse_args(arguments)
    results = json.loads(options.json.read_text()) if options.json and options.json.exists() else []
    for seed in range(options.seeds):
        for mode in ("random", *(options.mode or ["tpe"])):
            if not any(each["seed"] == seed and each["mode"] == mode for each in results):
                results.append(_sweep(options.folder, seed, mode, results))
                print(results[-1], flush=True)
                if options.json:
                    options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(_table(results))
    return 0


def _sweep(folder: Path, seed: int, mode: str, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="podium-trainings-") as store:
        words = [f"sweep.mode={mode}", f"sweep.seed={seed}", "sweep.name=mine", *_limits(seed, mode, results)]
        command = [sys.executable, "-m", "trainer", "-m", *RECIPE, *SPACE, f"data.path='{folder}'", *words]
        subprocess.run([*command, f"paths.experiments='{store}'"], check=True, stdout=subprocess.DEVNULL)
        plan, history = read_sweep(Path(store) / "sweeps" / "mine")
        board = rank_jobs(plan, history, Path(store))
        course = best_so_far(board, history.reached)
        best, target = board.rows[0].objective, _of_random(seed, results, "best")
        reached = [each.epochs for each in course if target and each.value and each.value >= target]
        epochs = sum(row.epochs or 0 for row in board.rows)
        return {
            "seed": seed,
            "mode": mode,
            "best": best,
            "epochs": epochs,
            "jobs": len(board.rows),
            "reached": reached[0] if reached else None,
        }


def _limits(seed: int, mode: str, results: Sequence[dict[str, Any]]) -> list[str]:
    """Return how long a sweep goes on."""
    if mode == "random":
        return [f"sweep.n_trials={JOBS}"]
    best, epochs = _of_random(seed, results, "best"), _of_random(seed, results, "epochs")
    return [
        "sweep.schedule=asha",
        "sweep.confirm=0",
        "sweep.enqueue_defaults=false",  # the recipe's own values, which random points do not have
        f"sweep.n_trials={MOST_JOBS}",
        f"sweep.target={best!r}",
        f"sweep.budget={epochs}",
    ]


def _of_random(seed: int, results: Sequence[dict[str, Any]], name: str) -> Any:
    return next((each[name] for each in results if (each["seed"], each["mode"]) == (seed, "random")), None)


def _table(results: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| seed | search | best val_auc | of random | epochs to it | of random | share |",
        "|---|---|---|---|---|---|---|",
    ]
    shares: dict[str, list[float]] = {}
    for each in results:
        if each["mode"] == "random":
            continue
        best, epochs = (_of_random(each["seed"], results, name) for name in ("best", "epochs"))
        share = each["reached"] / epochs if each["reached"] else float("inf")
        shares.setdefault(each["mode"], []).append(share)
        row = (
            each["seed"],
            each["mode"],
            f"{each['best']:.5f}",
            f"{best:.5f}",
            each["reached"] or "-",
            epochs,
            f"{share:.2f}",
        )
        lines.append(f"| {' | '.join(map(str, row))} |")
    for mode, found in shares.items():
        lines.append(f"\n{mode}: median share {statistics.median(found):.2f} of {len(found)} seeds")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
