"""Runs jobs one after the other in this process, for tests and for debugging."""

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sweeps.executor.contract import (
    Judge,
    Listener,
    cancelled,
    make_folder,
    not_started,
    outcome_of,
    started,
)
from sweeps.executor.judging import Judging
from sweeps.executor.local.child import run_one
from sweeps.executor.local.program import Common
from sweeps.jobs import STOPPED, Event, EventKind, Job, JobStatus, Outcome, Reason, counted
from tracking.process.job_gate import Gate, Verdict


class InProcessExecutor:
    """An `Executor` whose jobs run in the thread that iterates over `run`.

    Breakpoints and output reach the terminal. Jobs are not isolated: one that ends its process ends the sweep, and
    there are no limits, retries or slots. `stop` interrupts the running job when it is called in that thread, as a
    signal handler is; called elsewhere, it lets the job finish. A job that is to end after a judgement, and never asks for
    it, runs to its end.
    """

    def __init__(self, common: Common) -> None:
        self._common = common
        self._stopping = False
        self._judging: Judging | None = None
        self._thread: int | None = None  # that of the running job

    def run(self, jobs: Iterable[Job], listener: Listener, judge: Judge | None = None) -> Iterator[Outcome]:
        """Run `jobs` in their order; see `Executor`."""
        if judge is not None:
            self._judging = Judging(judge, counted(self._common.objective), grace_s=0.0)
        try:
            for job in jobs:
                yield cancelled(job) if self._stopping else self._run(job, listener)
        finally:
            if self._judging is not None:
                self._judging.close()

    def stop(self) -> None:
        """Start no more jobs; see the class for the running one."""
        self._stopping = True
        if self._thread == threading.get_ident():
            raise KeyboardInterrupt

    def _run(self, job: Job, listener: Listener) -> Outcome:
        runs: list[str] = []

        def on_start(_run_id: str, run_dir: Path) -> None:
            runs.append(str(run_dir))
            listener(Event(EventKind.RUN, job.number, {"run": str(run_dir)}))

        def on_warning(how: str, text: str) -> None:
            listener(Event(EventKind.WARNING, job.number, {"how": how, "text": text}))

        try:
            make_folder(job)
        except OSError as error:
            return not_started(job, error)
        listener(started(job, pid=os.getpid()))
        if self._judging is not None:
            self._judging.begin(job)
        began = time.monotonic()
        self._thread = threading.get_ident()
        try:
            with contextlib.ExitStack() as inside:
                message = run_one(
                    lambda: self._common,
                    job,
                    on_start,
                    inside,
                    on_warning=on_warning,
                    gate=lambda objective: self._gate(job, objective),
                )
        finally:
            self._thread = None
        if self._stopping and message["status"] is not JobStatus.COMPLETED:
            message |= {"status": JobStatus.KILLED, "error": STOPPED, "reason": Reason.STOPPED}
        if self._judging is not None:
            message = self._judging.outcome(job.number, message)
            self._judging.forget(job.number)
        return outcome_of(job, message, time.monotonic() - began, runs)

    def _gate(self, job: Job, objective: Mapping[str, Any] | None) -> Gate | None:
        judging, metrics = self._judging, counted(objective)
        if judging is None or job.until is None or not metrics:
            return None

        def ask(run_dir: Path, count: int) -> Verdict:
            goes_on = judging.answer([(job.number, count, run_dir)])
            return Verdict(job.number in goes_on, goes_on.get(job.number))

        return Gate(metrics, job.until, ask, lambda run_dir: judging.asks(job.number, run_dir))
