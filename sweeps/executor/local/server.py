"""The forkserver of a sweep: started once, with the task's modules loaded, immune to the signals that stop a sweep.

A terminal that is interrupted or closed, and a batch system that ends a job, signal all processes. The sweep's parent
alone decides how the sweep ends; if the forkserver died first, running jobs would look dead to the parent.
"""

import json
import os
import signal
import sys
from multiprocessing import forkserver, get_context, resource_tracker
from multiprocessing.context import ForkServerContext
from pathlib import Path

from sweeps.executor.local import warmup
from sweeps.executor.local.child import BLOCKED, restored_environment
from sweeps.executor.local.main_script import describe_main
from sweeps.executor.local.slots import THREAD_VARIABLES
from sweeps.settings.launcher_settings import LauncherSettings


def warm_forkserver(settings: LauncherSettings) -> ForkServerContext:
    """Start this process's forkserver with the preload modules, unless it is running already."""
    context = get_context("forkserver")
    context.set_forkserver_preload([warmup.__name__])
    modules = [*_loaded_here(), "sweeps.executor.local.child", *settings.preload]
    wanted = {"path": sys.path, "modules": modules, "script": describe_main()}
    added = {warmup.VARIABLE: json.dumps(wanted), **dict.fromkeys(THREAD_VARIABLES, str(settings.threads))}
    # A blocked signal stays pending until a job unblocks it, so an order to stop that reaches a new job is not lost.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    try:
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)  # which starting the tracker undoes on Python 3.11
        with restored_environment():
            os.environ.update(added)
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
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
