"""Gives jobs to a stock launcher, batch by batch: Hydra's basic one, joblib's, submitit's for Slurm.

Such a launcher takes overrides and composes again where the job runs. No config is sent, and YAML that is edited
during the sweep changes the jobs that have not started. The launcher reports nothing until a whole batch has ended,
so the executor looks meanwhile for runs that jobs have announced in their folders. A sweep whose parent dies while it
waits therefore still knows what its jobs logged.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.core.utils import JobStatus as HydraStatus
from hydra.experimental.callback import Callback
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sweeps.errors import SettingsError
from sweeps.executor.contract import (
    Judge,
    Listener,
    cancelled,
    make_folder,
    not_started,
    outcome_of,
    started,
)
from sweeps.executor.failure_text import ended_by, summary
from sweeps.executor.local.child import with_callback
from sweeps.executor.local.results import plain_value
from sweeps.executor.overheard import overheard
from sweeps.jobs import STOPPED, Event, EventKind, Job, JobStatus, Outcome, Reason
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.state.job_runs import JobRuns
from sweeps.warned import MOST_KINDS
from tracking import RunRecord, RunStatus, job_context
from tracking.process.announcements import announced

WARNINGS = "warnings.jsonl"  # in the folder of a job: what it has warned of
LOOK_EVERY_S = 2.0  # how often the folders of jobs are looked into for new runs
NO_JUDGE = (
    "a search decides each job when a place is free, and stops jobs early while they run; this launcher takes all jobs at "
    "once: use hydra/launcher=podium, or a mode of listed points without a schedule"
)


class StockExecutor:
    """An `Executor` that drives the launcher of `config`, whose ``hydra.sweep.dir`` is the sweep's folder.

    It takes all jobs at once, because a batch has consecutive numbers. If the launcher raises, the runs of the batch
    decide the outcomes of its jobs. So it runs no search: `run` refuses a judge. `stop` interrupts the launcher when it is
    called in the launcher's thread, as a signal handler is; jobs that were submitted elsewhere keep running.
    """

    def __init__(
        self,
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
        settings: SweeperSettings,
        sweep: str,
        *,
        objective: Mapping[str, Any] | None = None,
    ) -> None:
        self._naming = _Naming(sweep)
        self._objective = objective or settings.objective.ranked_by
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=with_callback(hydra_context, self._naming),
            task_function=task_function,
            config=config,
        )
        self._sweep_dir = str(config.hydra.sweep.dir)
        self._runs = JobRuns(settings.store, sweep)
        self._max_batch_size = settings.max_batch_size
        self._stopping = False
        self._thread: int | None = None  # that of a launcher at work

    def run(self, jobs: Iterable[Job], listener: Listener, judge: Judge | None = None) -> Iterator[Outcome]:
        """Run `jobs` in the order of their numbers and yield the outcomes of each batch as it ends."""
        if judge is not None:
            raise SettingsError(NO_JUDGE)
        possible = []
        # First, because a launcher that cannot make one folder ends the whole batch.
        for job in sorted(jobs, key=lambda job: job.number):
            try:
                make_folder(job)
                possible.append(job)
            except OSError as error:
                yield not_started(job, error)
        for batch in _batches(possible, self._max_batch_size):
            yield from map(cancelled, batch) if self._stopping else self._launch(batch, listener)

    def stop(self) -> None:
        """Start no more batches, and interrupt the launcher; see `Executor`."""
        self._stopping = True
        if self._thread == threading.get_ident():
            raise KeyboardInterrupt

    def _launch(self, batch: Sequence[Job], listener: Listener) -> list[Outcome]:
        events = [started(job) for job in batch]
        self._naming.jobs = {
            event.job: {
                **event.data,
                "previous": job.previous,
                "overrides": job.overrides,
                "objective": job.ranked_by(self._objective),
            }
            for event, job in zip(events, batch, strict=True)
        }
        for event in events:
            listener(event)
        began = time.monotonic()
        runs = _Runs(batch, listener)
        results: Sequence[JobReturn | BaseException]
        try:
            with runs.watched():
                self._thread = threading.get_ident()
                results = self._launcher.launch([self._overrides(job) for job in batch], batch[0].number)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a foreign launcher and its jobs may raise anything
            results = [error] * len(batch)
        finally:
            self._thread = None
        wall_s = time.monotonic() - began
        runs.look()
        for job in batch:
            _tell_warnings(job, listener)
        outcomes = []
        for job, result in zip(batch, results, strict=True):
            own = [self._runs.find(run, job.number).record for run in runs.opened[job.number]]
            last = own[-1] if own else None
            message = _message(result, last, alone=len(batch) == 1)
            outcomes.append(outcome_of(job, message, _took_s(last, wall_s), runs.opened[job.number]))
            _keep_traceback(job, outcomes[-1])
        return outcomes

    def _overrides(self, job: Job) -> list[str]:
        folder = QuotedString(text=self._sweep_dir, quote=Quote.single).with_quotes()
        return [*job.overrides, f"hydra.sweep.dir={folder}", f"hydra.sweep.subdir=jobs/{job.number}"]


class _Runs:
    """The runs that the jobs of a batch have `opened`, by job; reports each to the listener once."""

    def __init__(self, batch: Sequence[Job], listener: Listener) -> None:
        self._batch = batch
        self._listener = listener
        self._ended = threading.Event()
        self.opened: dict[int, list[str]] = {job.number: [] for job in batch}

    def look(self) -> None:
        """Take note of the runs that the jobs themselves have announced by now."""
        for job in self._batch:
            for run in announced(job.folder, job.attempt):
                if not run.by_child and run.folder not in self.opened[job.number]:
                    self.opened[job.number].append(run.folder)
                    self._listener(Event(EventKind.RUN, job.number, {"run": run.folder}))

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look now and then during the block."""
        watch = threading.Thread(target=self._watch, name="podium-runs", daemon=True)
        watch.start()
        try:
            yield
        finally:
            self._ended.set()
            watch.join()

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            self.look()


def _tell_warnings(job: Job, listener: Listener) -> None:
    """Report the warnings that a job has written to its folder."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # no file, or a torn line
        for line in (job.folder / WARNINGS).read_text(encoding="utf-8").splitlines()[:MOST_KINDS]:
            told = json.loads(line)
            data = {"how": str(told["how"]), "text": str(told["text"])}
            listener(Event(EventKind.WARNING, job.number, data))


class _Naming(Callback):
    """A callback that goes with each job, makes its runs name their sweep and job, and hears its warnings."""

    def __init__(self, sweep: str) -> None:
        self.sweep = sweep
        self.jobs: dict[int, Mapping[str, Any]] = {}
        self._inside = contextlib.ExitStack()

    def on_job_start(self, config: DictConfig, **_kwargs: Any) -> None:
        """Open the job's context."""
        self._inside.close()  # an earlier job in this process that called sys.exit has left its context open
        number = int(config.hydra.job.num)
        folder = Path(config.hydra.runtime.output_dir)
        self._inside.enter_context(overheard(partial(_keep_warning, folder / WARNINGS)))
        self._inside.enter_context(
            job_context(
                sweep=self.sweep,
                job=number,
                folder=folder,
                cwd=config.hydra.runtime.cwd,  # the job may have changed its own by now
                **self.jobs[number],
            )
        )

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_kwargs: Any) -> None:  # noqa: ARG002 - Hydra's signature
        """Close the job's context."""
        self._inside.close()


def _keep_warning(file: Path, how: str, text: str) -> None:
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"how": how, "text": text}) + "\n")


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


def _message(result: JobReturn | BaseException, last: RunRecord | None, *, alone: bool) -> dict[str, Any]:
    """Return the message of a job, as a child of ours would send it, from what the launcher returned or raised.

    `last` is the last run that the job opened.
    """
    if isinstance(result, JobReturn):
        if result.status is HydraStatus.COMPLETED:
            return {"status": JobStatus.COMPLETED, "value": plain_value(result.return_value)}
        return ended_by(result._return_value)  # its public name raises it
    message = ended_by(result)
    if isinstance(result, KeyboardInterrupt):
        return {**message, "error": STOPPED, "reason": Reason.STOPPED}
    # The launcher may have failed after the job had ended in order.
    if last is not None and last.status is RunStatus.COMPLETED:
        return {"status": JobStatus.COMPLETED}
    if alone and isinstance(result, SystemExit):
        return message
    error = f"the launcher failed: {summary(result)}"
    return {**message, "status": JobStatus.FAILED, "error": error, "reason": Reason.LOST}


def _took_s(last: RunRecord | None, wall_s: float) -> float:
    """Return how long a job took: its last run, or its batch if it has no finished run."""
    if last is None or last.finished_at is None:
        return wall_s
    return (last.finished_at - last.created_at).total_seconds()


def _keep_traceback(job: Job, outcome: Outcome) -> None:
    """Append the traceback to the job's log, as our own jobs do."""
    if outcome.traceback is not None:
        with contextlib.suppress(OSError):  # a full disk: the ledger has it, or nothing can
            make_folder(job)
            with (job.folder / "output.log").open("a", encoding="utf-8") as log:
                log.write(outcome.traceback)
