"""The forkserver of a sweep: started once, with the task's modules loaded, immune to the signals that stop a sweep.

A terminal that is interrupted or closed, and a batch system that ends a job, signal all processes. The sweep's parent
alone decides how the sweep ends; if the forkserver died first, running jobs would look dead to the parent.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path

from sweeps.executor.local import warmup
from sweeps.executor.local.child import BLOCKED
from sweeps.executor.local.main_script import describe_main
from sweeps.executor.local.slots import THREAD_VARIABLES
from sweeps.settings.launcher_settings import LauncherSettings


def warm_forkserver(settings: LauncherSettings) -> ForkServerContext:
    """Start this process's forkserver with the preload modules, unless it is running already."""
    context = get_context("forkserver")
    context.set_forkserver_preload([warmup.__name__])
    modules = [*_loaded_here(), "sweeps.executor.local.child", *settings.preload]
    added = {warmup.VARIABLE: warmup.describe(modules, describe_main())}
    added |= {name: str(settings.threads) for name in THREAD_VARIABLES}
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        with _stop_signals_blocked():
            forkserver.ensure_running()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return context


def server_pid() -> int:
    """Return the process id of the forkserver, running or not; 0 before there is one."""
    return getattr(forkserver._forkserver, "_forkserver_pid", None) or 0  # there is no public way


def _loaded_here() -> list[str]:
    """Return what this process has loaded: Hydra and its plug-ins in full, of other installed packages the top.

    A job's config cannot be unpacked without Hydra, and jobs are likely to need the other packages.
    """
    modules = list(sys.modules.items())
    hydra = [name for name, _ in modules if name.partition(".")[0] in {"hydra", "hydra_plugins", "omegaconf"}]
    packages = {name.partition(".")[0] for name, module in modules if _is_installed(module)}
    return [*hydra, *sorted(packages - {"__main__", "__mp_main__"})]


def _is_installed(module: object) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and bool({"site-packages", "dist-packages"} & set(Path(file).parts))


@contextlib.contextmanager
def _stop_signals_blocked() -> Iterator[None]:
    """Start processes inside with the stop signals blocked and interrupts ignored.

    A blocked signal stays pending until a job unblocks it, so an order to stop that reaches a new job is not lost.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    try:
        with _ignoring_interrupts():
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
