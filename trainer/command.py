"""The commands `podium train` and `podium inspect`: `python -m trainer` and `trainer.inspect`, in place of this process.

A sweep's jobs, its plan and Hydra know the app as `python -m trainer` then, which also finds models and data sets of the
user's in the working folder.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra_plugins.podium.packages import hidden
from tracking.extras import missing

ASKED_TO_COMPLETE = "--complete"


def main(arguments: Sequence[str]) -> int:
    """Train a model, or with -m a sweep of them (a Hydra app).

    Return an exit code for what keeps the app from starting; it replaces this process otherwise. Hydra's own completion
    answers a shell.
    """
    asked = arguments[:1] == [ASKED_TO_COMPLETE]
    message = _refusal()
    if message is not None:
        if not asked:
            sys.stderr.write(f"error: {message}\n")
        return 1
    if asked:
        line = " ".join(["trainer", *arguments[1:]])
        return _become(["--shell-completion", "query=fish"], {"COMP_LINE": line})  # a candidate per line
    return _become(arguments, {})


def inspect(arguments: Sequence[str]) -> int:
    """Show what a table holds, without training: columns, roles, target, splits.

    Return an exit code for what keeps it from starting; it replaces this process otherwise.
    """
    if arguments[:1] == [ASKED_TO_COMPLETE]:
        return main(arguments)  # the keys are the same
    message = _refusal()
    if message is not None:
        sys.stderr.write(f"error: {message}\n")
        return 1
    return _become(arguments, {}, "trainer.inspect")


def _refusal() -> str | None:
    """Return why the app cannot start: an extra is missing, or a module of the user's would be started in its place."""
    # As `python -m trainer` will look for them.
    path = sys.path if sys.flags.safe_path else [str(Path.cwd()), *sys.path]
    return missing("trainer") or hidden("trainer", path=path)


def _become(arguments: Sequence[str], variables: Mapping[str, str], module: str = "trainer") -> int:
    sys.stdout.flush()
    command = [sys.executable, "-m", module, *arguments]
    os.execve(sys.executable, command, {**os.environ, **variables})  # noqa: S606 - no shell is wanted
    return 0
