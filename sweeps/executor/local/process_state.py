"""The state of a process that a job may change: set anew for each job, put back before the next one in the same child."""

import atexit
import gc
import locale
import os
import random
import resource
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import get_all_start_methods, get_start_method, set_start_method
from typing import Any, NamedTuple

from omegaconf.basecontainer import BaseContainer

from sweeps.executor.local.ending import is_the_users

SIGNALS = tuple(map(int, signal.valid_signals()))
_handler_of = import_module(
    "_signal"
).getsignal  # that of `signal` makes an enum of each answer, at fifty times the cost
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
LINE_BUFFERED = 1


@contextmanager
def restored_environment() -> Iterator[None]:
    """Restore the environment variables after the block."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def open_streams() -> None:
    """Make new text streams for file descriptors 1 and 2, whatever became of the old ones, and an empty stdin.

    They write UTF-8 and escape what it cannot hold, so that no character costs a job its result.
    """
    null = os.open(os.devnull, os.O_RDONLY)
    if null:
        os.dup2(null, 0)
        os.close(null)
    if getattr(sys.stdin, "closed", True):
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long as the process
    for number, name in ((1, "stdout"), (2, "stderr")):
        with suppress(Exception):  # a stream of the user's own may raise anything
            getattr(sys, name).flush()
        stream = open(  # noqa: SIM115 - as long as the process
            number, "w", LINE_BUFFERED, encoding="utf-8", errors="backslashreplace", closefd=False
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def draw_anew() -> None:
    """Seed the global random generators that are loaded, as a new process does: jobs must not share their draws."""
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.default_generator.seed()


def random_states() -> dict[str, object]:
    """Return the states of the global random generators that are loaded."""
    states: dict[str, object] = {"random": random.getstate()}
    if "numpy.random" in sys.modules:
        kind, keys, *rest = sys.modules["numpy.random"].get_state()
        states["numpy"] = kind, keys.tobytes(), *rest
    torch = sys.modules.get("torch")
    if torch is not None:
        states["torch"] = torch.default_generator.get_state().tolist()
    return states


def chosen_start_method() -> str | None:
    """Return the start method of processes that the program has chosen; None while it is the usual one."""
    method = get_start_method(allow_none=True)
    return None if method == get_all_start_methods()[0] else method


def choose_start_method(method: str | None) -> None:
    """Choose a start method, unless this process has chosen one."""
    if method is not None and get_start_method(allow_none=True) is None:
        set_start_method(method)


class Part(NamedTuple):
    """A part of the state: read it, and set it to what was read."""

    read: Callable[[], Any]
    write: Callable[[Any], object]


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _handlers() -> dict[int, Any]:
    known = {number: _handler_of(number) for number in SIGNALS}
    return {number: handler for number, handler in known.items() if handler is not None}


def _set_handlers(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        if _handler_of(number) is not handler:
            signal.signal(number, handler)


def _stop_timers(_before: object) -> None:
    for timer in TIMERS:
        signal.setitimer(timer, 0)


def _set_list(name: str, own: list[Any], before: list[Any]) -> None:
    own[:] = before
    setattr(sys, name, own)  # a job may have put another list in its place


def _attribute(module: Any, name: str) -> Part:
    return Part(lambda: getattr(module, name), lambda before: setattr(module, name, before))


def _set_filters(before: list[Any]) -> None:
    filters: Any = warnings.filters
    if filters != before:
        warnings.resetwarnings()  # which makes Python forget what the old filters decided
        filters[:] = before


def _set_resolvers(before: dict[str, Any]) -> None:
    BaseContainer._resolvers = dict(before)


def _switch_gc(on: bool) -> None:
    (gc.enable if on else gc.disable)()


# What jobs that take turns in one process keep apart, too; cheap to read.
PARTS = (
    Part(_umask, os.umask),
    Part(_handlers, _set_handlers),
    Part(
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        lambda before: signal.pthread_sigmask(signal.SIG_SETMASK, before),
    ),
    Part(lambda: (sys.path, [*sys.path]), lambda before: _set_list("path", *before)),
    Part(lambda: (sys.argv, [*sys.argv]), lambda before: _set_list("argv", *before)),
    Part(lambda: (sys.meta_path, [*sys.meta_path]), lambda before: _set_list("meta_path", *before)),
    *(_attribute(sys, name) for name in ("stdin", "excepthook", "displayhook", "unraisablehook")),
    _attribute(threading, "excepthook"),
    Part(lambda: [*warnings.filters], _set_filters),
    _attribute(warnings, "showwarning"),
    Part(lambda: dict(BaseContainer._resolvers), _set_resolvers),
    Part(sys.getrecursionlimit, sys.setrecursionlimit),
    Part(lambda: locale.setlocale(locale.LC_ALL), lambda before: locale.setlocale(locale.LC_ALL, before)),
    Part(gc.isenabled, _switch_gc),
    Part(
        lambda: get_start_method(allow_none=True),
        lambda before: set_start_method(before, force=True),
    ),
)
_PARTS = (
    Part(lambda: None, _stop_timers),  # before the handlers: an alarm would end a process that has none
    *PARTS,
    Part(os.getcwd, os.chdir),
)
# What a library that may not be loaded yet keeps: its module, how to read and to write it, and its usual value.
_OF_LIBRARIES = (
    ("torch", "get_default_dtype", "set_default_dtype", "float32"),
    ("torch", "is_grad_enabled", "set_grad_enabled", True),
    ("torch", "are_deterministic_algorithms_enabled", "use_deterministic_algorithms", False),
    ("numpy", "geterr", "seterr", {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}),
)
# What cannot be put back: a job that changes it costs the child that ran it.
_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


def _fixed() -> tuple[object, ...]:
    return os.nice(0), [resource.getrlimit(limit) for limit in _LIMITS]


class ProcessState:
    """The state of this process when it was made; `restore` goes back to it."""

    def __init__(self) -> None:
        self._has_handlers = False
        exits: Any = atexit
        self._register = exits.register
        exits.register = self._noting
        self._parts = [part.read() for part in _PARTS]
        self._libraries = read_libraries()
        self._fixed = _fixed()

    def restore(self) -> bool:
        """Put the state back; return whether that was possible, so that another job may run here."""
        try:
            for part, before in zip(_PARTS, self._parts, strict=True):
                part.write(before)
            write_libraries(self._libraries)
        except Exception:  # noqa: BLE001 - whatever cannot be put back, and the hooks of users, cost the child alone
            return False
        return _fixed() == self._fixed and not self._has_handlers

    def _noting(self, handler: Any, *arguments: Any, **named: Any) -> Any:
        """Register an exit handler; what the user's code registers must run when the job ends."""
        caller = str(sys._getframe(1).f_globals.get("__name__"))
        self._has_handlers = self._has_handlers or is_the_users(caller)
        return self._register(handler, *arguments, **named)


def read_libraries() -> list[Any]:
    """Return the modes that libraries keep for the process, such as torch's default type; usual ones where it is not loaded."""
    return [_read(*each) for each in _OF_LIBRARIES]


def write_libraries(modes: Sequence[Any]) -> None:
    """Set the modes of libraries that are loaded to what `read_libraries` returned."""
    for (module, reader, writer, _), before in zip(_OF_LIBRARIES, modes, strict=True):
        library = sys.modules.get(module)
        if library is not None:
            _write(library, reader, writer, before)


def _read(module: str, reader: str, _writer: str, usual: Any) -> Any:
    library = sys.modules.get(module)
    return usual if library is None else getattr(library, reader)()


def _write(library: Any, reader: str, writer: str, before: Any) -> None:
    value = getattr(library, before) if isinstance(before, str) else before
    if getattr(library, reader)() == value:
        return
    if isinstance(value, dict):
        getattr(library, writer)(**value)
    else:
        getattr(library, writer)(value)
