"""What a process does once it was forked for a command: it becomes what an interpreter with these words would be."""

import atexit
import contextlib
import fcntl
import importlib
import importlib.util
import io
import multiprocessing.process
import os
import runpy
import signal
import sys
import threading
import types
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from forked import ROOT

FIRST_SPARE = 200  # descriptors from here on are not in use
REAL_EXEC = os.execve


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


def _first_word(command: list[str]) -> int:
    """Return where the options of the interpreter end."""
    number = 1
    while command[number].startswith("-") and command[number] not in {"-m", "-c"}:
        number += 2 if command[number] in {"-W", "-X"} else 1
    return number
