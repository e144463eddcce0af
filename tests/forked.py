"""Commands in processes of their own, each forked from a process that has imported its libraries.

A command of Hydra imports for half a second before it does anything, one of torch for some seconds, and a sweep does so
up to four times, because its jobs are forked from a second process, its winner is drawn by a third, and scored by a fourth.
Here one process imports them once, and a command, the forkserver of a sweep, what draws its winner and what scores it are
forked from it. A command has the arguments, folder, environment, streams and session that it would have been started with,
and a `__main__` of its own.

Tests about interpreters, about what is imported, about process groups, or about variables that a library reads while it
is imported start an interpreter as everybody does.
"""

import atexit
import functools
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

SWEEPS = (
    "hydra.main hydra._internal.hydra hydra.utils hydra.core.hydra_config hydra_plugins.podium.sweeper "
    "hydra_plugins.podium.launcher joblib._parallel_backends rich.console rich.table typer sweeps.cli.app "
    "sweeps.dashboard.command sweeps.dashboard.server.application uvicorn "
    "sweeps.sweeper sweeps.executor.local.child sweeps.executor.local.executor sweeps.executor.local.forkserver "
    "sweeps.search.suggest.studies tracking.cli.app tracking.cli.commands tracking.cli.search "
    "tracking.provenance.starting tracking.run tracking.tracker"
)
TRAINER = (
    f"{SWEEPS} torch torch._dynamo pandas pyarrow sklearn.linear_model sklearn.metrics matplotlib.figure "
    "matplotlib.backends.backend_agg trainer.app trainer.command trainer.task "
    "trainer.data.ctr trainer.draw.of_run trainer.models.tabular"
)
# The options of the interpreter, and the modules that it has imported.
KINDS = {"sweeps": (["-W", "error"], SWEEPS), "lenient": ([], SWEEPS), "trainer": ([], TRAINER)}
# What Hydra 1.4 says of apps that are written for 1.3, as those of most users are.
WRITTEN_FOR_1_3 = (
    "The version_base parameter is deprecated",
    "register_new_resolver() is deprecated",
    "hydra.utils.instantiate() resolved",  # a callback that the app's list of targets does not name
)
LENGTH = struct.Struct("!I")
PID = struct.Struct("!i")
ROOT = Path(__file__).resolve().parents[1]
FORK_SERVER = Path(__file__).with_name("fork_server.py")


class Command(subprocess.Popen[Any]):
    """A command of Python, forked from a process that listens at `address`."""

    address: str

    def _execute_child(self, args: Any, *options: Any) -> None:
        _executable, _preexec, _close, passed, cwd, env, _info, _flags, _shell, *pipes = options[:15]
        streams = [
            given if given >= 0 else number for number, given in enumerate((pipes[0], pipes[3], pipes[5]))
        ]
        ended, tells = os.pipe()
        blocked = [int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, [])]
        folder, environment = os.fspath(cwd or Path.cwd()), dict(os.environ if env is None else env)
        words = [os.fsdecode(word) for word in args]
        asked = json.dumps([words, folder, environment, blocked, [*passed]]).encode()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.address)
            socket.send_fds(connection, [LENGTH.pack(len(asked))], [tells, *streams, *passed])
            os.close(tells)
            connection.sendall(asked)
            self.pid = PID.unpack(connection.recv(PID.size))[0]
        self._ended = ended
        self._child_created = True
        self._close_pipe_fds(*pipes)

    def _internal_poll(self, _deadstate: Any = None, **_: Any) -> int | None:
        return self._await_end(0)

    def _wait(self, timeout: float | None) -> int | None:
        if self._await_end(timeout) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def _await_end(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._ended, selectors.EVENT_READ)
                if selector.select(timeout):
                    self.returncode = PID.unpack(os.read(self._ended, PID.size))[0]
                    os.close(self._ended)
        return self.returncode


def start(*words: str, kind: str = "sweeps", **options: Any) -> subprocess.Popen[str]:
    """Start a command of Python in a session of its own; `words` follow the options of its kind."""
    flags, server = KINDS[kind][0], Server.of(kind)
    options.setdefault("text", True)
    return server.command([sys.executable, *flags, *words], start_new_session=True, **options)


def run(*words: str, timeout: float = 120, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, its output captured; the options are those of `start`."""
    with start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def popen(kind: str) -> Any:
    """Return the module ``subprocess`` with commands of a kind in the place of its own."""
    return types.SimpleNamespace(
        **{**vars(subprocess), "Popen": lambda *words, **options: Server.of(kind).command(*words, **options)}
    )


class Server:
    """The process that has the libraries of a kind, as the tests see it."""

    def __init__(self, kind: str) -> None:
        flags, modules = KINDS[kind]
        folder = tempfile.TemporaryDirectory(prefix="podium-")
        self.command = type("Command", (Command,), {"address": f"{folder.name}/requests"})
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.command.address)
            listener.listen(64)
            number = listener.fileno()
            command = [
                sys.executable,
                *flags,
                str(FORK_SERVER),
                self.command.address,
                str(number),
                *modules.split(),
            ]
            self._process = subprocess.Popen(
                command, pass_fds=[number], env=environment, stdin=subprocess.PIPE, start_new_session=True
            )
        self._folder = folder
        atexit.register(self.close)

    @classmethod
    @functools.cache
    def of(cls, kind: str) -> "Server":
        """Return the server of a kind; the first who asks starts it."""
        return cls(kind)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._folder.cleanup()
