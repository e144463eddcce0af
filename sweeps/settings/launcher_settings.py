"""The settings of ``hydra.launcher`` as frozen values: how jobs share the machine."""

from dataclasses import dataclass
from enum import StrEnum

from sweeps.jobs import Outcome, Reason
from sweeps.settings.dask_settings import DaskSettings
from sweeps.settings.ray_settings import RaySettings


class Isolation(StrEnum):
    """Whether a child process runs one job, or several in turn until one ends badly."""

    PROCESS = "process"
    REUSE = "reuse"


class Fusion(StrEnum):
    """Whether jobs of one group share a process, in which they may compute together."""

    EXACT = "exact"
    OFF = "off"


# The reasons that another attempt may not meet again. An error, a timeout or a lack of memory would recur.
RETRIED = frozenset({Reason.SIGNAL, Reason.EXIT, Reason.LOST})


@dataclass(frozen=True)
class LauncherSettings:
    """The settings of ``hydra.launcher``."""

    n_jobs: int  # jobs at once; on each node of a cluster
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
    sets_threads: bool = (
        False  # whether `threads` is the user's choice, which replaces limits in the environment
    )
    fusion: Fusion = Fusion.EXACT
    fusion_size: int = 16
    # what starts nodes that run the jobs; None for this machine alone
    engine: DaskSettings | RaySettings | None = None
    many: str | None = None  # the dotted name of a function that does the task for several configs at once

    @property
    def slots(self) -> int:
        """How many jobs run at once, as far as that is known before nodes have started."""
        return self.n_jobs * ((self.engine.scale if self.engine else None) or 1)

    @property
    def together(self) -> int:
        """The most jobs of a group that run in one process at once."""
        return self.fusion_size if self.fusion is Fusion.EXACT else 1

    def retries_after(self, outcome: Outcome, attempts: int) -> bool:
        """Return whether a job that ended with `outcome` after so many attempts is retried."""
        return attempts <= self.retries and outcome.reason in self.retry_on
