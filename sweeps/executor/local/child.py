"""The child process of a job: runs Hydra's ``run_job`` and reports in plain data.

`run_one` runs one job wherever it is called. `main` is the process around it: a process group, so that all that the
job starts can be ended with it; its output in the job's log; and a pipe for JSON messages, ``run`` for each tracked
run that is opened and one ``outcome`` per job. If the child dies before that, its supervisor reads the exit code.

A child takes one job after another as long as each completes and leaves no threads or processes behind.
"""

import contextlib
import faulthandler
import fcntl
import json
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from hydra._internal.callbacks import Callbacks
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.core.utils import JobStatus as HydraStatus
from hydra.experimental.callback import Callback
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sweeps.errors import SettingsError
from sweeps.executor.failure_text import ended_by, failure, one_line, summary
from sweeps.executor.local.ending import end_with
from sweeps.executor.local.main_script import Script, import_script
from sweeps.executor.local.memory import offer_to_the_oom_killer
from sweeps.executor.local.process_state import (
    ProcessState,
    choose_start_method,
    chosen_start_method,
    draw_anew,
    open_streams,
    restored_environment,
)
from sweeps.executor.local.results import pack_result, plain_value
from sweeps.executor.local.slots import Slot, limit_threads, take_place
from sweeps.executor.local.supplies import Delivery, Supplies
from sweeps.jobs import Job, JobStatus, Reason
from sweeps.plan.by_reference import describe_main, dumps
from sweeps.plan.packing import quick_configs, unpack
from sweeps.state.lock import hold_as_job
from tracking import job_context

# Blocked in the forkserver, and in a job at first.
BLOCKED = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

_context = contextlib.ExitStack()  # that of the present job; kept here to last as long as the process


@dataclass(frozen=True)
class Common:
    """What all jobs of a sweep share.

    Each child holds the jobs' lock in `folder`, if one is given. With `wants_results` an outcome carries Hydra's own
    result, see `sweeps.executor.local.results`. Runs name the `objective`, its metric and mode.
    """

    hydra_context: HydraContext
    task_function: TaskFunction
    sweep: str
    folder: Path | None = None
    wants_results: bool = False
    objective: Mapping[str, str] | None = None

    def packed(self) -> bytes:
        """Pickle this, Hydra's state in this process, and what a job may lack after it has imported the script.

        Raise `SettingsError` for a task that cannot travel to a job.
        """
        instances = Singleton.get_state()["instances"]
        try:
            body = dumps((instances, self))
        except Exception as error:  # whatever a user's class raises when it is pickled
            by_value = "" if describe_main() else "; jobs cannot import this program, so write it to a file"
            raise SettingsError(f"the task cannot be sent to a job: {summary(error)}{by_value}") from error
        return pickle.dumps((Supplies.here(), chosen_start_method(), body))


class Assignment(NamedTuple):
    """One job for one child, and its slot; the child exits after the `is_last` one."""

    job: Job
    slot: Slot
    is_last: bool


class _Program:
    """The user's program in this process, and what all jobs share; loaded by the first job."""

    def __init__(self, packed: bytes, script: Script | None, connection: Connection) -> None:
        self.runs_another = False  # whether the child may get a further job
        self._packed = packed
        self._script = script
        self._connection = connection
        self._loaded: tuple[dict[Any, Any], Common] | None = None
        self._state: ProcessState | None = None
        self._faults: dict[str, str] = {}

    def load(self) -> Common:
        """Return what the jobs share, with Hydra's state in place; the first time, after importing the script."""
        if self._loaded is None:
            supplies, method, body = pickle.loads(self._packed)  # noqa: S301 - from our own parent
            if self._script is not None:
                import_script(self._script)
            self._fetch(supplies.without(Supplies.here()))
            choose_start_method(method)
            self._loaded = pickle.loads(body)  # noqa: S301 - likewise
            folder = self._loaded[1].folder
            if folder is not None:
                hold_as_job(folder)
            self._state = ProcessState() if self.runs_another else None
        instances, common = self._loaded
        # Not Singleton.set_state: that scans for plug-ins anew, which no job needs.
        Singleton._instances.update(instances)
        return common

    def _fetch(self, lacking: Supplies) -> None:
        """Ask the sweep's process for what the script does not define here."""
        if lacking:
            _send(
                self._connection,
                kind="lacks",
                names=sorted(lacking.names),
                resolvers=sorted(lacking.resolvers),
            )
            delivery: Delivery = pickle.loads(self._connection.recv_bytes())  # noqa: S301 - from our own parent
            self._faults = delivery.unpack()

    def explain(self, message: dict[str, Any]) -> dict[str, Any]:
        """Add to the message of a failed job why a name of the script is not defined in it."""
        error = str(message.get("error"))
        for name, fault in self._faults.items():
            if error == f"NameError: name {name!r} is not defined":
                why = f"only the sweep's own process sets it, and it cannot be copied from there: {fault}"
                return {**message, "error": one_line(f"{error}: {why}")}
        return message

    def can_run_another(self) -> bool:
        """Put back what a job has changed in this process; return False if that is impossible."""
        return self._state is not None and self._state.restore() and not _left_something()


def run_one(
    load: Callable[[], Common], job: Job, on_start: Callable[[str, Path], None], inside: contextlib.ExitStack
) -> dict[str, Any]:
    """Run one job in this process and return its outcome as plain data, whatever the job raises.

    `load` returns what the jobs share; if it raises, that is the job's outcome. `on_start` gets the id and the folder
    of each tracked run as it is opened. Environment and working directory are restored afterwards. The context of the
    job lasts until `inside` is closed, for what the job leaves behind: threads, exit handlers.
    """
    try:
        common = load()
        context = job_context(
            sweep=common.sweep,
            job=job.number,
            key=job.key,
            config_hash=job.config_hash,
            attempt=job.attempt,
            previous=job.previous,
            objective=common.objective,
            folder=job.folder,
            on_start=on_start,
        )
        inside.enter_context(context)
        with restored_environment(), contextlib.chdir("."):  # which restores the working directory
            setup_globals()
            result = run_as_hydra(common, unpack(job.config))
            if result.status != HydraStatus.COMPLETED:
                return ended_by(result._return_value)
            message = {"status": JobStatus.COMPLETED, "value": plain_value(result._return_value)}
            return {**message, "result": pack_result(result)} if common.wants_results else message
    except BaseException as error:  # noqa: BLE001 - the boundary of a job: every failure travels as data
        return ended_by(error)


def run_as_hydra(common: Common, config: DictConfig) -> JobReturn:
    """Run one job with Hydra's own ``run_job``, with its set-up made fast."""
    with contextlib.ExitStack() as setting_up:
        setting_up.enter_context(quick_configs())
        setting_up.callback(limit_threads)  # as ``hydra.job.env_set`` has it by then
        return run_job(
            hydra_context=with_callback(common.hydra_context, _SetUp(setting_up)),
            task_function=common.task_function,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )


def with_callback(context: HydraContext, callback: Callback) -> HydraContext:
    """Return a context with one more callback: the first to hear that a job starts, the last to hear that it ends."""
    callbacks = Callbacks()
    callbacks.callbacks = [callback, *context.callbacks.callbacks]
    return replace(context, callbacks=callbacks)


class _SetUp(Callback):
    """Ends the fast set-up once Hydra has set the job up, before the user's callbacks and task."""

    def __init__(self, until_now: contextlib.ExitStack) -> None:
        self._until_now = until_now

    def on_job_start(self, config: DictConfig, **_kwargs: Any) -> None:  # noqa: ARG002 - Hydra's signature
        self._until_now.close()


def main(connection: Connection, alive: int, packed: bytes, script: Script | None) -> None:
    """Run the jobs that come through `connection` and report on each; the process ends after it.

    `alive` is a pipe that closes when the sweep's process ends, `packed` what `Common.packed` returned there.
    """
    os.setsid()
    me = os.getpid()
    # Ignoring the signal drops a Ctrl-C from before this was a process group of its own.
    inherited = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
    signal.signal(signal.SIGINT, inherited)
    _end_with_the_sweep(alive)
    offer_to_the_oom_killer()
    program = _Program(packed, script, connection)

    def tell_run(_run_id: str, run_dir: Path) -> None:
        with contextlib.suppress(
            OSError
        ):  # after the outcome nobody listens; the run is announced in a file too
            _send(connection, kind="run", run=str(run_dir))

    while (assignment := _receive(connection)) is not None:
        message = _run(assignment, program, tell_run)
        is_completed = message["status"] == JobStatus.COMPLETED
        end_with(0 if is_completed else 1)
        if os.getpid() != me:
            return  # a process that the task forked came here: the outcome is its parent's to report
        done = assignment.is_last or not is_completed or not program.can_run_another()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the sweep's parent is gone
            _send(connection, kind="outcome", **program.explain(message), done=done, waits_for=_threads())
        with contextlib.suppress(Exception):  # a full disk: the ledger has it, or nothing can
            sys.stderr.write(message.get("traceback") or "")
        if done:
            return
        _context.close()
    end_with(0)  # there is no further job


def _run(assignment: Assignment, program: _Program, on_start: Callable[[str, Path], None]) -> dict[str, Any]:
    """Run a job with its output in its log and return its outcome."""
    log = assignment.job.folder / "output.log"
    try:
        _redirect_output(log)
    except OSError as error:
        return failure(f"could not open its log: {summary(error)}", reason=Reason.LOST)
    faulthandler.enable()
    take_place(assignment.slot)
    draw_anew()
    program.runs_another = not assignment.is_last
    return run_one(program.load, assignment.job, on_start, _context)


def _threads() -> list[str]:
    """Return the names of the threads that Python waits for before this process ends."""
    own = threading.current_thread()
    return [thread.name for thread in threading.enumerate() if thread is not own and not thread.daemon]


def _receive(connection: Connection) -> Assignment | None:
    try:
        assignment: Assignment = pickle.loads(connection.recv_bytes())  # noqa: S301 - from our own parent
    except (EOFError, ConnectionResetError):
        return None
    return assignment


def _send(connection: Connection, **message: Any) -> None:
    # The standard library's JSON, because it keeps NaN and the infinities as they are.
    connection.send_bytes(json.dumps(message).encode())


def _left_something() -> bool:
    """Return whether a job left threads or child processes that would disturb the next one."""
    if threading.active_count() > 1:
        return True
    try:
        return any(task.joinpath("children").read_text() for task in Path("/proc/self/task").iterdir())
    except OSError:
        return False


def _end_with_the_sweep(alive: int) -> None:
    """End this process group with SIGTERM when the pipe closes.

    The system sends the signal where it can. A thread that waits would be one more thread of the user's program,
    and Python warns of a fork in a process that has several.
    """
    group = os.getpgrp()
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(alive, fcntl.F_SETOWN, -group)
        fcntl.fcntl(alive, fcntl.F_SETSIG, signal.SIGTERM)
        fcntl.fcntl(alive, fcntl.F_SETFL, fcntl.fcntl(alive, fcntl.F_GETFL) | os.O_ASYNC)
        if wait([alive], 0):  # it closed before
            os.killpg(group, signal.SIGTERM)
        return

    def watch() -> None:
        wait([alive])
        os.killpg(group, signal.SIGTERM)

    threading.Thread(target=watch, name="podium-parent-watch", daemon=True).start()


def _redirect_output(log: Path) -> None:
    """Append stdout and stderr, of this process and of those it starts, to the job's log."""
    opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    # A job may have closed the descriptors of the streams, which the log must not take.
    target = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(opened)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # its reader is gone, or it is closed, or there is none
            stream.flush()
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    open_streams()
