"""Preloaded by the forkserver: imports, once, the modules that each job would otherwise import itself.

The forkserver takes module names only, and on Python 3.11 it does not get the parent's ``sys.path``; both travel in
an environment variable. A module that cannot be imported is skipped; the job's own import then shows the error.
"""

import gc
import importlib
import json
import os
import sys

VARIABLE = "PODIUM_WARMUP"


def warm_up() -> None:
    """Import the modules that `VARIABLE` names; do nothing in a process that has no such variable."""
    text = os.environ.pop(VARIABLE, None)
    if text is None:
        return
    wanted = json.loads(text)
    sys.path[:] = wanted["path"]
    for name in wanted["modules"]:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - any error of a user's module shows again in its job
            sys.stderr.write(f"podium: could not preload {name}: {error}\n")
    from sweeps.executor.local.main_script import defer_main

    defer_main(wanted["script"])
    _learn_to_read_configs()
    gc.collect()
    gc.freeze()  # a collection in a job would copy the pages that it shares with this process


def _learn_to_read_configs() -> None:
    """Parse typical interpolations once: the parser builds its tables as it parses, otherwise again in each job."""
    from omegaconf.grammar_parser import parse

    for text in ("jobs/${hydra.job.num}", "${now:%Y-%m-%d}/${oc.env:HOME,/}", "${hydra.sweep.dir}"):
        parse(text)


warm_up()
