"""What engines cost: python -m benchmarks engines [scale | cost] [--jobs N] [--nodes N] [--rounds N]

`scale`: a sweep of many jobs on many simulated nodes; see `benchmarks.engines.simulated`. It measures the process of the
sweep, the files that it writes, and what the run of one job takes in the store. Planning, the ledger, the leaderboard and the
dealing are real; processes, messages of a network, and what jobs log are not there.

`cost`: sweeps of jobs that do nothing, on this machine, by the local launcher, a node without a cluster, Dask, and Hydra's
joblib launcher. Commands take turns. It measures the CPU time of a command with all of its processes, so that a
busy machine changes little: that of few jobs, and of each further one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants import HERE, ROOT

APP = HERE / "app" / "app.py"
PODIUM = ("hydra/sweeper=podium", "hydra/launcher=podium")
FEW = 4  # jobs of the shorter of two commands
# Each way: what runs the program, and what chooses it.
WAYS = {
    "local": ((), (*PODIUM, "hydra.launcher.n_jobs=1")),
    "a node, no cluster": (("-m", "benchmarks.engines.on_processes", "1"), PODIUM),
    "Dask, one worker": ((), (PODIUM[0], "hydra/launcher=podium_dask", "hydra.launcher.n_jobs=1")),
    "joblib launcher": ((), ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1")),
}


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks engines",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", choices=("scale", "cost"), default="scale")
    parser.add_argument("--jobs", type=int, help="10000 of scale, 40 of cost")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    if options.name == "scale":
        _print_scale(options.nodes, options.jobs or 10_000)
    else:
        _print_cost(options.jobs or 40, options.rounds)
    return 0


def _print_scale(nodes: int, jobs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        program = ("-m", "benchmarks.engines.simulated", str(nodes))
        out = _run(Path(folder), program, (*PODIUM, f"x=range({jobs})", "hydra.sweeper.name=simulated"))
        told = json.loads(out.splitlines()[-1])
        sweep = Path(folder, "experiments", "sweeps", "simulated")
        sizes = {path.name: path.stat().st_size for path in sweep.iterdir()}
        files, size = _run_of_a_job(Path(folder, "alone"))
    print(f"{jobs:,} jobs on {nodes:,} simulated nodes")
    for text in (
        f"CPU of the sweep's process  {told['cpu_s'] / jobs * 1e3:.2f} ms a job, {told['cpu_s']:.1f} s in all",
        f"its threads and memory      {told['threads']:,}, {told['peak_mb']:.0f} MB",
        f"ledger                      {sizes['jobs.jsonl'] / jobs:.0f} bytes a job, {sizes['jobs.jsonl'] / 1e6:.1f} MB",
        f"all files of the sweep      {sum(sizes.values()) / jobs:.0f} bytes a job, {sum(sizes.values()) / 1e6:.1f} MB",
        f"store, per job with a run   {files} files, {size / 1e3:.1f} kB",
    ):
        print(f"  {text}")


def _run_of_a_job(folder: Path) -> tuple[int, int]:
    """Return the files that a job with a run of 100 values adds to a store, and their size in bytes."""
    code = (
        "import hydra, tracking\n@hydra.main(config_path=None, version_base='1.3')\ndef main(cfg):\n"
        "    with tracking.ExperimentTracker('experiments').start_run('alone') as run:\n"
        "        for step in range(100): run.log({'loss': 1 / (step + 1)}, step=step)\n"
        "if __name__ == '__main__': main()\n"
    )
    folder.mkdir()
    (folder / "alone.py").write_text(code)
    found = []
    for jobs in (1, 5):
        name = f"of_{jobs}"
        chosen = (
            *PODIUM,
            f"+x=range({jobs})",
            f"hydra.sweeper.name={name}",
            "hydra.sweeper.objective.metric=loss",
        )
        _run(folder, (), chosen, program=folder / "alone.py")
        store = [path for path in (folder / "experiments").rglob("*") if path.is_file()]
        own = [path for path in store if path.parent == folder / "experiments" / "sweeps" / name]
        found.append((len(store) - len(own), sum(path.stat().st_size for path in {*store} - {*own})))
    (few, small), (many, large) = found
    return (many - few) // 5, (large - small) // 5


def _print_cost(jobs: int, rounds: int) -> None:
    few, further = ({way: list[float]() for way in WAYS} for _ in range(2))
    for _ in range(rounds):
        for way, (runner, chosen) in WAYS.items():
            short_s, long_s = (_cpu_s(runner, (*chosen, f"x=range({count})")) for count in (FEW, FEW + jobs))
            few[way].append(short_s)
            further[way].append((long_s - short_s) / jobs)
    print(f"CPU of a command with all its processes, median of {rounds}; {jobs} further jobs")
    for way in WAYS:
        ratio = statistics.median(b / a for a, b in zip(further["local"], further[way], strict=True))
        each_ms = statistics.median(further[way]) * 1e3
        print(
            f"  {way:20} {FEW} jobs {statistics.median(few[way]):6.2f} s   each further {each_ms:6.0f} ms   {ratio:5.2f} x local"
        )


def _cpu_s(runner: Sequence[str], chosen: Sequence[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        before = os.times()
        _run(Path(folder), runner, chosen)
        after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _run(folder: Path, runner: Sequence[str], chosen: Sequence[str], *, program: Path = APP) -> str:
    done = subprocess.run(
        [sys.executable, *runner, str(program), "-m", *chosen],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PODIUM_REPORT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return done.stdout
