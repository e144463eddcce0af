"""A Hydra callback that makes every job of an app a tracked run, without a line in the app.

Chosen with ``override hydra/callbacks: podium``; works alone, in sweeps, and with any launcher that runs
a job in a process of Python. Hydra turns what a callback raises into a warning and goes on, so a fault of
the tracking takes Hydra's other roads: before the job, SystemExit, which Hydra lets pass; after it, the
job's own result, which becomes that of a failed job. Imported by Hydra alone: nothing else here knows Hydra.
"""

import atexit
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from tracking.errors import InvalidValueError
from tracking.run import Run
from tracking.tracker import ExperimentTracker
from tracking.values.checks import metric_value
from tracking.values.plain import flat, plain

STORE = "experiments"
OBJECTIVE = "objective"  # the metric that a task's returned number becomes


class TrackingCallback(Callback):
    """Opens a run when a job starts, and finishes it with what the job returned or raised.

    The run's parameters are the job's config, nested keys joined by dots. `store` defaults to the sweep's own
    (``hydra.sweeper.store``), else to ``experiments``, below the folder the app was started in; `experiment`
    defaults to Hydra's name of the job. In the task, `tracking.active_run()` is the run. A returned number becomes
    the metric ``objective``, a returned mapping's numbers metrics of their own names.
    """

    def __init__(self, store: str | None = None, experiment: str | None = None) -> None:
        self._store = store
        self._experiment = experiment
        self._run: Run | None = None
        self._pid = 0

    def on_job_start(self, config: DictConfig, **_kwargs: Any) -> None:
        """Open the job's run; a job that could not be tracked does not start: SystemExit says why."""
        self._finish_left()  # of a job in this process that left by sys.exit
        try:
            self._run = self._start(config)
        except Exception as error:  # Hydra would make a warning of it
            raise SystemExit(
                f"podium: the job was not started, because it cannot be tracked: {error}"
            ) from error
        self._pid = os.getpid()
        atexit.register(self._finish_left)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_kwargs: Any) -> None:  # noqa: ARG002 - Hydra's signature
        """Finish the job's run; when that fails, the job has failed, and Hydra reports it as such."""
        run, self._run = self._run, None
        if run is None:
            return
        atexit.unregister(self._finish_left)
        try:
            _finish(run, job_return)
        except Exception as error:  # noqa: BLE001 - Hydra would make a warning of it
            sys.stderr.write(f"podium: {run.run_id} could not be finished: {error}\n")
            job_return.status, job_return.return_value = JobStatus.FAILED, error

    def _start(self, config: DictConfig) -> Run:
        task = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        written: Any = OmegaConf.to_container(task, enum_to_str=True)  # with its interpolations
        store = self._store or OmegaConf.select(config, "hydra.sweeper.store") or STORE
        return ExperimentTracker(Path(config.hydra.runtime.cwd, store)).start_run(
            self._experiment or config.hydra.job.name,
            params=flat(plain(task, "config")),
            config=written,
            overrides=list(config.hydra.overrides.task),
        )

    def _finish_left(self) -> None:
        """Finish the run of a job that never came back, at the latest when the process ends."""
        run, self._run = self._run, None
        if run is not None and self._pid == os.getpid():
            run.finish("killed", error="the job ended before the task returned: sys.exit, Ctrl-C or a signal")


def _finish(run: Run, job_return: JobReturn) -> None:
    if job_return.status is JobStatus.COMPLETED:
        with run:
            run.log(_numbers(job_return.return_value))
            run.finish()
    else:
        error = job_return._return_value  # its public name raises it
        run.__exit__(type(error), error, error.__traceback__)


def _numbers(returned: Any) -> dict[str, float]:
    named = returned if isinstance(returned, Mapping) else {OBJECTIVE: returned}
    numbers = {}
    for name, value in named.items():
        try:
            numbers[str(name)] = metric_value(str(name), value)
        except InvalidValueError:
            continue
    return numbers
