"""The status of a sweep and of its jobs, from the files of the sweep alone."""

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from sweeps.jobs import JobState, Reason
from sweeps.plan.plan import Plan
from sweeps.ranking.aggregate import rank_jobs
from sweeps.ranking.leaderboard import Leaderboard, Row
from sweeps.state.job_runs import JobRuns
from sweeps.state.ledger import JobHistory, SweepHistory, read_sweep
from sweeps.state.lock import parent_of


class SweepState(StrEnum):
    """Whether a sweep runs, has ended, or can be resumed."""

    RUNNING = "running"  # a process runs it
    FINISHED = "finished"  # every job has an outcome of its own, and no search has more to decide
    INTERRUPTED = "interrupted"  # it was stopped, or its process died; it can be resumed


@dataclass(frozen=True)
class SweepStatus:
    """A sweep with its state, its leaderboard, and its jobs by number, each with its present state as its status."""

    folder: Path
    plan: Plan
    state: SweepState
    board: Leaderboard
    jobs: tuple[Row, ...]
    history: SweepHistory

    @property
    def was_killed(self) -> bool:
        """Whether its process died without recording an end. Its time ends when its runs were last heard of."""
        is_open = self.state is SweepState.INTERRUPTED
        return is_open and bool(self.history.sessions) and not self.history.has_ended

    @property
    def counts(self) -> dict[str, int]:
        """The number of jobs in each state that occurs."""
        found = Counter(job.status for job in self.jobs)
        return {str(state): found[state] for state in JobState if found[state]}


def sweep_status(
    folder: Path, kind: type[JobRuns] = JobRuns, *, is_running: bool | None = None
) -> SweepStatus:
    """Return the status of the sweep in `folder`; raises as `rank` does and costs the same.

    A `kind` of runs may remember them. `is_running` tells whether a process runs it, where that is known better than by its
    lock: a sweep that tells of its own end still holds it.
    """
    is_running = parent_of(folder) is not None if is_running is None else is_running
    plan, history = read_sweep(folder)
    board = rank_jobs(plan, history, folder.parent.parent, kind)
    rows = sorted(board.rows, key=lambda row: row.job)
    jobs = tuple(_present(row, history.jobs[row.job]) if is_running else row for row in rows)
    return SweepStatus(folder, plan, state_of(plan, history, is_running=is_running), board, jobs, history)


def _present(row: Row, known: JobHistory) -> Row:
    """Return the row of a job of a running sweep. One that runs or waits has not failed, whatever it did before."""
    if known.runs_again or (row.status is JobState.UNFINISHED and not known.is_open):
        return replace(row, status=JobState.QUEUED, error=None, note=None, duration_s=None)
    if known.is_open:  # it runs again if it has an outcome
        return replace(row, status=JobState.RUNNING, error=None, note=None)
    return row


def state_of(plan: Plan, history: SweepHistory, *, is_running: bool) -> SweepState:
    """Return the state of a sweep; `is_running` tells whether a process runs it."""
    if is_running:
        return SweepState.RUNNING
    if plan.search is not None and not history.is_over:
        return SweepState.INTERRUPTED
    wanted = history.jobs.keys() - set(plan.left)
    ended = {number for number, each in history.outcomes.items() if each.reason is not Reason.STOPPED}
    return SweepState.FINISHED if wanted <= ended else SweepState.INTERRUPTED
