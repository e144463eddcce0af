"""The forkserver as the sweep's process sees it: start it, ask it for processes, notice that it has gone."""

import contextlib
import fcntl
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.spawn import get_command_line
from pathlib import Path
from typing import NamedTuple

from sweeps.executor.local.child import BLOCKED
from sweeps.executor.local.forkserver import NUMBER, Preparation
from sweeps.executor.local.program import Start
from sweeps.executor.local.slots import thread_variables
from sweeps.plan.by_reference import NAME
from sweeps.settings.launcher_settings import LauncherSettings

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
forkserver.serve({requests}, last)
"""
OWN = Path(__file__).resolve().parents[3]  # the folder of podium's packages
FIRST = 3  # the first file descriptor that is none of the standard streams


class Forked(NamedTuple):
    """A new process: the connection to it, a pipe that tells its end, and one whose closing ends it."""

    pid: int
    connection: Connection
    ended: int
    alive: int


class ForkServer:
    """A forkserver for one sweep; starts at once and loads modules meanwhile. Threads may share it.

    `common` is what its jobs share, packed. The package of the module `task` is the user's program, see `_loaded_here`.
    """

    def __init__(self, settings: LauncherSettings, common: bytes, task: str = "") -> None:
        self._settings = settings
        path = [entry for entry in sys.path if isinstance(entry, str)]
        start = Start.of_this_process()
        self._preparation = Preparation(
            path,
            [*sys.argv],
            str(Path.cwd()),
            _loaded_here({start.script.get(NAME, ""), task}),
            [*settings.preload],
            common,
            start,
        )
        self._lock = threading.Lock()
        self._socket, self._process = self._start()

    @property
    def pid(self) -> int:
        """The process id of the forkserver."""
        return self._process.pid

    def fork(self) -> Forked:
        """Return a new process; raise OSError when none can be made. Start a forkserver anew if it has gone."""
        process = self._process
        try:
            return self._request()
        except EOFError:
            with self._lock:
                if self._process is process:
                    process.wait()  # it may be a moment from its end
                    self._socket, self._process = self._start()
        try:
            return self._request()
        except EOFError as error:
            raise OSError("the forkserver, which starts jobs, ended at once") from error

    def _request(self) -> Forked:
        """Ask for a process; raise EOFError when the forkserver has gone."""
        connection, theirs = Pipe()
        ended, status = os.pipe()
        their_alive, alive = os.pipe()
        try:
            with theirs, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                socket.send_fds(self._socket, [b"f"], [theirs.fileno(), status, their_alive])
            os.close(status)
            os.close(their_alive)
            answer = os.read(ended, NUMBER.size)
            if not answer:
                raise EOFError
            (pid,) = NUMBER.unpack(answer)
            if pid < 0:
                raise OSError(-pid, os.strerror(-pid))
        except BaseException:
            connection.close()
            os.close(ended)
            os.close(alive)
            raise
        return Forked(pid, connection, ended, alive)

    def _start(self) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        ours, theirs = socket.socketpair()
        requests = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, FIRST)
        theirs.close()
        options = get_command_line()
        command = [*options[: options.index("-c") + 1]]
        command.append(PROGRAM.format(own=str(OWN), path=self._preparation.path, requests=requests))
        try:
            with tempfile.TemporaryFile() as preparation, _blocked_signals():
                preparation.write(pickle.dumps(self._preparation))
                preparation.seek(0)
                process = subprocess.Popen(  # noqa: S603 - this interpreter
                    command,
                    stdin=preparation,
                    stdout=None if _is_open(1) else subprocess.DEVNULL,
                    stderr=None if _is_open(2) else subprocess.DEVNULL,
                    pass_fds=[requests],
                    cwd=self._preparation.folder,
                    env={**os.environ, **thread_variables(self._settings)},
                )
        finally:
            os.close(requests)
        # It would end by itself when its socket closes, but only once all modules are loaded.
        weakref.finalize(self, _end, ours, process)
        return ours, process


def _end(requests: socket.socket, process: subprocess.Popen[bytes]) -> None:
    requests.close()
    process.kill()
    process.wait()


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


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _loaded_here(program: set[str]) -> list[str]:
    """Return what this process has loaded: Hydra and its plug-ins in full, of other installed packages the top.

    A job's config cannot be unpacked without Hydra, and jobs are likely to need the other packages. Each job imports
    the packages of the modules in `program` itself, so that what these make when they are imported belongs to one job.
    """
    modules = list(sys.modules.items())
    hydra = [name for name, _ in modules if name.partition(".")[0] in {"hydra", "hydra_plugins", "omegaconf"}]
    packages = {name.partition(".")[0] for name, module in modules if _is_installed(module)}
    own = {"__main__", "__mp_main__", *(name.partition(".")[0] for name in program)}
    ours = ("sweeps.executor.local.child", "sweeps.executor.local.grouped")
    return [*hydra, *ours, *sorted(packages - own)]


def _is_installed(module: object) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and bool({"site-packages", "dist-packages"} & set(Path(file).parts))
