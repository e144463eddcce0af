"""A sweep whose own process kills itself before one of the changes that it makes to its store."""

import os
import subprocess
from pathlib import Path

import forked

ROOT = Path(__file__).parents[2]

# In the sweep's process alone: its children find no such variable.
KILLER = """
import os, signal, sys

# python -m sweeps becomes the sweep's process, and tells it.
chosen = None if "sweeps" in sys.orig_argv else os.environ.pop("KILL_BEFORE", None)
store = os.path.join(os.getcwd(), "experiments")
count = 0

def watch(event, arguments):
    global count
    if event == "open":
        changes = isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    else:
        changes = event in {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}
    if changes and isinstance(arguments[0], (str, os.PathLike)) and os.fspath(arguments[0]).startswith(store):
        count += 1
        if count == int(chosen):
            os.kill(os.getpid(), signal.SIGKILL)

def tell():
    with open("changes", "w") as file:
        file.write(str(count))

if chosen is not None:
    import atexit
    atexit.register(tell)
    sys.addaudithook(watch)
"""
NEVER = 10**9


def call(folder: Path, *words: str, kill_before: int | None = None) -> "subprocess.CompletedProcess[str]":
    surroundings = {**os.environ, "PYTHONPATH": f"{folder / 'killer'}:{ROOT}"}
    if kill_before is not None:
        surroundings["KILL_BEFORE"] = str(kill_before)
    kind = "trainer" if "trainer" in words else "lenient"
    return forked.run(*words, kind=kind, cwd=folder, env=surroundings)


def put_killer(folder: Path) -> None:
    """Make a folder whose commands can be called."""
    (folder / "killer").mkdir(parents=True)
    (folder / "killer" / "sitecustomize.py").write_text(KILLER)
