"""How a sweep and its jobs stand, from the files of the sweep alone: what runs, what waits, what was cut off."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sweeps.jobs import JobState, Outcome, Reason
from sweeps.plan.plan import Plan
from sweeps.ranking.aggregate import rank_jobs
from sweeps.ranking.leaderboard import Leaderboard, Row
from sweeps.state.ledger import SweepHistory, read_sweep
from sweeps.state.lock import parent_of
from tracking import ExperimentTracker


class SweepState(StrEnum):
    """Whether anything more comes of a sweep."""

    RUNNING = "running"  # its parent lives
    FINISHED = "finished"  # each job came to an end of its own
    INTERRUPTED = "interrupted"  # it was stopped, or its parent died; it can be resumed


@dataclass(frozen=True)
class JobStanding:
    """A job as it stands: its row of the leaderboard, and what the ledger knows beyond that."""

    state: JobState
    row: Row
    outcome: Outcome | None
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """A sweep as it stands; `jobs` are in the order of their numbers."""

    folder: Path
    plan: Plan
    state: SweepState
    board: Leaderboard
    jobs: tuple[JobStanding, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs are in each state that occurs."""
        found = Counter(job.state for job in self.jobs)
        return {str(state): found[state] for state in JobState if found[state]}


def standing(folder: Path) -> Standing:
    """Read how the sweep in `folder` stands; raises as `rank` does. Costs what ranking it costs."""
    is_running = parent_of(folder) is not None
    plan, history = read_sweep(folder)
    board = rank_jobs(plan, history, ExperimentTracker(folder.parent.parent))
    rows = {row.job: row for row in board.rows}
    jobs = []
    for job in history.planned:
        number, job_history = job.number, history.jobs[job.number]
        state = _state(rows[number], is_open=job_history.is_open, is_running=is_running)
        jobs.append(JobStanding(state, rows[number], job_history.outcome, job.overrides))
    return Standing(folder, plan, state_of(plan, history, is_running=is_running), board, tuple(jobs))


def state_of(plan: Plan, history: SweepHistory, *, is_running: bool) -> SweepState:
    """Return the state of a sweep from its ledger and whether a process runs it."""
    if is_running:
        return SweepState.RUNNING
    ended = {number for number, each in history.outcomes.items() if each.reason is not Reason.STOPPED}
    return SweepState.FINISHED if len(ended) >= (plan.total or len(history.jobs)) else SweepState.INTERRUPTED


def _state(row: Row, *, is_open: bool, is_running: bool) -> JobState:
    if not is_running:
        return row.status
    if is_open:
        return JobState.RUNNING
    return JobState.QUEUED if row.status is JobState.UNFINISHED else row.status
