"""The files of a run that say where it came from, written when it starts."""

import functools
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tracking.errors import TrackingError
from tracking.files import atomic
from tracking.paths import RunPaths
from tracking.process.sweep_context import current_job, has_own_command
from tracking.provenance.code import Code, also_imported, current_code
from tracking.provenance.config_text import write_config
from tracking.provenance.environment import environment
from tracking.values import jsontext

log = logging.getLogger("tracking")


def capture(
    paths: RunPaths,
    *,
    config: str | None = None,
    overrides: Sequence[str] = (),
    seeds: Mapping[str, Any] | None = None,
    code: bool = True,
) -> Callable[[], None]:
    """Write env.json, git.json with git.patch, config.yaml and overrides.yaml, without secrets.

    `config` is what `config_text` returns. The first call of a process asks git and lists the packages, in 20-50 ms;
    later calls take about 1 ms. Without `overrides`, those of a sweep's job are kept for a run of its own process. Without `code` git is asked, but no code is copied. Raise StoreUnwritableError only:
    what cannot be found out is left empty, and git.json says why the run cannot be reproduced. Return a function for the
    end of the run, which adds the repositories that code was imported from meanwhile.
    """
    job = current_job()
    is_own = job is not None and has_own_command()
    env = {**environment(seeds), **({"own_command": True} if is_own else {})}
    atomic.write_json(paths.environment, jsontext.readable(env), durable=False)
    found = current_code()
    if not code:
        found = found.without_patch("the copy of the code was switched off")
    atomic.write_json(paths.git, jsontext.readable(found.content()), durable=False)
    if found.patch:
        atomic.write_bytes(paths.patch, found.patch, durable=False)
    if not overrides and job is not None and not is_own:
        overrides = job.overrides
    write_config(paths, config, overrides)
    return functools.partial(_add_late, paths, found, len(sys.modules))


def _add_late(paths: RunPaths, found: Code, modules: int) -> None:
    if len(sys.modules) == modules:
        return
    try:
        now = also_imported(found)
        if now is not found:
            atomic.write_json(paths.git, jsontext.readable(now.content()), durable=False)
    except TrackingError as error:
        log.warning("git.json does not name what was imported during the run: %s", error)
