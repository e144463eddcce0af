"""The launcher's half of Hydra's contract: a batch of overrides in, one result each out, in order.

A stock sweeper brings its own folders and its own idea of a sweep; here its jobs get processes of
their own and the machine shared out among them, and nothing is ranked.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, setup_globals
from hydra.errors import CompactHydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from sweeps.errors import JobsFailedError
from sweeps.executor.local.child import pack_common
from sweeps.executor.local.executor import LocalExecutor
from sweeps.executor.local.main_script import require_guard
from sweeps.executor.local.results import unpack_result
from sweeps.jobs import Event, Job, Outcome
from sweeps.jobs import JobStatus as OutcomeStatus
from sweeps.plan.compose import Composer, JobConfig
from sweeps.plan.packing import hash_configs, task_config, task_view
from sweeps.settings.reading import launcher_settings

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

    A failed job's result raises `JobsFailedError` when its return value is asked for, as Hydra's own do.
    Raises `SettingsError` for a script that would start its sweep anew in each job. Return values come back as they are when they can be pickled and take less than about 1 MB; else as numbers or
    mappings of numbers, or as None.
    """
    require_guard(task_function)
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    sweep_dir = Path(str(config.hydra.sweep.dir))
    sweep_dir.mkdir(parents=True, exist_ok=True)
    composer = Composer(hydra_context.config_loader, config, ())
    configs = [
        composer.job_config(first_number + index, overrides) for index, overrides in enumerate(job_overrides)
    ]
    jobs = [
        _job(first_number + index, overrides, config)
        for index, (overrides, config) in enumerate(zip(job_overrides, configs, strict=True))
    ]
    settings = launcher_settings(config)
    log.info("Launching %d jobs, %d at once", len(jobs), settings.n_jobs)
    common = pack_common(hydra_context, task_function, sweep_dir.name, wants_results=True)
    executor = LocalExecutor(settings, common)
    outcomes: dict[int, Outcome] = {}
    for outcome in executor.run(jobs, _ignore):
        outcomes[outcome.job] = outcome
        log.info("\t#%d : %s : %s", outcome.job, outcome.status, outcome.error or f"{outcome.wall_s:.1f} s")
    return [
        _result(job, config.whole, outcomes[job.number]) for job, config in zip(jobs, configs, strict=True)
    ]


def _ignore(event: Event) -> None:
    log.debug("job %d: %s", event.job, event.kind)


def _job(number: int, overrides: Sequence[str], config: JobConfig) -> Job:
    log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
    with task_view(config.whole) as task:
        key, digest = hash_configs(task)
    return Job(number, key, digest, tuple(overrides), {}, config.folder, config.packed())


def _result(job: Job, config: DictConfig, outcome: Outcome) -> JobReturn:
    if outcome.result is not None:
        try:
            return unpack_result(outcome.result)
        except Exception as error:  # noqa: BLE001 - a user's class may raise anything, or be unknown in this process
            log.warning(
                "what job %d returned could not be loaded, %s: only its numbers are kept", job.number, error
            )
    result = JobReturn(overrides=list(job.overrides), cfg=task_config(config), working_dir=str(Path.cwd()))
    result.hydra_cfg = OmegaConf.create({"hydra": OmegaConf.to_container(config.hydra)})
    result.task_name = str(config.hydra.job.name)
    if outcome.status is OutcomeStatus.COMPLETED:
        result.status, result.return_value = JobStatus.COMPLETED, outcome.value
    else:
        result.status = JobStatus.FAILED
        result.return_value = _JobFailedError(f"job {outcome.job} {outcome.status}: {outcome.error}")
    return result
