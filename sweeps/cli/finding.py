"""From what a user types to a job's number."""

from pathlib import Path

from sweeps.errors import SweepError
from sweeps.state.ledger import SweepHistory


def find_job(folder: Path, history: SweepHistory, job: str) -> int:
    """The number of a job named by its number or by a run it opened; raises `SweepError` when there is none."""
    numbers = set(history.jobs)
    if job.isdecimal() and int(job) in numbers:
        return int(job)
    by_run = {run: number for number, known in history.jobs.items() for run in known.runs}
    if job in by_run:
        return by_run[job]
    raise SweepError(
        f"{job}: no such job in {folder.name}; it has the jobs 0 to {max(numbers)}"
        + (f", and runs such as {next(iter(by_run))}" if by_run else "")
    )
