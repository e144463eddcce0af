"""The errors of a sweep as an error of Hydra's, which Hydra prints without a stack."""

from hydra.errors import CompactHydraException


class PodiumError(CompactHydraException):
    """The error that ended a sweep or a batch; `exit_code` is the exit status for the process."""

    exit_code = 1

    @classmethod
    def of(cls, error: Exception) -> "PodiumError":
        """Return the same error with its message, exit code and stack; control characters in it are escaped."""
        from tracking.cli.toolkit.output import safe  # not where a module of the user's may hide ours

        same = cls(safe(str(error)))
        same.exit_code = getattr(error, "exit_code", 1)
        return same.with_traceback(error.__traceback__)
