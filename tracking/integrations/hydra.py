"""A Hydra callback that makes every job of an app a tracked run, without a line in the app.

``override hydra/callbacks: podium`` selects it, for single runs, for sweeps, and with any launcher that runs jobs in
Python. Hydra turns errors of a callback into warnings. So an error before the job is raised as SystemExit, which Hydra
lets pass, and an error after the job makes its result that of a failed job. Only Hydra imports this module.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from tracking.errors import InvalidValueError
from tracking.run import Run, active_run
from tracking.tracker import ExperimentTracker
from tracking.values.checks import metric_value
from tracking.values.configs import parameters_of
from tracking.values.names import check_path
from tracking.values.plain import flat
from tracking.values.returned import OBJECTIVE, named

STORE = "experiments"


class TrackingCallback(Callback):
    """Opens a run when a job starts, and finishes it with what the job returned or raised.

    The run's parameters are the job's config, nested keys joined by dots, without what Hydra derives for each job (its
    output folder and number, the time of ``${now:}``); config.yaml keeps that too. `store` defaults to that of the sweep
    (``hydra.sweeper.store``), else to ``experiments``, below the folder the app was started in; `experiment`
    defaults to Hydra's name of the job. In the task, `tracking.active_run()` is the run. A returned number becomes
    the metric ``objective``; the numbers of a returned mapping or tuple become metrics under the names that
    `tracking.values.returned` gives them. A further rank of a distributed training logs into the run of the process that
    started it, and opens none of its own.
    """

    def __init__(self, store: str | None = None, experiment: str | None = None) -> None:
        self._store = store
        self._experiment = experiment
        self._run: Run | None = None
        self._pid = 0

    def on_job_start(self, config: DictConfig, **_kwargs: Any) -> None:
        """Open the job's run; raise SystemExit if that fails, so that the job does not start."""
        self._finish_left()  # an earlier job in this process may have called sys.exit
        if _is_further_rank() and active_run() is not None:
            return
        try:
            self._run = self._start(config)
        except Exception as error:  # Hydra would only warn
            raise SystemExit(
                f"podium: the job was not started, because it cannot be tracked: {error}"
            ) from error
        self._pid = os.getpid()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_kwargs: Any) -> None:  # noqa: ARG002 - Hydra's signature
        """Finish the job's run; if that fails, make the job a failed one, which Hydra reports."""
        run, self._run = self._run, None
        if run is None:
            return
        try:
            _finish(run, job_return)
        except Exception as error:  # noqa: BLE001 - Hydra would only warn
            sys.stderr.write(f"podium: {run.run_id} could not be finished: {error}\n")
            job_return.status, job_return.return_value = JobStatus.FAILED, error

    def _start(self, config: DictConfig) -> Run:
        task = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        written: Any = OmegaConf.to_container(task, enum_to_str=True)  # interpolations are kept
        section = OmegaConf.select(config, "hydra.sweeper.settings_from")
        store = self._store or (section and OmegaConf.select(config, f"{section}.store"))
        store = store or OmegaConf.select(config, "hydra.sweeper.store") or STORE
        return ExperimentTracker(
            Path(config.hydra.runtime.cwd, check_path("store", store, example=STORE))
        ).start_run(
            self._experiment or config.hydra.job.name,
            params=flat(parameters_of(task)),
            config=written,
            overrides=list(config.hydra.overrides.task),
        )

    def _finish_left(self) -> None:
        """Finish the run of a job that did not return, in a process that goes on; the end of a process ends it too."""
        run, self._run = self._run, None
        if run is not None and self._pid == os.getpid():
            run.finish("killed", error="the job ended before the task returned: sys.exit or Ctrl-C")


def _is_further_rank() -> bool:
    """Return whether a launcher of ranks started this process, and not as the first."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) != "0"


def _finish(run: Run, job_return: JobReturn) -> None:
    if job_return.status is JobStatus.COMPLETED:
        with run:
            if not run.is_pruned:  # or it may go on, and this is not its last value
                run.log(_numbers(job_return.return_value))
            run.finish()
    else:
        error = job_return._return_value  # the property return_value raises it
        run.__exit__(type(error), error, error.__traceback__)


def _numbers(returned: Any) -> dict[str, float]:
    values = named(returned)
    numbers = {}
    for name, value in ({OBJECTIVE: returned} if values is None else values).items():
        with suppress(InvalidValueError):
            numbers[name] = metric_value(name, value)
    return numbers
