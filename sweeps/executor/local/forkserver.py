"""The forkserver: a process with the program's modules loaded, from which each job is forked.

A job would take seconds to load them itself. The forkserver never runs the script: a script may initialise CUDA, which
does not survive a fork. It blocks the signals that stop a sweep. A terminal that is interrupted or closed, and a batch
system that ends a job, signal all processes, but the sweep's process alone decides how the sweep ends.

Each request is one byte with three file descriptors: the job's connection, the pipe for its process id and later its
exit code, and a pipe that closes when the sweep's process ends.
"""

import contextlib
import gc
import importlib
import os
import pickle
import selectors
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sweeps.executor.local.program import Start

NUMBER = struct.Struct("q")  # how the process id and the exit code travel
PATIENCE_S = 60.0  # how long a process that was started early waits for its sweep
CONFIG_TEXTS = ("jobs/${hydra.job.num}", "${now:%Y-%m-%d}/${oc.env:HOME,/}", "${hydra.sweep.dir}")


@dataclass(frozen=True)
class Preparation:
    """What the forkserver makes ready. `asked` are the modules that the user named."""

    path: list[str]
    argv: list[str]
    folder: str
    modules: list[str]
    asked: list[str]
    common: bytes
    start: "Start"


class Request(NamedTuple):
    """The file descriptors of a request."""

    connection: int
    status: int
    alive: int


def serve(requests: int, at_exit: list[Callable[[], None]], modules: Sequence[str]) -> None:
    """Import `modules`, then serve the socket `requests` until the sweep's process ends. In a forked job, return after it.

    The first message there brings a file with the `Preparation`. The job then ends as Python does; what it puts into
    `at_exit` runs after all other exit handlers.
    """
    written = _import_quietly(modules)
    with socket.socket(fileno=requests) as listener:
        preparation = _preparation(listener)
        for number, text in written.items():
            _write_all(number, text)
        _prepare(preparation)
        request = _Server(listener).next_job()
    # This is a forked job from here on.
    from sweeps.executor.local import child, ending, program

    at_exit.append(ending.leave)
    connection = Connection(request.connection)
    child.main(connection, request.alive, program.Program(preparation.common, preparation.start, connection))


class _Server:
    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._children: dict[int, int] = {}  # the pipe of each job's process
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        os.set_blocking(self._woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)

    def next_job(self) -> Request:
        """Fork a process for each request, and report how each ends; return its request in a forked process."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                self._reap()
                ready = {key.fileobj for key, _ in selector.select()}
                if self._woken in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._woken, 4096)
                if self._listener in ready:
                    request = self._fork()
                    if request is not None:
                        return request

    def _fork(self) -> Request | None:
        message, descriptors, _, _ = socket.recv_fds(self._listener, 1, 3)
        if not message:  # the sweep's process has ended
            os._exit(0)
        request = Request(*descriptors)
        try:
            pid = os.fork()
        except OSError as error:
            _write(request.status, -(error.errno or 1))
            os.close(request.status)
        else:
            if pid == 0:
                self._close(request)
                return request
            _write(request.status, pid)
            self._children[pid] = request.status
        os.close(request.connection)
        os.close(request.alive)
        return None

    def _close(self, request: Request) -> None:
        """Close what belongs to the forkserver, in a forked process."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (self._woken, self._waker, request.status, *self._children.values()):
            os.close(descriptor)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            pipe = self._children.pop(pid, None)
            if pipe is not None:
                _write(pipe, os.waitstatus_to_exitcode(status))
                os.close(pipe)


def _import_quietly(modules: Sequence[str]) -> dict[int, bytes]:
    """Import modules and return what they write to stdout and stderr, by the number of the stream.

    One that fails is imported again when it is asked for, and tells then what it has to tell.
    """
    with contextlib.ExitStack() as files:
        kept = {number: files.enter_context(tempfile.TemporaryFile()) for number in (1, 2) if modules}
        imported = []
        with _diverted({number: file.fileno() for number, file in kept.items()}), _without_collections():
            for name in modules:
                with contextlib.suppress(Exception):
                    imported.append(importlib.import_module(name))
        if len(imported) < len(modules):
            return {}
        for file in kept.values():
            file.seek(0)
        return {number: file.read() for number, file in kept.items()}


def _preparation(listener: socket.socket) -> Preparation:
    """Receive what this process makes ready; end it if nobody will send that."""
    listener.settimeout(PATIENCE_S)
    try:
        message, descriptors, _, _ = socket.recv_fds(listener, 1, 1)
    except TimeoutError:
        message = b""
    if not message:
        os._exit(0)
    listener.settimeout(None)
    with os.fdopen(descriptors[0], "rb") as file:
        preparation: Preparation = pickle.load(file)  # noqa: S301 - from our own parent
    return preparation


def _prepare(preparation: Preparation) -> None:
    """Load the modules and compile the script."""
    sys.path[:] = preparation.path
    sys.argv[:] = preparation.argv
    os.chdir(preparation.folder)
    with _silence(), _without_collections():  # the sweep's own process has said already what they say
        for name in preparation.modules:
            # Whatever fails fails again in a job that needs the module, with its error.
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    for name in preparation.asked:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - a user's module may raise anything
            sys.stderr.write(f"podium: could not preload {name}: {error}\n")
    from hydra.core.utils import setup_globals

    from sweeps.executor.local.ending import remember_modules
    from sweeps.executor.local.main_script import load_script
    from sweeps.executor.local.supplies import resolvers

    with contextlib.suppress(Exception):  # it fails again in a job
        load_script(preparation.start.script)
    setup_globals()
    resolvers()  # marks those that jobs find here
    _learn_to_read_configs()
    remember_modules()
    gc.collect()
    gc.freeze()  # a collection in a job would copy the pages that it shares with this process


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """Import libraries inside the block. Their objects stay, and to look through them again and again takes long."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Drop what this process writes, inside the block."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        with _diverted({1: null, 2: null}):
            yield
    finally:
        os.close(null)


@contextlib.contextmanager
def _diverted(targets: Mapping[int, int]) -> Iterator[None]:
    """Write to other descriptors in place of these, inside the block."""
    kept = {number: os.dup(number) for number in targets}
    for number, target in targets.items():
        os.dup2(target, number)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        for number, own in kept.items():
            os.dup2(own, number)
            os.close(own)


def _learn_to_read_configs() -> None:
    """Parse typical interpolations once: the parser builds its tables as it parses, otherwise again in each job."""
    from omegaconf.grammar_parser import parse

    for text in CONFIG_TEXTS:
        parse(text)


def _write_all(number: int, text: bytes) -> None:
    with contextlib.suppress(OSError):  # its reader is gone
        while text:
            text = text[os.write(number, text) :]


def _write(pipe: int, number: int) -> None:
    with contextlib.suppress(OSError):  # the sweep's process has ended
        os.write(pipe, NUMBER.pack(number))
