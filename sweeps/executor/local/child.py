"""The child process of a job: runs Hydra's ``run_job`` and reports in plain data.

`run_one` runs one job wherever it is called. `main` is the process around it: a process group, so that all that the
job starts can be ended with it; its output in the job's log; and a pipe for JSON messages, ``run`` for each tracked
run that is opened and one ``outcome`` per job. If the child dies before that, its supervisor reads the exit code.

A child takes one job after another as long as each completes and leaves no threads or processes behind.
"""

import contextlib
import faulthandler
import json
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from io import TextIOWrapper
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
from hydra._internal.callbacks import Callbacks
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.core.utils import JobStatus as HydraStatus
from hydra.experimental.callback import Callback
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from omegaconf.basecontainer import BaseContainer

from sweeps.executor.failure_text import ended_by
from sweeps.executor.local.main_script import import_main
from sweeps.executor.local.memory import offer_to_the_oom_killer
from sweeps.executor.local.results import pack_result, plain_value
from sweeps.executor.local.slots import Slot, limit_threads
from sweeps.jobs import Job, JobStatus
from sweeps.plan.packing import quick_configs, unpack
from sweeps.state.lock import hold_as_job
from tracking import job_context

WATCH = "podium-parent-watch"
# Blocked in the forkserver, and in a job at first.
BLOCKED = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


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
        """Pickle this and Hydra's state in this process; functions that cannot be imported travel by value."""
        data: bytes = cloudpickle.dumps((Singleton.get_state(), self))
        return data


class Assignment(NamedTuple):
    """One job for one child, and its slot; the child exits after the `is_last` one."""

    job: Job
    slot: Slot
    is_last: bool


def load_common(data: bytes) -> Common:
    """Return what `Common.packed` packed, after importing the script; put Hydra's state in place here."""
    state, common = _unpacked(data)
    # Not Singleton.set_state: that scans for plug-ins anew, which no job needs.
    Singleton._instances.update(state["instances"])
    BaseContainer._resolvers = state["omegaconf_resolvers"]
    return common


@lru_cache(maxsize=1)
def _unpacked(data: bytes) -> tuple[Any, Common]:
    import_main()
    state, common = cloudpickle.loads(data)
    if common.folder is not None:
        hold_as_job(common.folder)
    return state, common


def run_one(load: Callable[[], Common], job: Job, on_start: Callable[[str, Path], None]) -> dict[str, Any]:
    """Run one job in this process and return its outcome as plain data, whatever the job raises.

    `load` returns what the jobs share; if it raises, that is the job's outcome. `on_start` gets the id and the folder
    of each tracked run as it is opened. Environment and working directory are restored afterwards.
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
            on_start=on_start,
        )
        with context, restored_environment(), contextlib.chdir("."):  # which restores the working directory
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


@contextlib.contextmanager
def restored_environment() -> Iterator[None]:
    """Restore the environment variables after the block."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def main(connection: Connection, common: bytes) -> None:
    """Run the jobs that come through `connection` and report on each; the process ends after it."""
    os.setsid()
    me = os.getpid()
    # Ignoring the signal drops a Ctrl-C from before this was a process group of its own.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _end_with_the_sweep()
    offer_to_the_oom_killer()

    def tell_run(run_id: str, _run_dir: Path) -> None:
        _send(connection, kind="run", run=run_id)

    while (assignment := _receive(connection)) is not None:
        _redirect_output(assignment.job.folder / "output.log")
        faulthandler.enable()
        limit_threads(assignment.slot)
        message = run_one(partial(load_common, common), assignment.job, tell_run)
        if os.getpid() != me:
            # A process that the task forked returned here: the outcome is its parent's to report.
            os._exit(message["status"] != JobStatus.COMPLETED)
        done = assignment.is_last or message["status"] != JobStatus.COMPLETED or _left_something()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the sweep's parent is gone
            _send(connection, kind="outcome", **message, done=done)
        with contextlib.suppress(OSError):  # a full disk: the ledger has it, or nothing can
            sys.stderr.write(message.get("traceback") or "")
        if done:
            break
    connection.close()


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
    """Whether a job left threads or child processes that would disturb the next one."""
    ours = {threading.main_thread().name, WATCH}
    if any(thread.name not in ours for thread in threading.enumerate()):
        return True
    try:
        return any(task.joinpath("children").read_text() for task in Path("/proc/self/task").iterdir())
    except OSError:
        return False


def _end_with_the_sweep() -> None:
    """End this process group with SIGTERM when the sweep's parent ends, for any reason."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os.killpg(0, signal.SIGTERM)

    threading.Thread(target=watch, name=WATCH, daemon=True).start()


def _redirect_output(log: Path) -> None:
    """Append stdout and stderr, of this process and of those it starts, to the job's log."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, AttributeError):  # its reader is gone, or there is no stream
            stream.flush()
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)
