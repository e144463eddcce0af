"""The child process of a job: runs Hydra's ``run_job`` and reports in plain data.

`run_one` runs one job wherever it is called. `main` is the process around it: a process group, so that all that the
job starts can be ended with it; its output in the job's log; and a pipe for JSON messages that name the job: ``run`` for
each tracked run that is opened, ``warning`` for each kind of warning, ``asks`` and ``waits`` of a job that is judged
(`sweeps.executor.waiting`) and one ``outcome`` per job. If the child dies
before that, its supervisor reads the exit code.

A child takes one job after another as long as each completes and leaves no threads or processes behind; or several at
once, which take turns (`sweeps.executor.local.grouped`). It runs the user's script once, around all of its jobs.
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
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from hydra._internal.callbacks import Callbacks
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.core.utils import JobStatus as HydraStatus
from hydra.experimental.callback import Callback
from hydra.types import HydraContext
from omegaconf import DictConfig

from sweeps.executor.failure_text import ended_by, failure, summary
from sweeps.executor.local.ending import end_with
from sweeps.executor.local.memory import offer_to_the_oom_killer
from sweeps.executor.local.process_state import draw_anew, open_streams, restored_environment
from sweeps.executor.local.program import Common, Program
from sweeps.executor.local.results import pack_result, plain_value
from sweeps.executor.local.server_process import BLOCKED
from sweeps.executor.local.slots import Slot, limit_threads, take_place
from sweeps.executor.overheard import Tell, overheard
from sweeps.executor.waiting import gate_to, log_text
from sweeps.jobs import Job, JobStatus, Reason
from sweeps.plan.packing import quick_configs, unpack
from tracking import job_context
from tracking.process.job_gate import Gate
from tracking.process.signals import guard

_context = contextlib.ExitStack()  # that of the present job; kept here to last as long as the process
_kept: list[contextlib.ExitStack] = []  # that of the last of several jobs


class Assignment(NamedTuple):
    """Jobs for one child, and its slot; the child exits after an assignment that `is_last`.

    Several jobs take turns, at most `at_once` of them begun, and where the assignment `is_open`, which one job may be too,
    the child asks for another when one ends. `asked` is when the child was asked for, by the clock
    `time.monotonic`, which all processes of a machine share.
    """

    jobs: tuple[Job, ...]
    slot: Slot
    is_last: bool
    at_once: int = 1
    asked: float = 0.0
    is_open: bool = False

    @property
    def takes_turns(self) -> bool:
        """Whether its jobs run as a group."""
        return len(self.jobs) > 1 or self.is_open


def run_one(
    load: Callable[[], Common],
    job: Job,
    on_start: Callable[[str, Path], None],
    inside: contextlib.ExitStack,
    *,
    on_warning: Tell,
    gate: Callable[[Mapping[str, Any] | None], Gate | None] = lambda _objective: None,
) -> dict[str, Any]:
    """Run one job in this process and return its outcome as plain data, whatever the job raises.

    `load` returns what the jobs share; if it raises, that is the job's outcome. `on_start` gets the id and the folder
    of each tracked run as it is opened, `on_warning` each kind of warning. `gate` makes that of the job, from what the
    sweep is ranked by. Environment and working directory are restored afterwards. The context of the job lasts until
    `inside` is closed, for what the job leaves behind: threads, exit handlers.
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
            overrides=job.overrides,
            objective=job.ranked_by(common.objective),
            folder=job.folder,
            on_start=on_start,
            gate=gate(common.objective),
        )
        inside.enter_context(context)
        with (
            overheard(on_warning),
            restored_environment(),
            contextlib.chdir("."),
        ):  # which restores the working directory
            setup_globals()
            result = run_as_hydra(common, unpack(job.config))
            if result.status == HydraStatus.COMPLETED:
                message = {"status": JobStatus.COMPLETED, "value": plain_value(result._return_value)}
            else:
                message = ended_by(result._return_value)
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
            task_function=common.task,
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


def main(connection: Connection, alive: int, program: Program) -> None:
    """Run the jobs that come through `connection` and report on each; the process ends after it.

    `alive` is a pipe that closes when the sweep's process ends.
    """
    os.setsid()
    # Ignoring the signal drops a Ctrl-C from before this was a process group of its own.
    inherited = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
    signal.signal(signal.SIGINT, inherited)
    _end_with_the_sweep(alive)
    offer_to_the_oom_killer()
    first = _receive(connection)
    if first is None:
        end_with(0)
        return
    child = _Child(connection, program)
    job = first.jobs[0]
    fault = _set_up(job, first.slot)
    if fault is not None and not first.takes_turns:
        child.report(job, fault, is_last=True)
        return
    goes_on = first.takes_turns or not first.is_last
    program.run(lambda: child.run(first), first.slot.environment, goes_on=goes_on)


class _Child:
    """This process, which runs jobs of the program and reports on them."""

    def __init__(self, connection: Connection, program: Program) -> None:
        self._connection = connection
        self._program = program
        self._pid = os.getpid()
        self._is_open = False  # whether further jobs may join those that take turns
        self._awaited: set[int] = set()  # jobs whose start the supervisor has told already

    def run(self, first: Assignment) -> None:
        """Run the first job, for which everything is set up, and those that come after it; or jobs in turns."""
        if first.takes_turns:
            self._run_in_turns(first)
            return
        assignment, fault = first, None
        while True:
            (job,), is_last = assignment.jobs, assignment.is_last
            if not self.report(job, fault or self._run(job, _context, goes_on=not is_last), is_last=is_last):
                return
            _context.close()
            following = _receive(self._connection)
            if following is None:
                end_with(0)
                return
            assignment = following
            fault = _set_up(assignment.jobs[0], assignment.slot)

    def report(self, job: Job, message: dict[str, Any], *, is_last: bool) -> bool:
        """Report the outcome of a job; return whether this process can take another one."""
        is_completed = message["status"] == JobStatus.COMPLETED
        end_with(0 if is_completed else 1)
        if os.getpid() != self._pid:
            return False  # a process that the task forked came here: the outcome is its parent's to report
        goes_on = not is_last and is_completed
        goes_on = goes_on and self._program.can_run_another() and not _left_something()
        self._tell_outcome(job, message, is_done=not goes_on)
        return goes_on

    def _tell_outcome(self, job: Job, message: dict[str, Any], *, is_done: bool) -> None:
        message = self._program.explain(message)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the sweep's parent is gone
            told = {**message, "done": is_done, "waits_for": _threads()}
            _send(self._connection, kind="outcome", job=job.number, **told)
        with contextlib.suppress(Exception):  # a full disk: the ledger has it, or nothing can
            sys.stderr.write(log_text(job, message))

    def _run(
        self, job: Job, inside: contextlib.ExitStack, *, goes_on: bool, in_turns: bool = False
    ) -> dict[str, Any]:
        load = partial(self._program.load, goes_on=goes_on, in_turns=in_turns)
        # Not a method: the context lasts as long as the process, and must not hold what the user's program has made.
        on_start = partial(_tell_run, self._connection, job.number)
        on_warning = partial(_tell_warning, self._connection, job.number)
        gate = partial(gate_to, self._connection, job)
        return run_one(load, job, on_start, inside, on_warning=on_warning, gate=gate)

    def _run_in_turns(self, assignment: Assignment) -> None:
        from sweeps.executor.local.grouped import Group  # few sweeps need it

        self._awaited = {job.number for job in assignment.jobs[: assignment.at_once]}
        self._is_open = assignment.is_open
        with contextlib.suppress(BaseException):  # each job raises it again
            self._program.load(goes_on=True)
        live = partial(self._live, assignment.slot)
        spent_s = time.monotonic() - assignment.asked
        Group(assignment.jobs, assignment.at_once, live, spent_s=spent_s).run()

    def _live(self, slot: Slot, job: Job, group: Any) -> bool:
        """Run one of the jobs that take turns; return whether a signal has ended it."""
        inside = contextlib.ExitStack()
        if job.number not in self._awaited:
            with contextlib.suppress(OSError):  # as in `_tell_run`
                _send(self._connection, kind="started", job=job.number)
        message = _set_up(job, slot, draws=not self._program.draws)
        message = message or self._run(job, inside, goes_on=True, in_turns=True)
        end_with(0 if message["status"] == JobStatus.COMPLETED else 1)
        if os.getpid() == self._pid:
            with guard.deferring():
                if group.is_last:
                    group.fill(self._another)
                is_last = group.is_last
                self._tell_outcome(job, {**message, "share_s": group.share_s}, is_done=is_last)
                if not is_last:  # after the outcome, by which the next job is decided
                    group.fill(self._another)
            if is_last:
                _kept.append(inside)
            else:
                inside.close()
        return str(message.get("error")).startswith(KeyboardInterrupt.__name__)

    def _another(self) -> Job | None:
        """Ask for a further job of the group, which begins at once; None without one."""
        if not self._is_open:
            return None
        try:
            _send(self._connection, kind="room")
            job: Job | None = pickle.loads(self._connection.recv_bytes())  # noqa: S301 - from our own parent
        except (EOFError, OSError):  # the sweep's parent is gone
            return None
        if job is not None:
            self._awaited.add(job.number)
        return job


def _tell_run(connection: Connection, job: int, _run_id: str, run_dir: Path) -> None:
    with contextlib.suppress(OSError):  # after the outcome nobody listens; a file announces the run too
        _send(connection, kind="run", job=job, run=str(run_dir))


def _tell_warning(connection: Connection, job: int, how: str, text: str) -> None:
    _send(connection, kind="warning", job=job, how=how, text=text)


def _set_up(job: Job, slot: Slot, *, draws: bool = True) -> dict[str, Any] | None:
    """Prepare this process for a job, with its output in its log; return the outcome of a job that cannot have one.

    With `draws` the random generators are seeded anew.
    """
    log = job.folder / "output.log"
    try:
        _redirect_output(log)
    except OSError as error:
        return failure(f"could not open its log: {summary(error)}", reason=Reason.LOST)
    faulthandler.enable()
    take_place(slot)
    if draws:
        draw_anew()
    return None


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
