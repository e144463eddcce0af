"""Import what the jobs of a sweep need while Hydra still composes its config.

Every Hydra app imports this module, so it imports nothing else before it is used.
"""

import os
import sys
from collections.abc import Mapping, Sequence

MULTIRUN = frozenset({"-m", "--multirun"})  # with any other option, Hydra may do something else
PLUGINS = ("hydra/launcher", "hydra/sweeper", "hydra.launcher", "hydra.sweeper.dry_run")


def import_early(modules: Sequence[str], section: str, variables: Mapping[str, str]) -> None:
    """If this command is a sweep, begin to import `modules` in a process, which will be its forkserver.

    `section` is where the app's config has the settings of its launcher, with these modules in ``preload``; `variables`
    are what the app itself adds to the environment. Call it first of all. If the sweep turns out to need another process,
    this one is killed, and so it is if no sweep starts. On one core there is nothing to gain, so nothing is started.
    """
    words = sys.argv[1:]
    options = {word for word in words if word.startswith("-")}
    if not options or not options <= MULTIRUN or _cores() < 2:
        return
    given = dict(word.lstrip("+").partition("=")[::2] for word in words if word not in options)
    others = {f"{section}.dry_run", f"{section}.gpus"}
    # A job runs the script again, in a process that has this module.
    if "sweeps.executor.local.child" in sys.modules or any(
        name in others or name.lstrip("~").startswith(PLUGINS) for name in given
    ):
        return
    from sweeps.executor.local.server_process import start_early
    from sweeps.executor.local.slots import thread_variables

    threads = given.get(f"{section}.threads", "null")
    replaces = threads.isdecimal()
    limit = int(threads) if replaces else _share(given.get(f"{section}.n_jobs", "null"))
    start_early(modules, {**thread_variables(limit, replaces=replaces), **variables})


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _share(n_jobs: str) -> int:
    """Return the threads of a job, as `sweeps.settings.reading` does."""
    return max(1, _cores() // int(n_jobs)) if n_jobs.isdecimal() and int(n_jobs) else 1
