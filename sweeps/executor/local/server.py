"""The forkserver as the sweep's process sees it: start it, ask it for processes, notice that it has gone."""

import contextlib
import os
import pickle
import socket
import sys
import tempfile
import threading
import weakref
from collections.abc import Collection
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from sweeps.executor.local.forkserver import NUMBER, Preparation
from sweeps.executor.local.program import Start
from sweeps.executor.local.server_process import Conditions, ServerProcess, take_or_start
from sweeps.executor.local.slots import thread_variables
from sweeps.plan.by_reference import NAME
from sweeps.settings.launcher_settings import LauncherSettings


class Forked(NamedTuple):
    """A new process: the connection to it, a pipe that tells its end, and one whose closing ends it."""

    pid: int
    connection: Connection
    ended: int
    alive: int


class ForkServer:
    """A forkserver for one sweep; starts at once and loads modules meanwhile. Threads may share it."""

    def __init__(self, settings: LauncherSettings, preparation: Preparation) -> None:
        self._settings = settings
        self._preparation = preparation
        self._lock = threading.Lock()
        self._server = self._start()

    @property
    def pid(self) -> int:
        """The process id of the forkserver."""
        return self._server.process.pid

    def fork(self) -> Forked:
        """Return a new process; raise OSError when none can be made. Start a forkserver anew if it has gone."""
        server = self._server
        try:
            return self._request()
        except EOFError:
            with self._lock:
                if self._server is server:
                    server.process.wait()  # it may be a moment from its end
                    self._server = self._start()
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
                socket.send_fds(self._server.requests, [b"f"], [theirs.fileno(), status, their_alive])
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

    def _start(self) -> ServerProcess:
        preparation = self._preparation
        variables = thread_variables(self._settings.threads, replaces=self._settings.sets_threads)
        conditions = Conditions.now(preparation.folder, preparation.path, variables)
        server = take_or_start(conditions, preparation.asked)
        weakref.finalize(self, server.end)
        with tempfile.TemporaryFile() as file, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            try:
                pickle.dump(preparation, file)
                file.seek(0)  # which writes the rest
            except OSError as error:  # of a file without a name
                raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from None
            socket.send_fds(server.requests, [b"p"], [file.fileno()])
        return server


def prepared(
    settings: LauncherSettings, common: bytes, task: str = "", *, without: Collection[str] = ()
) -> Preparation:
    """Return what a forkserver makes ready for the jobs of this process's sweep; `common` is what they share, packed.

    The package of the module `task` is the user's program, see `_loaded_here`. Packages in `without` are not loaded ahead.
    """
    path = [entry for entry in sys.path if isinstance(entry, str)]
    start = Start.of_this_process()
    modules = _loaded_here({start.script.get(NAME, ""), task, *without})
    return Preparation(path, [*sys.argv], str(Path.cwd()), modules, [*settings.preload], common, start)


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
