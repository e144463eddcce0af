"""Preloaded by the forkserver: imports, once, what every job would otherwise import for itself.

The forkserver can only be told module names, and on Python 3.11 it does not get the parent's
``sys.path``; both travel in an environment variable. A module that cannot be imported is left to the
job, whose own import then shows the error.
"""

import gc
import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence

VARIABLE = "PODIUM_WARMUP"


def describe(modules: Sequence[str], program: Mapping[str, str]) -> str:
    """Return the text to put into `VARIABLE` while the forkserver starts."""
    return json.dumps({"path": sys.path, "modules": list(modules), "program": dict(program)})


def warm_up() -> None:
    """Import what `VARIABLE` names; does nothing in any other process."""
    text = os.environ.pop(VARIABLE, None)
    if text is None:
        return
    wanted = json.loads(text)
    sys.path[:] = wanted["path"]
    for name in wanted["modules"]:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - any fault of a user's module shows again in its job
            sys.stderr.write(f"podium: could not preload {name}: {error}\n")
    from sweeps.executor.local.main_script import pretend

    pretend(wanted["program"])
    _learn_to_read_configs()
    gc.collect()
    gc.freeze()  # a collection in a job would only copy the pages that it shares with this process


def _learn_to_read_configs() -> None:
    """Parse what configs hold: the parser's tables are built while it parses, by each job anew otherwise."""
    from omegaconf.grammar_parser import parse

    for text in ("jobs/${hydra.job.num}", "${now:%Y-%m-%d}/${oc.env:HOME,/}", "${hydra.sweep.dir}"):
        parse(text)


warm_up()
