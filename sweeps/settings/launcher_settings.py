"""``hydra.launcher``: how jobs share the machine."""

from dataclasses import dataclass
from enum import StrEnum

from omegaconf import DictConfig, OmegaConf

from sweeps.errors import SettingsError
from sweeps.jobs import Outcome, Reason
from sweeps.settings.gpus import gpu_names
from sweeps.settings.reading import choice, count, quantity, section
from tracking.values.units import parse_duration, parse_size


class Isolation(StrEnum):
    """How many jobs a child process may run, one after the other: one, or as many as end well."""

    PROCESS = "process"
    REUSE = "reuse"


BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


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


def is_our_launcher(config: DictConfig) -> bool:
    """Whether ``hydra.launcher`` is podium's, which runs jobs one by one, or a stock one, which takes batches."""
    return launcher_target(config).startswith("hydra_plugins.podium.")


def launcher_target(config: DictConfig) -> str:
    """Return the ``_target_`` of ``hydra.launcher``."""
    return str(OmegaConf.select(config, "hydra.launcher._target_"))


def launcher_settings(config: DictConfig) -> LauncherSettings:
    """Read ``hydra.launcher``; null means the cores for `n_jobs` and an equal share for `threads`.

    The settings of a launcher that is not ours are its own business: all that is read is how many jobs it may
    run at once.
    """
    import joblib

    raw = section(config, "hydra.launcher")
    cores = joblib.cpu_count()
    if not is_our_launcher(config):
        at_once = 1 if launcher_target(config) == BASIC_LAUNCHER else raw.get("n_jobs")
        return LauncherSettings(at_once if isinstance(at_once, int) and at_once > 0 else cores, 1, (), 0.0)
    per_gpu = count("jobs_per_gpu", raw["jobs_per_gpu"], least=1)
    gpus = gpu_names(raw["gpus"], per_gpu)
    places = len(gpus) * per_gpu
    n_jobs = (places or cores) if raw["n_jobs"] is None else raw["n_jobs"]
    if n_jobs < 1:
        raise SettingsError(
            f"n_jobs={n_jobs}: allowed are 1, 2, ... or null for one job per core ({cores} here)"
        )
    if gpus and n_jobs > places:
        raise SettingsError(
            f"n_jobs={n_jobs}: {len(gpus)} GPUs with jobs_per_gpu={per_gpu} have room for {places} jobs"
        )
    threads = max(1, cores // n_jobs) if raw["threads"] is None else raw["threads"]
    if threads < 1:
        raise SettingsError(
            f"threads={threads}: allowed are 1, 2, ... or null for an equal share of the cores"
        )
    if raw["grace_s"] < 0:
        raise SettingsError(f"grace_s={raw['grace_s']}: allowed are seconds, 0 or more")
    return LauncherSettings(
        n_jobs,
        threads,
        tuple(raw["preload"]),
        raw["grace_s"],
        timeout_s=quantity("timeout", raw["timeout"], parse_duration),
        memory_limit_bytes=quantity("memory_limit", raw["memory_limit"], parse_size),
        retries=count("retries", raw["retries"], least=0),
        retry_on=frozenset(choice("retry_on", name, Reason) for name in raw["retry_on"]),
        gpus=gpus,
        jobs_per_gpu=per_gpu,
        isolation=choice("isolation", raw["isolation"], Isolation),
    )
