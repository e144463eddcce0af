"""A further rank of a job, which a framework has started with the command of its program: that of the whole sweep.

Lightning does so for ``strategy=ddp``. Such a process is to do its part of the job, and not to sweep.
"""

import os
from collections.abc import Sequence
from typing import Any

from hydra.core.utils import run_job
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sweeps.errors import SettingsError
from sweeps.plan.hydra_versions import compose_job
from tracking.process.sweep_context import JobContext, current_job, has_own_command
from tracking.values.secrets import MASK

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK")


def job_of_this_rank() -> JobContext | None:
    """Return the job that this process is a further rank of; None in every other process."""
    is_further = any(os.environ.get(name) not in (None, "", "0") for name in RANKS)
    return current_job() if is_further and has_own_command() else None


def run_rank(
    hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig, job: JobContext
) -> Any:
    """Run the task of a job in this process, with the config of the job; return what it returns, or raise what it raises.

    The overrides of the job stand in the environment, without what looks secret. Raise SettingsError where that is missing.
    """
    overrides: Sequence[str] = job.overrides
    if not overrides or any(MASK in each for each in overrides):
        raise SettingsError(
            f"a further rank of job {job.sweep['job']} does not know the config of the job: its overrides hold a secret, or are "
            "too long for the environment. Let the first rank start the others without a command, such as by strategy=ddp_spawn"
        )
    return run_job(
        hydra_context=hydra_context,
        task_function=task_function,
        config=compose_job(hydra_context.config_loader, config, overrides),
        job_dir_key="hydra.run.dir",
        job_subdir_key=None,
    ).return_value
