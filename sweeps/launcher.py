"""Hydra's launcher contract: takes a batch of overrides and returns one result for each, in order.

Used under a stock sweeper, which has its own folders and objective. Each job gets its own process and its share of the
machine; nothing is ranked.
"""

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, setup_globals
from hydra.errors import CompactHydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from sweeps.errors import JobsFailedError
from sweeps.executor.engines.choosing import chosen_executor
from sweeps.executor.failure_text import summary
from sweeps.executor.local.main_script import sweep_starts
from sweeps.executor.local.program import Common
from sweeps.executor.local.results import unpack_result
from sweeps.jobs import JobStatus as OutcomeStatus
from sweeps.jobs import Outcome
from sweeps.plan.compose import Composer, JobConfig
from sweeps.plan.grouping import grouping
from sweeps.plan.packing import task_config
from sweeps.settings.reading import launcher_settings
from tracking.values.secrets import masked_command

log = logging.getLogger(__name__)


class _JobFailedError(JobsFailedError, CompactHydraException):
    """The failure of a job, which Hydra prints without a stack."""


def launch(
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first_number: int,
) -> Sequence[JobReturn]:
    """Run one batch, each job in a process of its own, and return results in the order of the batch.

    The result of a failed job raises when its return value is read, as Hydra's own do: what the job raised, on Hydra 1.4,
    which shows it with the traceback of the job; otherwise, and of a job that was killed, `JobsFailedError`. A return value
    of up to about 1 MB that can be pickled comes back unchanged; of any other, only a number or a mapping of numbers,
    or None. A job whose config or folder cannot be made fails alone. Raises `SettingsError` in a job, when its script
    starts a sweep while it is imported.
    """
    sweep_starts(anew=first_number == 0)
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    sweep_dir = Path(str(config.hydra.sweep.dir))
    sweep_dir.mkdir(parents=True, exist_ok=True)
    composer, settings = Composer(hydra_context.config_loader, config, ()), launcher_settings(config)
    group_of = grouping(None, settings)
    jobs, configs, outcomes = [], dict[int, JobConfig](), dict[int, Outcome]()
    for number, overrides in enumerate(job_overrides, start=first_number):
        log.info("\t#%d : %s", number, " ".join(masked_command(filter_overrides(overrides))))
        try:
            configs[number] = composer.job_config(number, overrides)
            jobs.append(replace(configs[number].job({}), group=group_of(configs[number].whole)))
        except Exception as error:  # noqa: BLE001 - a resolver or a value of the user's may raise anything
            outcomes[number] = Outcome(number, OutcomeStatus.FAILED, 0.0, error=summary(error))
            log.info("\t#%d : failed : %s", number, outcomes[number].error)
    log.info("Launching %d jobs, %d at once", len(jobs), settings.n_jobs)
    common = Common(hydra_context, task_function, sweep_dir.name, wants_results=True, many=settings.many)
    with contextlib.ExitStack() as closing:
        executor = chosen_executor(settings, common, sweep_dir, closing)
        for outcome in executor.run(jobs, lambda event: log.debug("job %d: %s", event.job, event.kind)):
            outcomes[outcome.job] = outcome
            how = outcome.error or f"{outcome.wall_s:.1f} s"
            log.info("\t#%d : %s : %s", outcome.job, outcome.status, how)
    return [
        _result(overrides, configs.get(number), outcomes[number])
        for number, overrides in enumerate(job_overrides, start=first_number)
    ]


def _result(overrides: Sequence[str], config: JobConfig | None, outcome: Outcome) -> JobReturn:
    if outcome.result is not None:
        try:
            return unpack_result(outcome.result)
        except Exception as error:  # noqa: BLE001 - a user's class may raise anything, or be unknown in this process
            log.warning("job %d: cannot load its return value, keeping only numbers: %s", outcome.job, error)
    result = JobReturn(overrides=list(overrides), working_dir=str(Path.cwd()))
    if config is not None:
        result.cfg = task_config(config.whole)
        result.hydra_cfg = OmegaConf.create({"hydra": OmegaConf.to_container(config.whole.hydra)})
        result.task_name = str(config.whole.hydra.job.name)
    if outcome.status is OutcomeStatus.COMPLETED:
        result.status, result.return_value = JobStatus.COMPLETED, outcome.value
    else:
        result.status = JobStatus.FAILED
        result.return_value = _JobFailedError(f"job {outcome.job} {outcome.status}: {outcome.error}")
    return result
