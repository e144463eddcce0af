"""Why jobs failed: their errors, and the last lines of what they printed, with secrets masked."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sweeps.display.screen import lines_of
from sweeps.jobs import JobState
from sweeps.paths import job_folder
from sweeps.ranking.leaderboard import Row
from sweeps.state.ledger import SweepHistory
from tracking import TrackingError
from tracking.files import refuse_link
from tracking.values.secrets import masked, masked_text

FAILED = frozenset({JobState.FAILED, JobState.KILLED})
MOST_LINES = 15
WIDEST = 400  # characters of a line
MOST_LOGS = 50  # that are read; further failures have their errors alone


def failures(folder: Path, rows: Iterable[Row], history: SweepHistory) -> list[dict[str, Any]]:
    """Return the jobs that failed or were killed, by number, with the last lines of the logs of the first 50."""
    failed = sorted((row for row in rows if row.status in FAILED), key=lambda row: row.job)
    return [
        {
            "job": row.job,
            "run": row.run,
            "status": str(row.status),
            "error": None if row.error is None else masked_text(row.error),
            "lines": _lines(folder, row.job, history) if index < MOST_LOGS else [],
            "point": masked(dict(row.point)),
        }
        for index, row in enumerate(failed)
    ]


def log_tail(folder: Path, job: int, most: int = MOST_LINES) -> list[str]:
    """Return the last lines that a job printed, as a terminal shows them; none if it has no log that can be read."""
    log = job_folder(folder, job) / "output.log"
    try:
        refuse_link(log.parent.parent, log.parent)
        return _shown(lines_of(log, most))
    except (OSError, TrackingError):
        return []


def _lines(folder: Path, job: int, history: SweepHistory) -> list[str]:
    """Return the last lines of a log, of a job without one those of its traceback."""
    lines = log_tail(folder, job)
    outcome = history.outcomes.get(job)
    if not any(lines) and outcome is not None and isinstance(outcome.traceback, str):
        return _shown(outcome.traceback.rstrip().splitlines()[-MOST_LINES:])
    return lines


def _shown(lines: Iterable[str]) -> list[str]:
    return [
        masked_text(line[: 4 * WIDEST])[:WIDEST] for line in lines
    ]  # a secret at the end would lose its own
