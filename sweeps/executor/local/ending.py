"""The end of a job's process: as Python ends, without the cost of taking apart what the forkserver has loaded.

The interpreter waits for threads and calls the ``atexit`` handlers itself. Then it would free every module, which takes
0.3 s once torch is loaded. A job frees only what it loaded itself: the user's modules, with the files and
objects that they hold. Whatever the job still has open is flushed, buffers of C libraries included.
"""

import atexit
import contextlib
import ctypes
import gc
import io
import os
import sys
import sysconfig
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

SCRIPT = ("__main__", "__mp_main__")
PODIUM = {"tracking", "sweeps", "hydra_plugins"}  # in a checkout they are not installed
STANDARD_LIBRARY = sysconfig.get_path("stdlib")

_code = 1  # until a job has reported its outcome
_known: frozenset[str] = frozenset()


def remember_modules() -> None:
    """Note the modules that are loaded now: the ending leaves them alone."""
    global _known
    _known = frozenset(sys.modules)


def end_with(code: int) -> None:
    """Set the exit code of this process."""
    global _code
    _code = code


def leave() -> None:
    """End this process; the last ``atexit`` handler. Objects of the user's modules are finalised before."""
    _flush_streams()
    with contextlib.suppress(Exception):
        _flush_files()  # before a collection, which may finalise a file before its buffer
        _finalise()
        _flush_files()
    _flush_streams()
    ctypes.CDLL(None).fflush(None)
    os._exit(_code)


def leave_now() -> None:
    """End this process in the midst of the user's code, which learns nothing of it; threads and exit handlers come first."""
    shut_down: Any = threading
    shut_down._shutdown()
    exits: Any = atexit
    exits._run_exitfuncs()
    leave()


def _finalise() -> None:
    """Finalise what the user's modules hold: with their globals in place, or else by clearing them, latest first."""
    names = [name for name in sys.modules if name in SCRIPT or name not in _known]
    own = [name for name in reversed(names) if is_the_users(name)]
    # By identity, because a reference would keep the content alive.
    places = {id(vars(sys.modules[name])): place for place, name in enumerate(own)}
    for name in own:
        del sys.modules[name]
    gc.collect()
    left = [
        item for item in gc.get_objects() if type(item) is dict and id(item) in places and "__name__" in item
    ]
    for content in sorted(left, key=lambda item: places[id(item)]):
        for name in [name for name in content if name != "__builtins__"]:
            content[name] = None
    gc.collect()


def is_the_users(name: str) -> bool:
    """Return whether a loaded module is neither installed nor part of Python or podium."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if name in SCRIPT:
        return True
    if not isinstance(module, ModuleType) or not isinstance(file, str) or name.partition(".")[0] in PODIUM:
        return False
    is_installed = {"site-packages", "dist-packages"} & set(Path(file).parts)
    return not is_installed and not file.startswith(STANDARD_LIBRARY)


def _flush_files() -> None:
    for item in gc.get_objects():
        if isinstance(item, io.IOBase):
            with contextlib.suppress(Exception):
                if not item.closed:
                    item.flush()


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
