"""Sweeps of one small Hydra app by podium and by what Hydra has: `jobs` and `slots`, as commands in their own processes."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.contestants import HERE, PODIUM, ROOT, DriverError
from benchmarks.figures import Figure
from benchmarks.plan import Plan, Result, in_turn

AT_ONCE = 2
FIRST_MS = 1_000.0
MAX_IDLE = 5.0  # percent
SHORTEST_S, LONGEST_S = 0.05, 1.95

APP = HERE / "app" / "app.py"
POLL_S = 0.005
PATIENCE_S = 600.0

REUSE, JOBLIB, BASIC = "podium, isolation=reuse", "joblib launcher", "basic launcher, one at a time"
BATCHES, JOBLIB_BATCHES = "podium's launcher in batches", "joblib launcher in batches"
_N_JOBS, _BATCH = f"hydra.launcher.n_jobs={AT_ONCE}", f"hydra.sweeper.max_batch_size={AT_ONCE}"
_PODIUM = ("hydra/sweeper=podium", "hydra/launcher=podium", _N_JOBS)
# Ways to run a sweep, with the overrides that choose each: podium's two, and what Hydra brings or recommends.
WAYS = {
    PODIUM.title: _PODIUM,
    REUSE: (*_PODIUM, "hydra.launcher.isolation=reuse"),
    JOBLIB: ("hydra/launcher=joblib", _N_JOBS),
    BASIC: (),
    BATCHES: ("hydra/launcher=podium", _N_JOBS, _BATCH),
    JOBLIB_BATCHES: ("hydra/launcher=joblib", _N_JOBS, _BATCH),
}
MAX_RATIO = {PODIUM.title: 1 / 3, REUSE: 1 / 10}  # to the joblib launcher


def jobs(plan: Plan) -> Result:
    """Measure the whole command shared out among its jobs, one more job, and the wait for the first of many jobs."""
    count, many, rounds = plan.pick(4, 200), plan.pick(20, 1_000), plan.pick(1, 3)

    def command(way: str) -> dict[str, float]:
        alone_s, _ = _sweep(plan.folder, way, "x=range(1)")
        all_s, _ = _sweep(plan.folder, way, f"x=range({count})")
        return {"whole_ms": all_s / count * 1e3, "further_ms": (all_s - alone_s) / (count - 1) * 1e3}

    def first(way: str) -> dict[str, float]:
        ready_s = _first_job_s(plan.folder, BASIC)  # when the app alone begins its job
        return {"wait_ms": (_first_job_s(plan.folder, way, "-m", f"x=range({many})") - ready_s) * 1e3}

    who = (PODIUM.title, REUSE, *plan.peers(JOBLIB, BASIC))
    asked = in_turn(rounds, who, command)
    cases = {"whole_ms": f"the command, per job of {count:,}", "further_ms": "each further job"}
    figures: list[Figure] = []
    for key, case in cases.items():
        for answers in asked.values():
            figures += answers.figures({key: case})
    for key, case in cases.items() if JOBLIB in asked else ():
        for way, most in MAX_RATIO.items():
            figures += asked[way].ratio(f"{case}: podium / joblib launcher", asked[JOBLIB], key, target=most)
    for answers in in_turn(rounds, (PODIUM.title, *plan.peers(JOBLIB)), first).values():
        case = f"the first job of {many:,} begins after"
        figures += answers.figures({"wait_ms": case}, targets={"wait_ms": FIRST_MS})
    return f"jobs that do nothing, {AT_ONCE} at once", figures


def slots(plan: Plan) -> Result:
    """Measure how much of the slots' time passes without a job. Podium fills a free slot at once, batches wait.

    The jobs are the same for all, in the same order. Their lengths are spread evenly between short and long: of two
    jobs, the longer one takes 4/3 of the mean.
    """
    source = random.Random(0)
    lengths = [source.uniform(SHORTEST_S, LONGEST_S) for _ in range(plan.pick(6, 100))]
    axis = f"seconds={','.join(f'{length:.3f}' for length in lengths)}"

    def idle(way: str) -> dict[str, float]:
        _, ran = _sweep(plan.folder, way, axis, notes=True)
        busy_s = sum(ended - began for began, ended in ran)
        span_s = max(ended for _, ended in ran) - min(began for began, _ in ran)
        return {"idle_%": 100 * (1 - busy_s / (AT_ONCE * span_s))}

    who = (PODIUM.title, *plan.peers(BATCHES, JOBLIB_BATCHES))
    figures: list[Figure] = []
    for answers in in_turn(plan.pick(1, 2), who, idle).values():
        note = f"busy {100 - min(answers.values('idle_%'), default=0.0):.1f} %"
        figures += answers.figures({"idle_%": "slots without a job"}, targets={"idle_%": MAX_IDLE}, note=note)
    title = f"{len(lengths)} jobs of {min(lengths):.2f} to {max(lengths):.2f} s, {sum(lengths):.0f} s in all"
    return f"{title}, {AT_ONCE} at once", figures


def _sweep(
    folder: Path, way: str, override: str, *, notes: bool = False
) -> tuple[float, list[tuple[float, float]]]:
    """Run a sweep to its end; return its seconds, and with `notes` when each job began and ended."""
    with _started(folder, way, "-m", override, notes=notes) as (process, place, began):
        _, said = process.communicate(timeout=PATIENCE_S)
        wall_s = time.monotonic() - began
        if process.returncode:
            said = said.strip()[-300:] or "no output"
            raise DriverError(f"failed: {way}: exit code {process.returncode}, {said}")
        return wall_s, _read(place)


def _first_job_s(folder: Path, way: str, *arguments: str) -> float:
    """Return how many seconds after the command the first job begins. The command is killed then."""
    with _started(folder, way, *arguments, notes=True) as (process, place, began):
        while not (ran := _read(place)):
            if process.poll() is not None or time.monotonic() - began > PATIENCE_S:
                raise DriverError(f"failed: {way}: ended before a job began")
            time.sleep(POLL_S)
        return min(start for start, _ in ran) - began


@contextlib.contextmanager
def _started(
    folder: Path, way: str, *arguments: str, notes: bool
) -> Iterator[tuple["subprocess.Popen[str]", Path, float]]:
    """Start the app in a new folder, and kill what still runs of it at the end."""
    place = folder / f"sweep-{time.monotonic_ns()}" / "notes"
    place.mkdir(parents=True)
    noting = [f"notes={place}"] if notes else []
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(APP), *arguments, *WAYS[way], *noting],
        cwd=place.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    try:
        yield process, place, began
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _read(notes: Path) -> list[tuple[float, float]]:
    lines = [note.read_text().split() for note in notes.iterdir()]
    return [(float(line[0]), float(line[1])) for line in lines if len(line) == 2]
