"""What a sweep says when its jobs have ended and were ranked: the errors that a command ends with."""

import math
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

from sweeps.errors import JobsFailedError, ObjectiveError, SweepInterruptedError
from sweeps.jobs import JobState
from sweeps.ranking.leaderboard import Leaderboard
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.state.resume import resume_hint
from tracking import RunRecord
from tracking.values.units import counted


def require_uninterrupted(board: Leaderboard, interrupted: signal.Signals | None, folder: Path) -> None:
    """Raise `SweepInterruptedError` when a signal stopped the sweep."""
    if interrupted is not None:
        done = board.count(JobState.COMPLETED)
        raise SweepInterruptedError(
            f"stopped by {interrupted.name}: {done} of {counted(len(board.rows), 'job')} completed, nothing was promoted; "
            f"go on with: {resume_hint(folder)}",
            128 + interrupted,
        )


def require_ranked(board: Leaderboard, record: Callable[[str], RunRecord | None]) -> None:
    """Raise `ObjectiveError` when jobs completed and none of them has anything to be ranked by."""
    completed = [row for row in board.rows if row.status == JobState.COMPLETED]
    values = [row.objective for row in completed if row.objective is not None]
    if not completed or any(map(math.isfinite, values)):
        return
    label, jobs = board.objective.label, counted(len(completed), "completed job")
    logged = _logged((row.run for row in completed), record)
    if values or label in logged:
        raise ObjectiveError(f"none of {jobs} has a finite {label} to rank by")
    if board.objective.metric is None:
        raise ObjectiveError(
            "no job returned a number to rank by; return one from the task, or name a logged metric in objective.metric"
        )
    names = ", ".join(logged) or "nothing"
    raise ObjectiveError(f"objective.metric={label}: none of {jobs} logged it; logged: {names}")


def require_few_failures(board: Leaderboard, settings: SweeperSettings, folder: Path) -> None:
    """Raise `JobsFailedError` when more jobs failed than are tolerated, or some were never started because of them."""
    failed, cancelled = board.count(JobState.FAILED, JobState.KILLED), board.count(JobState.CANCELLED)
    if settings.tolerates(failed + cancelled, len(board.rows)):
        return
    not_started = f", {cancelled} cancelled" if cancelled else ""
    go_on = f"; go on with: {resume_hint(folder)}" if cancelled else ""
    raise JobsFailedError(
        f"{failed} of {counted(len(board.rows), 'job')} failed{not_started} (max_failures={settings.max_failures:g}){go_on}"
    )


def _logged(runs: Iterable[str | None], record: Callable[[str], RunRecord | None]) -> list[str]:
    records = [record(run) for run in runs if run is not None]
    return sorted({name for each in records if each is not None for name in each.summary})
