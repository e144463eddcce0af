"""Errors of a sweep as a whole.

    SweepError
    |-- SettingsError    a setting, an override or a job's config cannot work; no job was started
    |-- ObjectiveError   no job logged the objective
    |-- JobsFailedError  more jobs failed than the sweep tolerates; the others are ranked
    `-- SweepInterruptedError  a signal stopped the sweep; the completed jobs are ranked

The failure of one job is no exception: it is an `Outcome`.
"""

from typing import Any


class SweepError(Exception):
    """Base of every error a sweep raises; `exit_code` is the exit status of the command that it ends."""

    exit_code = 1


class SettingsError(SweepError, ValueError):
    """A setting, an override or a job's config cannot work. Raised before the first job starts."""


class ObjectiveError(SweepError, LookupError):
    """No completed job logged the objective. The message lists the metrics that were logged."""


class JobsFailedError(SweepError, RuntimeError):
    """More jobs failed than ``max_failures`` tolerates. Raised after the others are ranked, as in `leaderboard`."""

    leaderboard: Any = None


class SweepInterruptedError(SweepError, RuntimeError):
    """A signal stopped the sweep. Raised after the completed jobs are ranked.

    `exit_code` is 128 plus the number of the signal, as a shell reports it.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
