"""Errors of a sweep as a whole.

    SweepError
    |-- SettingsError    a setting, an override or a job's config that cannot work; nothing was started
    |-- ObjectiveError   no job logged what the sweep was to be ranked by
    |-- JobsFailedError  more jobs failed than the sweep tolerates; the others are ranked
    `-- SweepInterruptedError  stopped by a signal; what had finished is ranked

The failure of one job is no exception here: it travels as data, in an `Outcome`.
"""


class SweepError(Exception):
    """Base of every error a sweep raises; `exit_code` is the exit status of the command that it ends."""

    exit_code = 1


class SettingsError(SweepError, ValueError):
    """A setting, an override or a job's config is impossible; raised before the first job starts."""


class ObjectiveError(SweepError, LookupError):
    """No completed job logged the objective; the message lists what was logged instead."""


class JobsFailedError(SweepError, RuntimeError):
    """More jobs failed than ``max_failures`` tolerates; raised after the rest was ranked."""


class SweepInterruptedError(SweepError, RuntimeError):
    """The sweep was stopped by a signal; raised after what had finished was ranked.

    `exit_code` is what a shell reports for a command ended by that signal: 128 plus its number.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
