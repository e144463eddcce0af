"""How a sweep and its jobs stand, from the files of the sweep alone: what runs, what waits, what was cut off."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sweeps.jobs import Outcome, Reason
from sweeps.plan.plan import Plan
from sweeps.ranking.aggregate import rank
from sweeps.ranking.leaderboard import Leaderboard, Row
from sweeps.state.ledger import read_outcomes, under_way
from sweeps.state.lock import parent_of


class SweepState(StrEnum):
    """Whether anything more comes of a sweep."""

    RUNNING = "running"  # its parent lives
    FINISHED = "finished"  # each job came to an end of its own
    INTERRUPTED = "interrupted"  # it was stopped, or its parent died; it can be resumed


class JobState(StrEnum):
    """How a job stands."""

    COMPLETED = "completed"
    FAILED = "failed"
    KILLED = "killed"
    CANCELLED = "cancelled"
    RUNNING = "running"
    QUEUED = "queued"  # it waits for a slot
    UNFINISHED = "unfinished"  # the sweep ended before it did


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
    plan = Plan.read(folder / "plan.json")
    is_running = parent_of(folder) is not None
    board = rank(folder)
    rows = {row.job: row for row in board.rows}
    ledger = folder / "jobs.jsonl"
    outcomes, begun = read_outcomes(ledger), under_way(ledger)
    jobs = []
    for job in sorted(plan.jobs, key=lambda each: int(each["job"])):
        number = job["job"]
        state = _state(rows[number], begun=number in begun, is_running=is_running)
        jobs.append(JobStanding(state, rows[number], outcomes.get(number), tuple(job.get("overrides", ()))))
    return Standing(folder, plan, state_of(plan, outcomes, is_running=is_running), board, tuple(jobs))


def state_of(plan: Plan, outcomes: Mapping[int, Outcome], *, is_running: bool) -> SweepState:
    """Tell the state of a sweep from the outcomes in its ledger and whether its parent lives."""
    if is_running:
        return SweepState.RUNNING
    ended = {number for number, each in outcomes.items() if each.reason is not Reason.STOPPED}
    return SweepState.FINISHED if len(ended) >= len(plan.jobs) else SweepState.INTERRUPTED


def _state(row: Row, *, begun: bool, is_running: bool) -> JobState:
    if is_running and begun:
        return JobState.RUNNING
    if row.status in {"completed", "failed", "killed", "cancelled"}:
        return JobState(row.status)
    return JobState.QUEUED if is_running else JobState.UNFINISHED
