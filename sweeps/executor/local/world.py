"""What a process is for one of the jobs that take turns in it: put away when another one has its turn, put back later.

Environment, folder, output, logging, signals, random numbers, the run that is open and more, but not what Python has
imported: jobs of one process share the modules of their program. A change of worlds costs about 0.2 ms.
"""

import ctypes
import fcntl
import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton

from sweeps.executor import overheard
from sweeps.executor.local.process_state import (
    PARTS,
    TIMERS,
    Part,
    draw_anew,
    read_libraries,
    write_libraries,
)
from tracking.process.turns import read_lists, write_lists

OUTPUT = (1, 2)  # the file descriptors of what a job prints
FIRST = 3  # the first file descriptor that is none of the standard streams


class World:
    """The world of a job: what the process was when it was last put away."""

    def __init__(self) -> None:
        self._descriptors: list[int | None] = [None for _ in OUTPUT]
        self._timers: list[tuple[float, float]] = []
        self._draws: Mapping[str, Any] = {}
        self._values: list[Any] = []
        self._libraries: list[Any] = []
        self._shown = 0

    def put_away(self) -> None:
        """Note what the process is now, for `enter`."""
        _flush()
        for place, number in enumerate(OUTPUT):
            kept, self._descriptors[place] = self._descriptors[place], _copy(number)
            if kept is not None:
                os.close(kept)
        self._timers = [signal.setitimer(timer, 0) for timer in TIMERS]
        self._draws = _draws()
        self._values = [part.read() for part in _PARTS]
        self._libraries = read_libraries()
        self._shown = overheard.shown()

    def enter(self, left: "World | None" = None) -> None:
        """Make the process what was noted; `left` is the world that was put away just before, if there is one."""
        if left is None:
            _flush()
        for number, kept in zip(OUTPUT, self._descriptors, strict=True):
            if kept is not None:
                os.dup2(kept, number)
            else:
                with suppress(OSError):
                    os.close(number)
        values = [part.read() for part in _PARTS] if left is None else left._values
        for part, now, before in zip(_PARTS, values, self._values, strict=True):
            if now != before:
                part.write(before)
        write_libraries(self._libraries)
        _draw_from(self._draws)
        for timer, (left_s, interval_s) in zip(TIMERS, self._timers, strict=True):
            signal.setitimer(timer, left_s, interval_s)
        if overheard.shown() != self._shown:  # what another job has been warned of, this one has not
            with warnings.catch_warnings():
                pass  # which makes Python forget what it has shown

    def end(self, first: "World") -> None:
        """End a job whose world the process is in: close its logging handlers, those that `first` does not have.

        Python closes them when a process ends, and complains of one that is freed before.
        """
        known = {id(handler) for handler in first._handlers()}
        logging.shutdown([each for each in _logging._handlerList if id(each()) not in known])
        self.close()

    def _handlers(self) -> list[Any]:
        (state,) = (value for part, value in zip(_PARTS, self._values, strict=True) if part is _LOGGING)
        return [each() for each in state[4]]

    def close(self) -> None:
        """Close what this keeps open."""
        for kept in self._descriptors:
            if kept is not None:
                os.close(kept)
        self._descriptors = [None for _ in OUTPUT]


def _copy(descriptor: int) -> int | None:
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST)
    except OSError:  # the job has closed it
        return None


_C = ctypes.CDLL(None)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # a stream of the user's own may raise anything
            stream.flush()
    _C.fflush(None)


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return None


def _set_folder(folder: str | None) -> None:
    if folder is not None:
        with suppress(OSError):
            os.chdir(folder)


_environ: Any = os.environ


def _environment() -> dict[bytes, bytes]:
    variables: dict[bytes, bytes] = _environ._data.copy()
    return variables


def _set_environment(wanted: Mapping[bytes, bytes]) -> None:
    now = _environment()
    for name in now.keys() - wanted.keys():
        os.environb.pop(name)
    for name, value in wanted.items():
        if now.get(name) != value:
            os.environb[name] = value


def _streams() -> list[Any]:
    return [sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__]


def _set_streams(streams: Sequence[Any]) -> None:
    sys.stdout, sys.stderr = streams[:2]
    for name, stream in zip(("__stdout__", "__stderr__"), streams[2:], strict=True):
        setattr(sys, name, stream)


def _loggers() -> Iterator[logging.Logger]:
    yield logging.root
    for each in list(logging.root.manager.loggerDict.values()):
        if isinstance(each, logging.Logger):
            yield each


def _levels() -> dict[logging.Logger, tuple[Any, ...]]:
    return {
        each: (each.level, each.propagate, each.disabled, (*each.handlers,), (*each.filters,))
        for each in _loggers()
    }


def _set_levels(wanted: Mapping[logging.Logger, tuple[Any, ...]]) -> None:
    for logger in _loggers():
        state = wanted.get(logger)
        if state is None:
            if _is_of_a_library(logger):
                continue  # configured by its own import, which no other job will repeat
            state = logging.NOTSET, True, False, (), ()
        level, logger.propagate, logger.disabled, handlers, filters = state
        if logger.level != level:
            logger.setLevel(level)
        logger.handlers, logger.filters = [*handlers], [*filters]


def _is_of_a_library(logger: logging.Logger) -> bool:
    file = getattr(sys.modules.get(logger.name.partition(".")[0]), "__file__", None)
    return isinstance(file, str) and bool({"site-packages", "dist-packages"} & set(Path(file).parts))


_logging: Any = logging


def _logging_state() -> tuple[Any, ...]:
    return (
        logging.root.manager.disable,
        logging.Logger.callHandlers,
        logging.getLogRecordFactory(),
        _logging._warnings_showwarning,
        [*_logging._handlerList],
        dict(_logging._handlers.items()),
    )


def _set_logging_state(wanted: tuple[Any, ...]) -> None:
    disable, call_handlers, factory, _logging._warnings_showwarning, every, by_name = wanted
    if logging.root.manager.disable != disable:
        logging.disable(disable)
    _logging.Logger.callHandlers = call_handlers
    logging.setLogRecordFactory(factory)
    _logging._handlerList[:] = every
    _logging._handlers.clear()
    _logging._handlers.update(by_name)


class _Hydra:
    """Hydra's state. No two are equal: comparing configs takes longer than to set them."""

    def __init__(self) -> None:
        self._instances = dict(Singleton._instances)
        self._config, self._hydra = HydraConfig.instance().cfg, GlobalHydra.instance().hydra

    def restore(self) -> None:
        """Set it."""
        Singleton._instances.clear()
        Singleton._instances.update(self._instances)
        HydraConfig.instance().cfg, GlobalHydra.instance().hydra = self._config, self._hydra


def _loop() -> Any:
    events: Any = sys.modules.get("asyncio.events")
    return None if events is None else events._get_running_loop()


def _set_loop(loop: Any) -> None:
    events: Any = sys.modules.get("asyncio.events")
    if events is not None:
        events._set_running_loop(loop)


_LOGGING = Part(_logging_state, _set_logging_state)
_PARTS = (
    Part(_environment, _set_environment),
    Part(_folder, _set_folder),
    Part(_streams, _set_streams),
    Part(_levels, _set_levels),
    _LOGGING,
    Part(_Hydra, _Hydra.restore),
    Part(read_lists, write_lists),
    Part(_loop, _set_loop),
    *PARTS,
)


def _draws() -> dict[str, Any]:
    """Return the states of the random generators that are loaded, and torch's number of threads."""
    states: dict[str, Any] = {"random": random.getstate()}
    numpy, torch = sys.modules.get("numpy.random"), sys.modules.get("torch")
    if numpy is not None:
        states["numpy"] = numpy.get_state()
    if torch is not None:
        states["torch"], states["threads"] = torch.default_generator.get_state(), torch.get_num_threads()
        if torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def _draw_from(states: Mapping[str, Any]) -> None:
    """Set the generators; one that was loaded since draws anew."""
    numpy, torch = sys.modules.get("numpy.random"), sys.modules.get("torch")
    if (numpy is not None and "numpy" not in states) or (torch is not None and "torch" not in states):
        draw_anew()
    random.setstate(states["random"])
    if "numpy" in states:
        sys.modules["numpy.random"].set_state(states["numpy"])
    if "torch" in states and torch is not None:
        torch.default_generator.set_state(states["torch"])
        if torch.get_num_threads() != states["threads"]:
            torch.set_num_threads(states["threads"])
    if "cuda" in states and torch is not None:
        torch.cuda.set_rng_state_all(states["cuda"])
