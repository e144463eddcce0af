"""Runs jobs on this machine: joblib's threads, each supervising one killable child process at a time.

A thread takes a slot, lets the forkserver (which has the task's modules loaded) fork a child, and
waits for its messages, its death or the order to stop. Only the thread touches its child, so a fault
of one job reaches nobody else.
"""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import cloudpickle
import joblib

from sweeps import job as child
from sweeps.executor import warmup
from sweeps.executor.base import Event, Job, JobStatus, Listener, Outcome
from sweeps.settings import LauncherSettings
from sweeps.slots import THREAD_VARIABLES, Slot, Slots

LINGER_S = 5.0  # how long a child may take to exit once its outcome has arrived


class LocalExecutor:
    """An `Executor` on this machine's cores; `common` comes from `sweeps.job.pack_common`.

    The forkserver starts with the executor, so that it loads the task's modules while the sweep is
    still being planned.
    """

    def __init__(self, settings: LauncherSettings, common: bytes) -> None:
        self._settings = settings
        self._common = common
        self._slots = Slots(settings.n_jobs, settings.threads)
        self._context = _warm_forkserver(settings)
        # Starting a process polls all others, which two threads must not do at once.
        self._process_table = threading.Lock()
        self._stopping = threading.Event()
        self._wake, self._waker = self._context.Pipe(duplex=False)
        self._children: dict[int, ForkServerProcess] = {}

    def run(self, jobs: Iterable[Job], listener: Listener) -> Iterator[Outcome]:
        """Run `jobs`, at most ``n_jobs`` at once, and yield outcomes as they end; see `Executor`."""
        parallel = joblib.Parallel(
            n_jobs=self._settings.n_jobs,
            backend="threading",
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch="n_jobs",
        )
        yield from parallel(joblib.delayed(self._supervise)(job, listener) for job in jobs)

    def stop(self) -> None:
        """End the running jobs and start no more: SIGTERM and a grace period first, SIGKILL if called again."""
        if self._stopping.is_set():
            for process in list(self._children.values()):
                _signal_group(process, signal.SIGKILL)
        else:
            self._stopping.set()
            self._waker.send_bytes(b"stop")

    def _supervise(self, job: Job, listener: Listener) -> Outcome:
        with self._slots.take() as slot:
            if self._stopping.is_set():
                return Outcome(
                    job.number, JobStatus.CANCELLED, 0.0, error="the sweep was stopped before it started"
                )
            began = time.monotonic()
            try:
                return self._watch(job, slot, listener, began)
            except (OSError, EOFError) as error:  # no room for another process, or no forkserver to make it
                return Outcome(
                    job.number, JobStatus.FAILED, time.monotonic() - began, error=f"could not start: {error}"
                )

    def _watch(self, job: Job, slot: Slot, listener: Listener, began: float) -> Outcome:
        receiver, sender = self._context.Pipe(duplex=False)
        with receiver:
            process = self._start(job, slot, sender)
            listener(Event("started", job.number, {"pid": process.pid, "slot": slot.index}))
            message, runs, stopped = self._listen(process, receiver, job.number, listener)
            exit_code = self._end(process, in_order=message is not None)
        wall_s = time.monotonic() - began
        if message is None:
            message = _died(exit_code)
        if stopped and message["status"] != "completed":
            message = {**message, "status": "killed", "error": "the sweep was stopped"}
        return Outcome(
            job.number,
            JobStatus(message["status"]),
            wall_s,
            message["value"],
            message["error"],
            message["traceback"],
            tuple(runs),
        )

    def _start(self, job: Job, slot: Slot, sender: Connection) -> ForkServerProcess:
        log = _log_path(job)
        log.parent.mkdir(parents=True, exist_ok=True)
        assignment = child.Assignment(
            job.number, job.key, job.config_hash, slot, log, self._common, cloudpickle.dumps(job.config)
        )
        process = self._context.Process(
            target=child.main, args=(sender, assignment), name=f"job-{job.number}"
        )
        with self._process_table, sender:
            process.start()
        self._children[job.number] = process
        return process

    def _listen(
        self, process: ForkServerProcess, receiver: Connection, number: int, listener: Listener
    ) -> tuple[dict[str, Any] | None, list[str], bool]:
        """Collect messages until the outcome or the end; return it, the runs opened, and whether it was stopped."""
        runs: list[str] = []
        waited_for: list[Any] = [receiver, process.sentinel, self._wake]
        deadline: float | None = None
        while True:
            patience = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = wait(waited_for, patience)
            if receiver in ready:
                message = _receive(receiver)
                if message is None:
                    waited_for.remove(receiver)
                elif message["kind"] == "run":
                    runs.append(message["run"])
                    listener(Event("run", number, {"run": message["run"]}))
                else:
                    return message, runs, deadline is not None
            elif process.sentinel in ready:
                return None, runs, deadline is not None
            elif self._wake in ready:
                waited_for.remove(self._wake)
                deadline = time.monotonic() + self._settings.grace_s
                _signal_group(process, signal.SIGTERM)
            elif deadline is not None and not ready:
                _signal_group(process, signal.SIGKILL)
                deadline = float("inf")

    def _end(self, process: ForkServerProcess, *, in_order: bool) -> int:
        """Wait for the child to be gone and end whatever it left behind; return its exit code."""
        if in_order and not wait([process.sentinel], LINGER_S):
            _signal_group(process, signal.SIGKILL)
        wait([process.sentinel])
        _end_group(process)
        self._children.pop(int(process.name.removeprefix("job-")), None)
        with self._process_table:
            process.join()
            code = process.exitcode
            process.close()
        return -1 if code is None else code


def _warm_forkserver(settings: LauncherSettings) -> ForkServerContext:
    """Start this process's forkserver with the preload modules, unless it is running already."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", warmup.__name__])
    added = {warmup.VARIABLE: warmup.describe(["sweeps.job", *settings.preload])}
    added |= {name: str(settings.threads) for name in THREAD_VARIABLES}
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        with _ignoring_interrupts():
            forkserver.ensure_running()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return context


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Let a process started inside be deaf to the terminal's Ctrl-C from its first moment: the sweep decides."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _log_path(job: Job) -> Path:
    return Path(job.config.hydra.sweep.dir, str(job.config.hydra.sweep.subdir), "output.log")


def _receive(receiver: Connection) -> dict[str, Any] | None:
    try:
        message: dict[str, Any] = json.loads(receiver.recv_bytes())
    except EOFError:
        return None
    except OSError as error:  # a child that wrote into the pipe itself
        return {
            "kind": "outcome",
            "status": "failed",
            "value": None,
            "error": f"unreadable outcome: {error}",
            "traceback": None,
        }
    return message


def _died(exit_code: int) -> dict[str, Any]:
    if exit_code < 0:
        return {
            "status": "killed",
            "value": None,
            "error": f"killed by {_signal_name(-exit_code)}",
            "traceback": None,
        }
    error = f"the process ended with exit code {exit_code} and without an outcome"
    return {"status": "failed", "value": None, "error": error, "traceback": None}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end_group(process: ForkServerProcess) -> None:
    """End what a child that is gone has left behind in its process group."""
    if process.pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _signal_group(process: ForkServerProcess, number: signal.Signals) -> None:
    """Signal a live child's process group, or the child alone if it is too young to have one."""
    if process.pid is None:
        return
    for send in (os.killpg, os.kill):
        try:
            send(process.pid, number)
        except (ProcessLookupError, PermissionError):
            continue
        return
