"""Sweeps of one small Hydra app, run by podium and by what Hydra has: as commands, in processes of their own."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contestants import HERE, ROOT, DriverError

APP = HERE / "app" / "app.py"
POLL_S = 0.005
PATIENCE_S = 600.0


@dataclass(frozen=True)
class Way:
    """One way to run a sweep: who it is, and the overrides that choose it."""

    title: str
    overrides: tuple[str, ...]


def ways(n_jobs: int) -> dict[str, Way]:
    """Podium's two, and what Hydra brings or recommends, each with so many jobs at once."""
    at_once = f"hydra.launcher.n_jobs={n_jobs}"
    podium = ("hydra/sweeper=podium", "hydra/launcher=podium", at_once)
    batches = f"hydra.sweeper.max_batch_size={n_jobs}"
    return {
        "podium": Way("podium", podium),
        "reuse": Way("podium, isolation=reuse", (*podium, "hydra.launcher.isolation=reuse")),
        "joblib": Way("joblib launcher", ("hydra/launcher=joblib", at_once)),
        "basic": Way("basic launcher, one at a time", ()),
        "batches": Way("podium's launcher in batches", ("hydra/launcher=podium", at_once, batches)),
        "joblib batches": Way("joblib launcher in batches", ("hydra/launcher=joblib", at_once, batches)),
    }


@dataclass(frozen=True)
class Times:
    """When the command began, how long it took, and when each job began and ended."""

    began: float
    wall_s: float
    jobs: Sequence[tuple[float, float]]

    @property
    def first_s(self) -> float:
        """How long after the command the first job began."""
        return min(began for began, _ in self.jobs) - self.began

    def idle(self, n_jobs: int) -> float:
        """Return the share of the slots' time, from the first job's beginning to the last one's end, in which no job ran."""
        busy_s = sum(ended - began for began, ended in self.jobs)
        span_s = max(ended for _, ended in self.jobs) - min(began for began, _ in self.jobs)
        return 1 - busy_s / (n_jobs * span_s)


def sweep(folder: Path, way: Way, overrides: Sequence[str], *, notes: bool = False) -> Times:
    """Run a sweep to its end in a new folder below `folder`; DriverError when it fails."""
    with _started(folder, way, ["-m", *overrides], notes=notes) as (process, place, began):
        _, said = process.communicate(timeout=PATIENCE_S)
        wall_s = time.monotonic() - began
        if process.returncode:
            raise DriverError(
                f"{way.title}: exit code {process.returncode}, {said.decode().strip()[-300:] or 'nothing said'}"
            )
        return Times(began, wall_s, _read(place))


def first_job(folder: Path, way: Way, overrides: Sequence[str]) -> float:
    """How many seconds after the command the first job begins; the command is killed then."""
    with _started(folder, way, overrides, notes=True) as (process, place, began):
        while not (jobs := _read(place)):
            if process.poll() is not None or time.monotonic() - began > PATIENCE_S:
                raise DriverError(f"{way.title}: ended before a job began")
            time.sleep(POLL_S)
        return Times(began, 0.0, jobs).first_s


@contextlib.contextmanager
def _started(
    folder: Path, way: Way, arguments: Sequence[str], *, notes: bool
) -> Iterator[tuple["subprocess.Popen[bytes]", Path, float]]:
    """Start the app in a folder of its own, and see to it that nothing of it is left."""
    place = folder / f"sweep-{time.monotonic_ns()}"
    (place / "notes").mkdir(parents=True)
    noting = [f"notes={place / 'notes'}"] if notes else []
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(APP), *arguments, *way.overrides, *noting],
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    try:
        yield process, place / "notes", began
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _read(notes: Path) -> list[tuple[float, float]]:
    lines = [note.read_text().split() for note in notes.iterdir()]
    return [(float(line[0]), float(line[1])) for line in lines if len(line) == 2]
