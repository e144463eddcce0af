"""The forkserver of a sweep: started once, with the task's modules loaded, and deaf to the terminal's Ctrl-C."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext

from sweeps.executor import warmup
from sweeps.settings import LauncherSettings
from sweeps.slots import THREAD_VARIABLES


def warm_forkserver(settings: LauncherSettings) -> ForkServerContext:
    """Start this process's forkserver with the preload modules, unless it is running already."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", warmup.__name__])
    added = {warmup.VARIABLE: warmup.describe([*_configuring(), "sweeps.job", *settings.preload])}
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


def _configuring() -> list[str]:
    """What this process has loaded of Hydra, its plug-ins included: a job's config cannot be unpacked without it."""
    return [name for name in sys.modules if name.partition(".")[0] in {"hydra", "hydra_plugins", "omegaconf"}]


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
