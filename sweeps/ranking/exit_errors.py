"""The errors that a sweep ends with: once its jobs are ranked, or when a signal stops it before or after that."""

import contextlib
import math
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

from sweeps.errors import JobsFailedError, ObjectiveError, SweepError, SweepInterruptedError
from sweeps.jobs import STOPPED, JobState
from sweeps.ranking.leaderboard import RANKED, Leaderboard, Row
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.state.resume import resume_hint
from sweeps.stop_signals import Stopped, stoppable
from tracking.process.program import command
from tracking.values.units import counted


@contextlib.contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Raise `SweepInterruptedError` that says how to resume when a signal comes in the block while no jobs run."""
    try:
        with stoppable():
            yield
    except Stopped as stopped:
        is_kept = (folder / "plan.json").exists()
        how = f"resume with: {resume_hint(folder)}" if is_kept else "no job was started and nothing is kept"
        raise SweepInterruptedError(
            f"stopped by {stopped.number.name}; {how}", 128 + stopped.number
        ) from None


@contextlib.contextmanager
def telling_how_to_resume(folder: Path) -> Iterator[None]:
    """Add the command that resumes the sweep to a `SweepError` that ends it before its jobs; other classes say what to do."""
    try:
        yield
    except SweepError as error:
        if type(error) is not SweepError:
            raise
        raise SweepError(f"{error}; resume with: {resume_hint(folder)}") from error


@contextlib.contextmanager
def reporting(folder: Path) -> Iterator[None]:
    """Raise `SweepInterruptedError` that says how to write the report when a signal comes in the block; the sweep is complete."""
    try:
        yield
    except Stopped as stopped:
        how = f"this writes it: {command(f'report {folder.name}', 'sweeps')}"
        raise SweepInterruptedError(
            f"stopped by {stopped.number.name} while the report was written, the sweep is complete; {how}",
            128 + stopped.number,
        ) from None


def require_uninterrupted(board: Leaderboard, interrupted: signal.Signals | None, folder: Path) -> None:
    """Raise `SweepInterruptedError` when a signal stopped the sweep."""
    if interrupted is not None:
        done = board.count(JobState.COMPLETED)
        raise SweepInterruptedError(
            f"stopped by {interrupted.name}: {done} of {counted(len(board.rows), 'job')} completed, nothing was promoted; "
            f"resume with: {resume_hint(folder)}",
            128 + interrupted,
        )


def require_ranked(board: Leaderboard, *, promotes: bool) -> str | None:
    """Raise `ObjectiveError` when jobs completed and none of them has a finite objective, which was asked for.

    It is asked for by a named metric, by a job that returned a number, and by a promotion. Otherwise return a note that
    there is nothing to rank.
    """
    completed = [row for row in board.rows if row.status in RANKED]
    values = [row.objective for row in completed if row.objective is not None]
    if not completed:  # the failures are the error to show
        return None
    if any(map(math.isfinite, values)):
        return _require_others(board, completed)
    label, jobs = board.objective.label, counted(len(completed), "completed job")
    if values or label in board.logged:
        raise ObjectiveError(f"none of {jobs} has a finite {label} to rank by")
    logged, returned = sorted(board.logged), sorted(board.returned - board.logged)
    if board.objective.metric is None:
        advice = _advice(board)
        if promotes:
            raise ObjectiveError(f"no job returned a number to choose the winner by; {advice}")
        return f"nothing to rank: no job returned a number; {advice}"
    also = f"; returned: {', '.join(returned)}" if returned else ""
    raise ObjectiveError(
        f"objective.metric={label}: none of {jobs} logged it; logged: {', '.join(logged) or 'nothing'}{also}"
    )


def _require_others(board: Leaderboard, completed: Sequence[Row]) -> str | None:
    """Raise `ObjectiveError` for a further objective that no job has; return a note if every job breaks a constraint."""
    jobs = counted(len(completed), "completed job")
    for each in board.others:
        known = [value for row in completed if (value := row.others.get(each.label)) is not None]
        if not any(map(math.isfinite, known)):
            logged = ", ".join(sorted(board.logged)) or "nothing"
            raise ObjectiveError(
                f"objective.metric={each.label}: none of {jobs} has a finite one; logged: {logged}"
            )
    if any(row.is_feasible for row in completed):
        return None
    return f"nothing to rank: none of {jobs} keeps {' and '.join(board.constraints)}"


def empty_columns(board: Leaderboard) -> str | None:
    """Return a note on the metrics of the report that no job has logged; None without any, and where no job completed."""
    completed = [row for row in board.rows if row.status in RANKED]
    bounded = {each.partition(" ")[0] for each in board.constraints}  # whose rows say it
    missing = [
        name
        for name in board.report
        if name not in bounded and not any(name in row.metrics for row in board.rows)
    ]
    if not (completed and missing):
        return None
    logged = ", ".join(sorted(board.logged)) or "nothing"
    return f"report=[{', '.join(missing)}]: none of {counted(len(completed), 'completed job')} logged it; logged: {logged}"


def _advice(board: Leaderboard) -> str:
    """Return how to rank jobs of which none returned a number."""
    returned, logged = sorted(board.returned), sorted(board.logged)
    if returned:
        advice = (
            f"the task returned {counted(len(returned), 'named value')} ({', '.join(returned)}); to rank by "
            f"{returned[0]}: {command(f'resume {board.sweep} hydra.sweeper.objective.metric={returned[0]}', 'sweeps')}"
        )
    else:
        advice = "return one from the task, or name a logged metric in objective.metric"
    return advice + (f"; logged: {', '.join(logged)}" if logged else "")


def require_few_failures(board: Leaderboard, settings: SweeperSettings, folder: Path) -> None:
    """Raise `JobsFailedError` when more jobs failed, or never started because of them, than ``max_failures`` allows.

    Jobs that the space has no more count if they have ended.
    """
    rows = [row for row in board.rows if row.job not in board.left]
    ended = [row for row in rows if row.status in {JobState.FAILED, JobState.KILLED}]
    stopped = sum(row.status is JobState.KILLED and row.error == STOPPED for row in ended)
    failed = len(ended) - stopped
    cancelled = sum(row.status is JobState.CANCELLED for row in rows)
    if settings.tolerates(failed + stopped + cancelled, len(rows)):
        return
    jobs = counted(len(rows), "job")
    failures = jobs if failed == len(rows) else f"{failed} of {jobs}"
    others = {"stopped": stopped, "cancelled": cancelled}
    not_done = "".join(f", {count} {how}" for how, count in others.items() if count)
    hint = f"; resume with: {resume_hint(folder)}" if not_done else ""
    error = JobsFailedError(f"{failures} failed{not_done} (max_failures={settings.max_failures:g}){hint}")
    error.leaderboard = board
    raise error
