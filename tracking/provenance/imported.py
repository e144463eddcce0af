"""The source files that this process has imported, by the repository that they lie in.

Left out are installed packages and Python's own modules, whose versions env.json names, and the tracker itself, which has
no part in what a run computes.
"""

import functools
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from tracking.provenance.git import find_root

_PYTHON = tuple({f"{os.path.dirname(path)}/" for path in (os.__file__, os.path.realpath(os.__file__))})  # noqa: PTH120
_OWN = tuple(
    f"{Path(__file__).resolve().parents[2]}/{name}/" for name in ("tracking", "sweeps", "hydra_plugins")
)
_NOT_OURS = re.compile(r"/(?:(?:site|dist)-packages|debugpy|_?pydevd?\w*)/")  # installed, or a debugger's


class Imported(NamedTuple):
    """Imported files, by the root of their repository and relative to it; and those in no repository."""

    repositories: tuple[tuple[str, tuple[str, ...]], ...]
    homeless: tuple[str, ...]


def imported_code() -> Imported:
    """Return what is imported now, without starting git; looked up again only after another import."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return _imported(len(sys.modules), next(reversed(sys.modules)), tuple(sys.path), main)


@functools.lru_cache(maxsize=2)
def _imported(_count: int, _last: str, path: tuple[str, ...], main: str | None) -> Imported:
    found: dict[str, set[str]] = {}
    homeless = set()
    importable = tuple(
        f"{folder}/" for folder in map(os.path.realpath, path) if not _is_left_out(f"{folder}/")
    )
    for module in list(sys.modules.values()):
        try:
            # a lazy module would be loaded by asking it for an attribute
            file = object.__getattribute__(module, "__dict__").get("__file__")
        except AttributeError:  # not a module
            continue
        place = _place(file) if isinstance(file, str) else None
        if place is None:
            continue
        root, name = place
        if root:
            found.setdefault(root, set()).add(name)
        elif file == main or name.startswith(importable) or _named_folder(file).startswith(importable):
            homeless.add(name)  # others are made while the program runs, such as compiled kernels
    repositories = ((root, tuple(sorted(files))) for root, files in sorted(found.items()))
    return Imported(tuple(repositories), tuple(sorted(homeless)))


@functools.lru_cache(maxsize=1 << 14)
def _place(file: str) -> tuple[str, str] | None:
    """Return the root of a source file's repository and its path there, no root outside of any; None if it is not ours."""
    path = os.path.abspath(file)  # noqa: PTH100 - as it is written: nearly all are left out by that
    if not file.endswith((".py", ".pyc")) or _is_left_out(path):
        return None
    real = os.path.realpath(path)  # it may be a link into a repository
    if _is_left_out(real):
        return None
    root = _root_of(os.path.dirname(real))  # noqa: PTH120
    return (root, os.path.relpath(real, root)) if root else ("", real)


def _named_folder(file: str) -> str:
    """Return the folder that a file is imported from, which may have a link to it."""
    return f"{os.path.realpath(os.path.dirname(file))}/"  # noqa: PTH120


def _is_left_out(path: str) -> bool:
    return path.startswith((*_PYTHON, *_OWN)) or _NOT_OURS.search(path) is not None


@functools.lru_cache(maxsize=1 << 12)
def _root_of(folder: str) -> str:
    return str(find_root(Path(folder)) or "")
