"""A node: the process that runs the jobs of a sweep on this machine, as `sweeps.executor.local` does, for a parent elsewhere.

It ends when the parent says so; when it gets SIGTERM, as from a batch system that takes the machine back, or hears nothing
for too long, and then its jobs are stopped gently, to run elsewhere; and with its guard (`sweeps.executor.cluster.node_guard`).
"""

import contextlib
import os
import queue
import signal
import sys
import threading
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from sweeps.executor.cluster.messages import Head, Hello, unpacked
from sweeps.executor.cluster.wire import Wire, taken_over
from tracking.version import __version__

if TYPE_CHECKING:
    from sweeps.executor.local.executor import LocalExecutor
    from sweeps.jobs import Outcome
    from sweeps.settings.launcher_settings import LauncherSettings

PATIENCE_S = 120.0  # how long a node waits to be told what to do
FOREVER_S = 1e6
SETTLES_S = 1.0  # by which SIGTERM may reach a job before it reaches its node
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"  # code and pickles of one version are none of another


def main(guard: int) -> NoReturn:
    """Run jobs for the process at the other end of stdin and stdout; the pipe `guard` ends with this process's guard."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # a thread waits for it
    wire = Wire(*taken_over())
    node = _Node(wire)
    for target in (node.listen, node.await_signal, lambda: _end_with(guard, wire)):
        threading.Thread(target=target, name="podium-node", daemon=True).start()
    node.run()
    os._exit(0)


class _Node:
    """What this process is told, and what it does then."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._hello: queue.SimpleQueue[tuple[Head, bytes] | None] = queue.SimpleQueue()
        self._lease_s = PATIENCE_S
        self._executor: LocalExecutor | None = None
        self._lock = threading.Lock()
        self._ordered = 0  # how often the parent has said stop
        self._wanted = 0  # how often the executor is to be told, which ends jobs by force the second time
        self._stops = 0  # how often it was
        self._has_left = threading.Event()  # the parent knows, and the executor starts no more jobs
        self._is_over = threading.Event()

    def run(self) -> None:
        """Run jobs until there are no more."""
        hello = self._hello.get()
        if hello is None:
            self._wire.flush()
            return
        head, body = hello
        fault = _other_versions(head) or self._begin(head, body)
        if fault is not None:
            self._wire.tell("refused", error=fault)
            self._wire.flush()
            return
        self._work()
        self._is_over.wait()
        self._wire.flush()

    def listen(self) -> None:
        """Hear the parent as long as it is there."""
        if not self._wire.read(self._hear, patience_s=lambda: self._lease_s):
            self.leave(f"it heard nothing from the sweep for {self._lease_s:g} s", is_heard=False)
            self._wire.read(self._hear, patience_s=lambda: FOREVER_S)
        os._exit(1)  # the guard ends the jobs

    def await_signal(self) -> None:
        """Leave when this process gets SIGTERM."""
        signal.sigwait({signal.SIGTERM})
        self.leave("it got SIGTERM", is_heard=True)

    def leave(self, why: str, *, is_heard: bool) -> None:
        """Stop the jobs gently and end; the parent lets others go on with them."""
        self._wire.tell("leaving", why=why)
        if not is_heard:
            self._wire.expect_nothing()
        self._hello.put(None)
        self._is_over.set()
        self._stop(1)
        self._has_left.set()

    def _hear(self, head: Head, body: bytes) -> None:
        match head["kind"]:
            case "hello":
                self._lease_s = float(head["lease_s"])
                self._hello.put((head, body))
            case "ping":
                self._wire.tell("pong")
            case "stop":
                self._ordered += 1
                self._stop(self._ordered)
            case "end":
                self._is_over.set()

    def _stop(self, wanted: int) -> None:
        """Stop the executor so many times in all, once it is there."""
        with self._lock:
            self._wanted = max(self._wanted, wanted)
            while self._executor is not None and self._stops < self._wanted:
                self._stops += 1
                self._executor.stop()

    def _begin(self, head: Head, body: bytes) -> str | None:
        """Make the executor of this node; return what keeps this machine from running the sweep's jobs."""
        # Not before: the parent is answered while this loads.
        from sweeps.errors import SettingsError
        from sweeps.executor.cluster import belongings, sharing
        from sweeps.executor.cluster.asking import Asking
        from sweeps.executor.local.executor import LocalExecutor

        hello: Hello = unpacked(body)
        preparation = belongings.fitted(hello.prepared.preparation, os.environ)
        path, text = head["nonce"]
        fault = sharing.why_not_shared(Path(path), text) or belongings.why_not_runnable(preparation)
        if fault is not None:
            return fault
        try:
            settings = _settings(hello)
        except SettingsError as error:
            return str(error)
        belongings.enter(preparation)
        prepared = hello.prepared._replace(preparation=preparation)
        supply = Asking(self._wire).supply
        self._executor = LocalExecutor(settings, prepared, supply=supply, settle=self._settle)
        self._stop(0)
        self._wire.tell("ready", places=settings.n_jobs, host=os.uname().nodename)
        return None

    def _work(self) -> None:
        from sweeps.executor.cluster.asking import AskedShards, Asking

        asking, executor = Asking(self._wire), self._executor
        if executor is not None:
            for outcome in executor.run_shards(AskedShards(self._wire), asking.hear, asking.judge):
                asking.end(outcome)

    def _settle(self, outcome: "Outcome") -> None:
        """Wait, if a signal may have ended a job, until this node would have got it too: it may be for the whole machine."""
        from sweeps.executor.cluster.assignments import BY_LEAVING

        with self._lock:
            is_stopped = self._stops > 0
        if not is_stopped and outcome.reason in BY_LEAVING:
            self._has_left.wait(SETTLES_S)


def versions() -> Head:
    """Return what a node compares with its own before it takes anything else from the sweep's process."""
    return {"podium": __version__, "python": PYTHON}


def _other_versions(head: Head) -> str | None:
    for name, own in versions().items():
        if head.get(name) != own:
            return f"it has {name} {own}, and the sweep was started with {name} {head.get(name)}; both must be the same"
    return None


def _settings(hello: Hello) -> "LauncherSettings":
    """Return the settings as they hold on this machine; raise `SettingsError` for GPUs that it lacks."""
    from sweeps.settings.gpus import gpu_names

    joblib: Any = import_module("joblib")
    settings, cores = hello.settings, int(joblib.cpu_count())
    gpus = gpu_names([*settings.gpus], settings.jobs_per_gpu) if settings.gpus else ()
    places = hello.places or len(gpus) * settings.jobs_per_gpu or cores
    threads = settings.threads if settings.sets_threads else max(1, cores // places)
    return replace(settings, n_jobs=places, threads=threads, gpus=gpus)


def _end_with(guard: int, wire: Wire) -> None:
    """End with all jobs when the guard has gone, which would have ended them."""
    with contextlib.suppress(OSError):
        os.read(guard, 1)
    wire.fall_silent()
    psutil: Any = import_module("psutil")
    while below := psutil.Process().children(recursive=True):
        for each in below:
            with contextlib.suppress(psutil.Error):
                each.kill()
        psutil.wait_procs(below)  # the output of this process stays open until then
    os._exit(1)
