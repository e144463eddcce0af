"""Gives jobs to a stock launcher, batch by batch: Hydra's basic one, joblib's, submitit's for Slurm.

Such a launcher takes overrides and composes again where the job runs. No config is sent, and YAML that is edited
during the sweep changes the jobs that have not started. The launcher reports nothing until a whole batch has ended,
so the executor searches the store meanwhile for runs that name the sweep and the job. A sweep whose parent dies while
it waits therefore still knows what its jobs logged.
"""

import contextlib
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.core.utils import JobStatus as HydraStatus
from hydra.experimental.callback import Callback
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sweeps.executor.contract import STOPPED, Listener, cancelled, started
from sweeps.executor.failure_text import one_line, several_lines, summary
from sweeps.executor.local.results import plain_value
from sweeps.jobs import Event, EventKind, Job, JobStatus, Outcome, Reason
from sweeps.settings.sweeper_settings import SweeperSettings
from tracking import ExperimentTracker, RunRecord, RunStatus, TrackingError, job_context

SEARCH_EVERY_S = 2.0  # how often the store is searched for new runs


class StockExecutor:
    """An `Executor` that drives the launcher of `config`, whose ``hydra.sweep.dir`` is the sweep's folder.

    It takes all jobs at once, because a batch has consecutive numbers. If the launcher raises, the runs of the batch
    decide the outcomes of its jobs. `stop` interrupts the launcher when it is called in the launcher's thread, as a
    signal handler is; jobs that were submitted elsewhere keep running.
    """

    def __init__(
        self,
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
        settings: SweeperSettings,
        sweep: str,
    ) -> None:
        self._naming = _Naming(sweep, settings.objective.named)
        known = hydra_context.callbacks
        callbacks = Callbacks()
        callbacks.callbacks = [self._naming, *known.callbacks]  # first to start, last to end
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=replace(hydra_context, callbacks=callbacks),
            task_function=task_function,
            config=config,
        )
        self._sweep_dir = str(config.hydra.sweep.dir)
        self._tracker = ExperimentTracker(settings.store)
        self._sweep = sweep
        self._max_batch_size = settings.max_batch_size
        self._stopping = False
        self._thread: int | None = None  # that of a launcher at work

    def run(self, jobs: Iterable[Job], listener: Listener) -> Iterator[Outcome]:
        """Run `jobs` in the order of their numbers and yield the outcomes of each batch as it ends."""
        for batch in _batches(sorted(jobs, key=lambda job: job.number), self._max_batch_size):
            yield from map(cancelled, batch) if self._stopping else self._launch(batch, listener)

    def stop(self) -> None:
        """Start no more batches, and interrupt the launcher; see `Executor`."""
        self._stopping = True
        if self._thread == threading.get_ident():
            raise KeyboardInterrupt

    def _launch(self, batch: Sequence[Job], listener: Listener) -> list[Outcome]:
        events = [started(job) for job in batch]
        self._naming.jobs = {event.job: event.data for event in events}
        for event in events:
            listener(event)
        began = time.monotonic()
        results: Sequence[JobReturn | None] = [None] * len(batch)
        fault: BaseException | None = None
        runs = _Runs(self._tracker, self._sweep, batch, listener)
        try:
            with runs.watched():
                self._thread = threading.get_ident()
                results = self._launcher.launch([self._overrides(job) for job in batch], batch[0].number)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a foreign launcher and its jobs may raise anything
            fault = error
        finally:
            self._thread = None
        wall_s = time.monotonic() - began
        found = runs.search()
        outcomes = []
        for job, result in zip(batch, results, strict=True):
            own = found.get(job.number, [])
            outcomes.append(_outcome(job, result, fault, own, wall_s, alone=len(batch) == 1))
            _keep_traceback(job, outcomes[-1])
        return outcomes

    def _overrides(self, job: Job) -> list[str]:
        folder = QuotedString(text=self._sweep_dir, quote=Quote.single).with_quotes()
        return [*job.overrides, f"hydra.sweep.dir={folder}", f"hydra.sweep.subdir=jobs/{job.number}"]


class _Runs:
    """The runs of a batch's jobs, found in the store; reports each to the listener once."""

    def __init__(
        self, tracker: ExperimentTracker, sweep: str, batch: Sequence[Job], listener: Listener
    ) -> None:
        self._tracker = tracker
        self._sweep = sweep
        self._listener = listener
        self._numbers = {job.number for job in batch}
        self._reported = {run for job in batch for run in job.previous}
        self._ended = threading.Event()

    def search(self) -> dict[int, list[RunRecord]]:
        """Return the runs that exist by now, of earlier attempts too, by job."""
        runs: dict[int, list[RunRecord]] = {}
        for record in self._tracker.search_runs(f'sweep == "{self._sweep}"'):
            number = (record.sweep or {}).get("job")
            if number in self._numbers:
                runs.setdefault(number, []).append(record)
                if record.run_id not in self._reported:
                    self._reported.add(record.run_id)
                    self._listener(Event(EventKind.RUN, number, {"run": record.run_id}))
        return runs

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Search now and then during the block."""
        watch = threading.Thread(target=self._watch, name="podium-runs", daemon=True)
        watch.start()
        try:
            yield
        finally:
            self._ended.set()
            watch.join()

    def _watch(self) -> None:
        while not self._ended.wait(SEARCH_EVERY_S):
            with contextlib.suppress(TrackingError):  # a store that is unreadable now may be readable later
                self.search()


class _Naming(Callback):
    """A callback that goes with each job and makes its runs name their sweep and job."""

    def __init__(self, sweep: str, objective: Mapping[str, str]) -> None:
        self.sweep = sweep
        self.objective = objective
        self.jobs: dict[int, Mapping[str, Any]] = {}
        self._inside: contextlib.ExitStack | None = None

    def on_job_start(self, config: DictConfig, **_kwargs: Any) -> None:
        """Open the job's context."""
        self._leave()  # an earlier job in this process that called sys.exit has left its context open
        number = int(config.hydra.job.num)
        self._inside = contextlib.ExitStack()
        self._inside.enter_context(
            job_context(sweep=self.sweep, job=number, objective=self.objective, **self.jobs[number])
        )

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_kwargs: Any) -> None:  # noqa: ARG002 - Hydra's signature
        """Close the job's context."""
        self._leave()

    def _leave(self) -> None:
        inside, self._inside = self._inside, None
        if inside is not None:
            inside.close()


def _batches(jobs: Sequence[Job], size: int | None) -> Iterator[list[Job]]:
    """Split into batches of at most `size`, with consecutive numbers: a launcher counts up from the first."""
    batch: list[Job] = []
    for job in jobs:
        if batch and (job.number != batch[-1].number + 1 or len(batch) == size):
            yield batch
            batch = []
        batch.append(job)
    if batch:
        yield batch


def _outcome(
    job: Job,
    result: JobReturn | None,
    fault: BaseException | None,
    records: Sequence[RunRecord],
    wall_s: float,
    *,
    alone: bool,
) -> Outcome:
    status, reason, error, raised = JobStatus.COMPLETED, None, None, fault
    if result is not None:
        raised = None
        if result.status is not HydraStatus.COMPLETED:
            raised = result._return_value  # its public name raises it
            status, reason, error = JobStatus.FAILED, Reason.ERROR, summary(raised)
    elif isinstance(fault, KeyboardInterrupt):
        status, reason, error = JobStatus.KILLED, Reason.STOPPED, STOPPED
    elif records and records[-1].run_id not in job.previous and records[-1].status == RunStatus.COMPLETED:
        raised = None
    elif alone and isinstance(fault, SystemExit):
        status, reason, error = JobStatus.FAILED, Reason.EXIT, one_line(f"called sys.exit({fault.code!r})")
    else:
        status, reason, error = JobStatus.FAILED, Reason.LOST, f"the launcher failed: {summary(fault)}"
    return Outcome(
        job.number,
        status,
        _took_s(records, wall_s),
        None if result is None or status is not JobStatus.COMPLETED else plain_value(result.return_value),
        error,
        several_lines("".join(traceback.format_exception(raised))) if raised is not None else None,
        tuple(dict.fromkeys([*job.previous, *(record.run_id for record in records)])),
        reason,
        job.attempt,
    )


def _took_s(records: Sequence[RunRecord], wall_s: float) -> float:
    """Return how long a job took: its last run, or its batch if it has no finished run."""
    last = records[-1] if records else None
    if last is None or last.finished_at is None:
        return wall_s
    return (last.finished_at - last.created_at).total_seconds()


def _keep_traceback(job: Job, outcome: Outcome) -> None:
    """Append the traceback to the job's log, as our own jobs do."""
    if outcome.traceback is not None:
        with contextlib.suppress(OSError):  # a full disk: the ledger has it, or nothing can
            job.folder.mkdir(parents=True, exist_ok=True)
            with (job.folder / "output.log").open("a") as log:
                log.write(outcome.traceback)
