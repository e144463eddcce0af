"""What runs in the child process of a job: set up, run Hydra's ``run_job``, report in plain data.

The child is its own process group, so that whatever it starts can be ended with it, and its output
goes to the job's log. It sends JSON messages: ``run`` when a tracked run was opened, and one
``outcome`` per job. If it dies before that, its supervisor tells from the exit code what happened.

A child may be given one job after another, as long as each completes and leaves nothing behind.
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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

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
from sweeps.executor.local.main_script import Main, import_main
from sweeps.executor.local.memory import offer_to_the_oom_killer
from sweeps.executor.local.results import pack_result, plain_value
from sweeps.executor.local.slots import Slot, limit_threads
from sweeps.jobs import JobStatus
from sweeps.plan.packing import quick_configs, unpack
from sweeps.state.lock import hold_as_job
from tracking import job_context

WATCH = "podium-parent-watch"
BLOCKED = frozenset({signal.SIGTERM, signal.SIGHUP})  # in the forkserver, and so in a job at first


@dataclass(frozen=True)
class Common:
    """What all jobs of a sweep share: the task and Hydra's state in the parent."""

    hydra_context: HydraContext
    task_function: TaskFunction
    singletons: Any
    sweep: str
    folder: Path | None
    wants_results: bool
    objective: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Assignment:
    """One job for one child: its number, keys and attempt, its slot, its log, and its pickled config.

    `previous` are the runs of its earlier attempts. After the `is_last` one the child exits.
    """

    number: int
    key: str
    config_hash: str
    slot: Slot
    log: Path
    config: bytes
    attempt: int
    previous: tuple[str, ...]
    is_last: bool


def pack_common(
    hydra_context: HydraContext,
    task_function: TaskFunction,
    sweep: str,
    folder: Path | None = None,
    *,
    wants_results: bool = False,
    objective: Mapping[str, str] | None = None,
) -> bytes:
    """Pickle what all jobs share; functions that cannot be imported by name travel by value.

    Each child holds the jobs' lock in `folder`, if one is given. With `wants_results` an outcome carries
    Hydra's own result, see `sweeps.executor.local.results`. Runs name the `objective`, its metric and mode.
    """
    state = Singleton.get_state()
    shared = Common(hydra_context, task_function, state, sweep, folder, wants_results, objective)
    data: bytes = cloudpickle.dumps(shared)
    return data


def main(connection: Connection, common_data: bytes, program: Main) -> None:
    """Run the jobs that come through `connection` and report on each; the process ends after it."""
    os.setsid()
    me = os.getpid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the forkserver ignores it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
    _end_with_the_sweep()
    offer_to_the_oom_killer()
    common: Common | None = None
    while (assignment := _receive(connection)) is not None:
        _redirect_output(assignment.log)
        faulthandler.enable()
        limit_threads(assignment.slot)
        try:
            common = common or _unpack(common_data, program)
            with _tracked(connection, common, assignment), _as_found():
                result = _run(common, unpack(assignment.config))
                message = _describe(result)
                if common.wants_results:
                    message["result"] = pack_result(result)
        except BaseException as error:  # noqa: BLE001 - the process boundary: every failure travels as data
            message = ended_by(error)
        if os.getpid() != me:  # a process that the task forked came back from it: the job is its parent's
            os._exit(message["status"] != JobStatus.COMPLETED)
        done = assignment.is_last or message["status"] != JobStatus.COMPLETED or _left_something()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the sweep's parent is gone
            _send(connection, kind="outcome", **message, done=done)
        if message["traceback"]:
            with contextlib.suppress(OSError):  # a full disk: the ledger has it, or nothing can
                sys.stderr.write(message["traceback"])
        if done:
            break
    connection.close()


def _unpack(data: bytes, program: Main) -> Common:
    import_main(program)
    common: Common = cloudpickle.loads(data)
    if common.folder is not None:
        hold_as_job(common.folder)
    return common


def _receive(connection: Connection) -> Assignment | None:
    try:
        assignment: Assignment = pickle.loads(connection.recv_bytes())  # noqa: S301 - from our own parent
    except (EOFError, ConnectionResetError):
        return None
    return assignment


@contextlib.contextmanager
def _as_found() -> Iterator[None]:
    """Give the next job the environment and the folder that this one was given."""
    environment, folder = dict(os.environ), Path.cwd()
    try:
        yield
    finally:
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        os.chdir(folder)


def _left_something() -> bool:
    """Whether a job left threads or processes that the next one should not have to live with."""
    ours = {threading.main_thread().name, WATCH}
    if any(thread.name not in ours for thread in threading.enumerate()):
        return True
    try:
        return any(task.joinpath("children").read_text() for task in Path("/proc/self/task").iterdir())
    except OSError:
        return False


def _end_with_the_sweep() -> None:
    """End this process group as SIGTERM would if the sweep's parent dies, however that comes about."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os.killpg(0, signal.SIGTERM)

    threading.Thread(target=watch, name=WATCH, daemon=True).start()


def _send(connection: Connection, **message: Any) -> None:
    # The standard library's JSON, because it keeps NaN and the infinities as they are.
    connection.send_bytes(json.dumps(message).encode())


def _redirect_output(log: Path) -> None:
    """Append stdout and stderr, of this process and of what it starts, to the job's log."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(
            OSError, AttributeError
        ):  # nobody reads what is left in it, or there is none
            stream.flush()
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a replaced stream may lack it


@contextlib.contextmanager
def _tracked(connection: Connection, common: Common, assignment: Assignment) -> Iterator[None]:
    """Make tracked runs name their sweep and job, and tell the supervisor about each."""

    def on_start(run_id: str, run_dir: Path) -> None:
        _send(connection, kind="run", run=run_id, dir=str(run_dir.absolute()))

    with job_context(
        sweep=common.sweep,
        job=assignment.number,
        key=assignment.key,
        config_hash=assignment.config_hash,
        attempt=assignment.attempt,
        previous=assignment.previous,
        objective=common.objective,
        on_start=on_start,
    ):
        yield


def _run(common: Common, config: DictConfig) -> JobReturn:
    # Not Singleton.set_state: that scans for plug-ins anew, which no job needs.
    Singleton._instances.update(common.singletons["instances"])
    BaseContainer._resolvers = common.singletons["omegaconf_resolvers"]
    setup_globals()
    return run_as_hydra(common, config)


def run_as_hydra(common: Common, config: DictConfig) -> JobReturn:
    """Run one job with Hydra's own ``run_job``, which is made to set it up fast."""
    with contextlib.ExitStack() as setting_up:
        setting_up.enter_context(quick_configs())
        return run_job(
            hydra_context=_telling_when_set_up(common.hydra_context, setting_up),
            task_function=common.task_function,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )


def _telling_when_set_up(context: HydraContext, setting_up: contextlib.ExitStack) -> HydraContext:
    """Close `setting_up` when Hydra has set the job up, before any callback or task of the user's."""
    callbacks = Callbacks()
    callbacks.callbacks = [_SetUp(setting_up), *context.callbacks.callbacks]
    return replace(context, callbacks=callbacks)


class _SetUp(Callback):
    def __init__(self, until_now: contextlib.ExitStack) -> None:
        self._until_now = until_now

    def on_job_start(self, config: DictConfig, **_kwargs: Any) -> None:  # noqa: ARG002 - Hydra's signature
        self._until_now.close()


def _describe(result: JobReturn) -> dict[str, Any]:
    value = result._return_value
    if result.status is HydraStatus.COMPLETED:
        return {"status": JobStatus.COMPLETED, "value": plain_value(value), "error": None, "traceback": None}
    return ended_by(value)
