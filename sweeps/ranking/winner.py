"""Shows the winner of a sweep to a function of the app's, in a process of its own.

The process of the sweep has none of the packages that such a function needs, as those that draw. The other process starts
with the sweep, at the lowest priority, and has loaded them when there is a winner.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TIMEOUT_S = 300.0
# The path comes first, because podium itself may lie on it; its packages come from their own folder, because a user's may
# have modules of the same names.
PROGRAM = """\
import os, sys
os.nice(19)
sys.path[:] = [{own!r}, *{path!r}]
import sweeps, tracking
sys.path[:] = {path!r}
from importlib import import_module
function = getattr(import_module({module!r}), {name!r})
run_dir = os.fsdecode(sys.stdin.buffer.read())
if run_dir:
    function(run_dir)
"""
OWN = Path(__file__).resolve().parents[2]  # the folder of podium's packages
Show = Callable[
    [Path], str | None
]  # takes the folder of the winner's run, and returns why it failed, or None


@contextmanager
def showing(dotted: str | None) -> Iterator[Show]:
    """Start a process for a function; yield what calls it there with the winner's run, or does nothing without a function."""
    if dotted is None:
        yield lambda _run_dir: None
        return
    module, _, name = dotted.rpartition(".")
    path = [entry for entry in sys.path if isinstance(entry, str)]
    program = PROGRAM.format(own=str(OWN), path=path, module=module, name=name)
    process = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )

    def show(run_dir: Path) -> str | None:
        try:
            output, _ = process.communicate(os.fsencode(run_dir), timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            return f"{dotted} failed: {error}"
        if process.returncode == 0:
            return None
        lines = output.decode(errors="backslashreplace").strip().splitlines()
        return f"{dotted} failed: {lines[-1] if lines else f'exit code {process.returncode}'}"

    try:
        yield show
    finally:
        process.kill()  # does nothing to one that has ended
        process.communicate()
