"""The process of a forkserver: started for a sweep, or early, to import modules while the sweep is still composed.

A process that was started early serves a sweep only if it is what the sweep would start. Else it is killed, as it is
when no sweep takes it. It writes nothing before it is taken, and ends by itself after its parent has. This module
imports little, because a command that starts a process early imports it first.
"""

import atexit
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from multiprocessing.spawn import get_command_line
from pathlib import Path
from typing import NamedTuple

# The first exit handler runs last. The path comes first, because podium itself may lie on it; its packages come from their
# own folder, because a user's may have modules of the same names.
PROGRAM = """\
import atexit, sys
last = []
atexit.register(lambda: [each() for each in last])
sys.path[:] = [{own!r}, *{path!r}]
import sweeps, tracking
sys.path[:] = {path!r}
from sweeps.executor.local import forkserver
forkserver.serve({requests}, last, {modules!r})
"""
OWN = Path(__file__).resolve().parents[3]  # the folder of podium's packages
FIRST = 3  # the first file descriptor that is none of the standard streams
# Signals that stop a sweep: blocked in the forkserver, and in a job at first.
BLOCKED = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

BY_JOBLIB = {"KMP_INIT_AT_FORK": "FALSE"}  # what importing joblib adds to the environment


class Conditions(NamedTuple):
    """What a process keeps of the moment of its start; `streams` tells which files stdout and stderr are."""

    options: list[str]
    path: list[str]
    folder: str
    environment: Mapping[str, str]
    streams: tuple[tuple[int, int] | None, ...]

    @classmethod
    def now(cls, folder: str, path: Sequence[str], variables: Mapping[str, str]) -> "Conditions":
        """Return those of a process that this one would start, with more `variables` in its environment."""
        options = get_command_line()
        options = options[: options.index("-c") + 1]
        return cls(options, [*path], folder, {**os.environ, **variables}, (_file(1), _file(2)))


class ServerProcess(NamedTuple):
    """The process, and the socket for requests to it."""

    requests: socket.socket
    process: "subprocess.Popen[bytes]"

    @classmethod
    def start(cls, conditions: Conditions, modules: Sequence[str] = ()) -> "ServerProcess":
        """Start a process that imports `modules` and waits for its preparation."""
        ours, theirs = socket.socketpair()
        requests = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, FIRST)
        theirs.close()
        program = PROGRAM.format(own=str(OWN), path=conditions.path, requests=requests, modules=[*modules])
        out, err = (None if each else subprocess.DEVNULL for each in conditions.streams)
        try:
            with _blocked_signals():
                process = subprocess.Popen(  # noqa: S603 - this interpreter
                    [*conditions.options, program],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    pass_fds=[requests],
                    cwd=conditions.folder,
                    env=conditions.environment,
                )
        finally:
            os.close(requests)
        return cls(ours, process)

    def end(self) -> None:
        """Kill the process. It would end by itself when its socket closes, but only once its modules are loaded."""
        self.requests.close()
        self.process.kill()
        self.process.wait()


class _Early(NamedTuple):
    conditions: Conditions
    modules: Sequence[str]
    server: ServerProcess


_early: list[_Early] = []  # the process that no sweep has taken yet


def start_early(modules: Sequence[str], variables: Mapping[str, str]) -> None:
    """Start a process for the sweep that this command will start, with more `variables` in its environment.

    Whatever fails here fails again, and is told, when the sweep starts its process.
    """
    with contextlib.suppress(OSError):
        path = [entry for entry in sys.path if isinstance(entry, str)]
        lacking = {name: value for name, value in BY_JOBLIB.items() if name not in os.environ}
        conditions = Conditions.now(str(Path.cwd()), path, {**lacking, **variables})
        _early.append(_Early(conditions, modules, ServerProcess.start(conditions, modules)))
        atexit.register(_dismiss)


def take_or_start(conditions: Conditions, preloaded: Collection[str]) -> ServerProcess:
    """Return the process that was started early if it is the same that these conditions make, else a new one.

    It may have imported no modules but those that are to be `preloaded`.
    """
    if _early:
        early = _early[0]
        if early.conditions == conditions and set(early.modules) <= set(preloaded):
            return _early.pop().server
        _dismiss()
    return ServerProcess.start(conditions)


def _dismiss() -> None:
    while _early:
        _early.pop().server.end()


@contextlib.contextmanager
def _blocked_signals() -> Iterator[None]:
    """Block the signals that stop a sweep: a process that is started inside the block inherits that.

    A blocked signal stays pending until a job unblocks it, so an order to stop that reaches a new job is not lost.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _file(descriptor: int) -> tuple[int, int] | None:
    """Return which file a descriptor has open, None when it is closed."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino
