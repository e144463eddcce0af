"""From what a user types to a job's number."""

from pathlib import Path

from sweeps.errors import SweepError
from sweeps.plan.plan import Plan
from sweeps.state.ledger import read_outcomes, read_runs


def find_job(folder: Path, plan: Plan, job: str) -> int:
    """The number of a job named by its number or by a run it opened; raises `SweepError` when there is none."""
    numbers = {each["job"] for each in plan.jobs}
    if job.isdecimal() and int(job) in numbers:
        return int(job)
    ledger = folder / "jobs.jsonl"
    by_run = {run: number for number, run in read_runs(ledger).items()}
    by_run |= {run: outcome.job for outcome in read_outcomes(ledger).values() for run in outcome.runs}
    if job in by_run:
        return by_run[job]
    raise SweepError(
        f"{job}: no such job in {folder.name}; it has the jobs 0 to {max(numbers)}"
        + (f", and runs such as {next(iter(by_run))}" if by_run else "")
    )
