"""The forkserver of a sweep: started once, with the task's modules loaded, and deaf to signals.

A terminal that is interrupted or closed, and a batch system that ends a job, signal every process there is. How the
sweep ends is for its parent to decide; without the forkserver it would take its running jobs for dead.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext

from sweeps.executor.local import warmup
from sweeps.executor.local.child import BLOCKED
from sweeps.executor.local.main_script import describe_main, libraries
from sweeps.executor.local.slots import THREAD_VARIABLES
from sweeps.settings.launcher_settings import LauncherSettings


def warm_forkserver(settings: LauncherSettings) -> ForkServerContext:
    """Start this process's forkserver with the preload modules, unless it is running already."""
    context = get_context("forkserver")
    context.set_forkserver_preload([warmup.__name__])
    modules = [*_configuring(), *libraries(), "sweeps.executor.local.child", *settings.preload]
    added = {warmup.VARIABLE: warmup.describe(modules, describe_main())}
    added |= {name: str(settings.threads) for name in THREAD_VARIABLES}
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        with _deaf():
            forkserver.ensure_running()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return context


def server_pid() -> int:
    """The forkserver's process, gone or not; 0 before there is one."""
    return getattr(forkserver._forkserver, "_forkserver_pid", None) or 0  # nothing public tells


def _configuring() -> list[str]:
    """What this process has loaded of Hydra, its plug-ins included: a job's config cannot be unpacked without it."""
    return [name for name in sys.modules if name.partition(".")[0] in {"hydra", "hydra_plugins", "omegaconf"}]


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Let a process started inside be deaf from its first moment.

    What is only blocked is there again for whoever unblocks it, as the jobs do: an order to stop that reaches a
    job in its first moment is not lost.
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
