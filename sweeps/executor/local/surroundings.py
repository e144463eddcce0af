"""What a program finds around it when it starts: its arguments, its folder, its environment.

A script may change all three while it runs. A job runs the script again, so it must find them as the script did, not as
the script left them.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

OPTIONS_WITH_VALUE = "cmWX"  # the short options of Python that take one
ENVIRONMENT = Path("/proc/self/environ")


class Surroundings(NamedTuple):
    """Arguments, working directory and environment of a process."""

    argv: list[str]
    folder: str
    environment: Mapping[str, str]

    @classmethod
    def now(cls) -> "Surroundings":
        """Return those of this process at present."""
        return cls([*sys.argv], str(Path.cwd()), dict(os.environ))

    @classmethod
    def at_start(cls) -> "Surroundings":
        """Return those with which this process's script has started, or the present ones if they cannot be known."""
        now = cls.now()
        file = getattr(sys.modules["__main__"], "__file__", None)
        begun = _arguments()
        if begun is None or not isinstance(file, str):
            return now
        argv, folder = begun, _folder(begun[0], file)
        if folder is None:
            # Some other program runs this script, and has made its surroundings.
            return now
        return cls(argv, folder, _environment() or now.environment)

    @contextmanager
    def around(self, held: Mapping[str, str]) -> Iterator[None]:
        """Put a process into these surroundings inside the block, but for the variables that are `held`.

        Afterwards everything is as before, and so is the path of modules; variables and entries of the path that only
        the block sets stay.
        """
        before, path = Surroundings.now(), [*sys.path]
        _enter(self._replace(environment={**self.environment, **held}))
        try:
            yield
        finally:
            sys.path[:] = [*path, *(entry for entry in sys.path if entry not in path)]
            known = before.environment.keys() | self.environment.keys()
            added = {name: value for name, value in os.environ.items() if name not in known}
            _enter(before._replace(environment={**before.environment, **added}))


def _enter(wanted: Surroundings) -> None:
    sys.argv[:] = wanted.argv
    os.chdir(wanted.folder)
    for name in os.environ.keys() - wanted.environment.keys():
        del os.environ[name]
    for name, value in wanted.environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _arguments() -> list[str] | None:
    """Return the first `sys.argv` of this process, from the command line of the interpreter; None without a script."""
    left = [*sys.orig_argv[1:]]
    while left:
        word = left.pop(0)
        if word == "--check-hash-based-pycs":
            left[:1] = []
        elif not word.startswith("-"):
            return [word, *left]
        elif word == "-":
            return None
        elif not word.startswith("--"):
            option = next((place for place, each in enumerate(word) if each in OPTIONS_WITH_VALUE), None)
            if option is None:
                continue
            value = word[option + 1 :] or (left.pop(0) if left else "")
            if word[option] == "c":
                return None
            if word[option] == "m":
                return _of_module(value, left)
    return None


def _of_module(name: str, arguments: list[str]) -> list[str] | None:
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    is_it = spec is not None and spec.name in {name, f"{name}.__main__"}
    return [str(main.__file__), *arguments] if is_it else None


def _folder(started: str, file: str) -> str | None:
    """Return the working directory in which `started` named the script `file`; None if it is another script.

    Python joins the two when it starts. Of an absolute path, the present directory is the best guess.
    """
    here = str(Path.cwd())
    if Path(started).is_absolute():
        return here if Path(started) in {Path(file), Path(file).parent} else None
    while started.startswith("./"):
        started = started[2:].lstrip("/")
    for tail in (f"/{started}", f"/{started.rstrip('/')}/__main__.py"):
        folder = file.removesuffix(tail)
        if folder != file and Path(folder or "/").is_dir():
            return folder or "/"
    return here if started == "." and Path(file) == Path(here, "__main__.py") else None


def _environment() -> dict[str, str] | None:
    """Return the environment with which this process started, as Linux keeps it; None where it cannot be had."""
    try:
        entries = os.fsdecode(ENVIRONMENT.read_bytes()).split("\0")
    except OSError:
        return None
    found = dict(entry.split("=", 1) for entry in entries if "=" in entry)
    # A program that sets its title may write over them.
    return found if 2 * len(found) >= len(os.environ) else None
