"""The program that a sweep was started as, and what its jobs make of it.

multiprocessing imports it anew in each child, before the child can say a word: what the script prints and what goes
wrong with it would appear between the lines of the sweep. Here each job imports it itself, once its output goes to
its log. The forkserver never does: a script may wake CUDA, which no fork survives.
"""

import ast
import sys
import types
from collections.abc import Iterator, Mapping
from multiprocessing import process, spawn
from pathlib import Path

from sweeps.errors import SettingsError

Main = Mapping[str, str]  # as multiprocessing describes it to a child: its name or its path


def describe_main() -> Main:
    """Describe this process's program for its children."""
    described = spawn.get_preparation_data("job")
    return {key: described[key] for key in ("init_main_from_name", "init_main_from_path") if key in described}


def pretend(main: Main) -> None:
    """Make multiprocessing believe, in the forkserver, that the program is imported already."""
    known = sys.modules["__main__"] = sys.modules["__mp_main__"] = types.ModuleType("__mp_main__")
    known.__file__ = main.get("init_main_from_path")
    known.__spec__ = types.SimpleNamespace(name=main.get("init_main_from_name"))  # type: ignore[assignment]  # all that is asked for


def import_main(main: Main) -> None:
    """Import the program, as multiprocessing would have; raises what it raises."""
    name, path = main.get("init_main_from_name"), main.get("init_main_from_path")
    sys.modules["__main__"].__file__, sys.modules["__main__"].__spec__ = None, None
    process.current_process()._inheriting = True  # type: ignore[attr-defined]  # it may start no process meanwhile
    try:
        if name is not None:
            spawn._fixup_main_from_name(name)  # type: ignore[attr-defined]  # the same since Python 3.4
        elif path is not None:
            spawn._fixup_main_from_path(path)  # type: ignore[attr-defined]  # likewise
    finally:
        del process.current_process()._inheriting  # type: ignore[attr-defined]  # likewise


def libraries() -> list[str]:
    """The installed packages that this process has loaded, for the forkserver to load: jobs are likely to want them."""
    found = {name.partition(".")[0] for name, module in list(sys.modules.items()) if _is_installed(module)}
    return sorted(found - {"__main__", "__mp_main__"})


def require_guard(task: object) -> None:
    """Refuse a script that would start its sweep anew whenever a job imports it; raises `SettingsError`."""
    path = getattr(sys.modules["__main__"], "__file__", None)
    name = getattr(task, "__name__", None)
    if path is None or name is None or Path(path).name == "__main__.py":
        return
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for line in _calls(tree, name):
        raise SettingsError(
            f"{path}:{line}: {name}() is called whenever a job imports the script; "
            f'write above it: if __name__ == "__main__":'
        )


def _calls(tree: ast.Module, name: str) -> Iterator[int]:
    for statement in tree.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            called = statement.value.func
            if isinstance(called, ast.Name) and called.id == name:
                yield statement.lineno


def _is_installed(module: object) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and bool({"site-packages", "dist-packages"} & set(Path(file).parts))
