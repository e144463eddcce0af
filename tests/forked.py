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
import contextlib
import dataclasses
import fcntl
import functools
import gc
import importlib
import importlib.util
import io
import json
import multiprocessing.process
import os
import re
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import types
import warnings
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
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
FIRST_SPARE = 200  # descriptors from here on are not in use


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
            command = [sys.executable, *flags, __file__, self.command.address, str(number), *modules.split()]
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


def serve(listener: socket.socket) -> tuple[Any, list[int]]:
    """Fork a process for each request until standard input ends; return in it, with the request."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(0, selectors.EVENT_READ)
    children: dict[int, tuple[int, int]] = {}
    while True:
        for key, _ in selector.select():
            if key.fd == 0:
                os._exit(0)
            elif key.fd in children:
                pid, tells = children.pop(key.fd)
                selector.unregister(key.fd)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(BrokenPipeError):
                    os.write(tells, PID.pack(status))
                os.close(key.fd)
                os.close(tells)
            else:
                connection, _ = listener.accept()
                with connection:
                    asked, (tells, *descriptors) = _receive(connection)
                    pid = os.fork()
                    if pid:
                        connection.sendall(PID.pack(pid))
                if not pid:
                    selector.close()
                    listener.close()
                    for descriptor in (tells, *children, *(pipe for _, pipe in children.values())):
                        os.close(descriptor)
                    return asked, descriptors
                for descriptor in descriptors:
                    os.close(descriptor)
                ends = os.pidfd_open(pid)
                children[ends] = pid, tells
                selector.register(ends, selectors.EVENT_READ)


def _receive(connection: socket.socket) -> tuple[Any, list[int]]:
    message, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 16)
    asked = bytearray()
    while len(asked) < LENGTH.unpack(message)[0]:
        asked += connection.recv(1 << 20)
    return json.loads(asked), descriptors


def become(asked: Any, descriptors: list[int], path: list[str]) -> None:
    """Make this process what an interpreter with these words would be, and run its program."""
    command, folder, environment, blocked, passed = asked
    os.setsid()
    for target, descriptor in zip([0, 1, 2, *passed], _moved(descriptors), strict=True):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.chdir(folder)
    multiprocessing.process.ORIGINAL_DIR = folder  # where a spawned process looks for the script
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    run_program(command, folder, environment, path)


def run_program(command: list[str], folder: str, environment: dict[str, str], path: list[str]) -> None:
    """Run the program of a command with streams, variables, paths and words of its own."""
    _open_streams(
        unbuffered=bool(environment.get("PYTHONUNBUFFERED")), encoding=environment.get("PYTHONIOENCODING")
    )
    os.environ.clear()
    os.environ.update(environment)
    importlib.invalidate_caches()
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    sys.orig_argv[:] = command
    _option, word, *words = command[_first_word(command) - 1 :]
    added = [
        str(Path(each).absolute()) for each in environment.get("PYTHONPATH", "").split(os.pathsep) if each
    ]
    sys.path[:] = [folder, *added, *path]
    for each in added:
        if (Path(each) / "sitecustomize.py").exists():  # an interpreter runs it as it starts
            _load("sitecustomize", Path(each) / "sitecustomize.py")
    if word == "-m":
        sys.argv[:] = [word, *words[1:]]
        _forget_plugins(path)
        runpy._run_module_as_main(words[0])
    elif word == "-c":
        sys.argv[:] = [word, *words[1:]]
        _forget_plugins(path)
        exec(words[0], main.__dict__)
    else:
        sys.path[0] = str(Path(word).resolve().parent)
        sys.argv[:] = [word, *words]
        _forget_plugins(path)
        main.__loader__, main.__file__ = SourceFileLoader("__main__", word), word
        exec(compile(Path(word).read_bytes(), word, "exec"), main.__dict__)


def _load(name: str, file: Path) -> None:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def _forget_plugins(usual: list[str]) -> None:
    """Let Hydra look for plug-ins once more if the command may have some of its own."""
    from hydra.core.plugins import Plugins
    from hydra.core.singleton import Singleton

    places = {Path(each).resolve() for each in sys.path if each not in usual} - {ROOT}
    if any((each / name).exists() for each in places for name in ("hydra_plugins", "hydra_plugins.py")):
        Singleton._instances.pop(Plugins, None)
    if any((each / "optuna").exists() for each in places):  # which an interpreter would find first
        for name in [
            each for each in sys.modules if each.partition(".")[0] == "optuna" or "search.suggest" in each
        ]:
            del sys.modules[name]


def _moved(descriptors: list[int]) -> list[int]:
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, FIRST_SPARE) for each in descriptors]
    for each in descriptors:
        os.close(each)
    return moved


def _open_streams(*, unbuffered: bool, encoding: str | None) -> None:
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        size = 0 if unbuffered and number else -1
        binary = open(number, "wb" if number else "rb", size, closefd=False)  # noqa: SIM115 - the process closes it
        by_line = number == 2 or os.isatty(number)
        errors = before.errors if encoding is None or number == 2 else "strict"
        text = io.TextIOWrapper(
            binary, encoding or before.encoding, errors, line_buffering=by_line, write_through=unbuffered
        )
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)


class Ending:
    """The last step of a process: it ends once it has run what was registered for its end, and let go of its own modules.

    An interpreter would then take each module apart, which takes longer than most commands.
    """

    code: int | None = None  # that of the process; it is taken apart where there is none

    def __call__(self) -> None:
        """End the process unless its streams cannot be flushed, which is for the interpreter to tell."""
        from sweeps.executor.local import ending

        if self.code is not None:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
                ending.end_with(self.code)
                ending.leave()

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note the code that a process ends with."""
        try:
            yield
        except SystemExit as stop:
            self.code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
            raise
        except KeyboardInterrupt:  # ends a process by the signal
            raise
        except BaseException:
            self.code = 1
            raise
        self.code = 0


def replaced(base: list[str], path: str, words: list[str], environment: Any = None) -> None:
    """Do what exec does to this process: run the command in its place, and end. Another program than Python is started anew."""
    if path != sys.executable:
        REAL_EXEC(path, words, os.environ if environment is None else environment)
    sys.stdout.flush()
    sys.stderr.flush()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    ending = Ending()
    try:
        with ending.noted():
            run_program(
                words, str(Path.cwd()), dict(os.environ if environment is None else environment), base
            )
    except SystemExit as stop:
        if not isinstance(stop.code, int | None):
            sys.stderr.write(f"{stop.code}\n")
    except BaseException:  # noqa: BLE001 - as an interpreter ends
        sys.excepthook(*sys.exc_info())
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    if ending.code is None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    os._exit(ending.code or 0)


REAL_EXEC = os.execve


def _warm_up() -> None:
    """Compose a config once: parsers build their tables as they parse. Leave no trace in Hydra but which plug-ins there are."""
    from hydra import compose, initialize_config_dir
    from hydra.core.plugins import Plugins
    from hydra.core.singleton import Singleton

    from hydra_plugins.podium.versions import current_defaults

    Plugins.instance()
    state = {**Singleton._instances}
    with initialize_config_dir(
        str(Path(__file__).parent / "sweeps" / "apps" / "quadratic"), **current_defaults()
    ):
        compose("config", overrides=["x=1", "hydra.sweeper.name=a"])
    Singleton._instances.clear()
    Singleton._instances.update(state)


def _allow_apps_for_hydra_1_3() -> None:
    """Let apps say what Hydra 1.4 warns of, where that is it, although every warning is an error here."""
    from hydra_plugins.podium.versions import current_defaults

    for message in () if current_defaults() else WRITTEN_FOR_1_3:
        warnings.filterwarnings("ignore", re.escape(message))
        # Which the processes of an app get. Without a category Python would drop what PYTHONWARNINGS has too.
        sys.warnoptions.append(f"ignore:{message}:Warning")


def _know_own_repository() -> None:
    """Ask git about the repository of the tests once, and not in each job of an app that lies in it."""
    from tracking.provenance import code

    if code.find_root(ROOT) != ROOT:
        return
    known, ask = code.read_code(ROOT, ROOT), code.read_code

    def read_code(root: Path, folder: Path, **options: Any) -> code.Code:
        if root != ROOT:
            return ask(root, folder, **options)
        return dataclasses.replace(known, folder=folder.relative_to(root).as_posix())

    code.read_code = read_code


def _first_word(command: list[str]) -> int:
    """Return where the options of the interpreter end."""
    number = 1
    while command[number].startswith("-") and command[number] not in {"-m", "-c"}:
        number += 2 if command[number] in {"-W", "-X"} else 1
    return number


if __name__ == "__main__":
    end = Ending()
    atexit.register(end)  # before any other, to come last
    base = sys.path[1:]
    sys.path[:] = [str(ROOT), *base]
    for module in sys.argv[3:]:
        importlib.import_module(module)
    from sweeps.executor.local import ending, server_process
    from sweeps.ranking import winner
    from tracking.gate import scoring

    # Sweeps start their forkservers, and what draws and scores their winners, here too.
    Command.address = sys.argv[1]
    for module in (server_process, winner, *([scoring] if "torch" in sys.modules else [])):
        module.subprocess = types.SimpleNamespace(**{**vars(subprocess), "Popen": Command})
    # A command that becomes another one goes on in its process.
    os.execve = os.execv = functools.partial(replaced, base)
    _warm_up()
    _allow_apps_for_hydra_1_3()
    _know_own_repository()
    ending.remember_modules()
    gc.collect()
    gc.freeze()
    request = serve(socket.socket(fileno=int(sys.argv[2])))
    with end.noted():
        become(*request, base)
