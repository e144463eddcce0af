"""``hydra.launcher``: how jobs share the machine."""

from dataclasses import dataclass
from enum import StrEnum

from sweeps.jobs import Outcome, Reason


class Isolation(StrEnum):
    """How many jobs a child process may run, one after the other: one, or as many as end well."""

    PROCESS = "process"
    REUSE = "reuse"


# What another attempt may mend. An error would come again, and so would a lack of time or memory.
RETRIED = frozenset({Reason.SIGNAL, Reason.EXIT, Reason.LOST})


@dataclass(frozen=True)
class LauncherSettings:
    """``hydra.launcher.*``: how jobs share the machine."""

    n_jobs: int
    threads: int
    preload: tuple[str, ...]
    grace_s: float
    timeout_s: float | None = None
    memory_limit_bytes: int | None = None
    retries: int = 0
    retry_on: frozenset[Reason] = RETRIED
    gpus: tuple[str, ...] = ()
    jobs_per_gpu: int = 1
    isolation: Isolation = Isolation.PROCESS

    def retries_after(self, outcome: Outcome, attempts: int) -> bool:
        """Whether a job that ended like this after so many attempts is tried again."""
        return attempts <= self.retries and outcome.reason in self.retry_on
