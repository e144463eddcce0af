"""The code of a sweep: hashes of its source files, and which of them differ in a job.

A job imports the app's code anew, so a file that is edited while a sweep runs changes the jobs to come.
"""

import contextlib
import hashlib
import inspect
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path

from sweeps.paths import job_folder
from tracking import CorruptFileError
from tracking.files import read_json

CHANGES = "code.json"  # in a job's folder: its files that differ from those of the sweep, and their hashes
MEANWHILE = "changed while the job ran"  # instead of a hash: the job may have run either version
MOST_FILES, MOST_ENTRIES = 500, 5000  # that are looked at beside a script
INSTALLED = {"site-packages", "dist-packages"}
LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120 - text, because thousands of files are compared with it


def code_root(task: object) -> Path | None:
    """Return the folder of a task's script, or that of its package; None when the task has no source file."""
    source = _source(task)
    if source is None:
        return None
    root = source.parent
    while (root / "__init__.py").exists():
        root = root.parent
    return root


def code_state(task: object) -> dict[str, str] | None:
    """Return hashes of a task's source files: those of its package, or its script and the modules beside it.

    None when the task has no source file.
    """
    source, root = _source(task), code_root(task)
    if source is None or root is None:
        return None
    # A task in a package may use any module of it, loaded here or only in the jobs.
    if root != source.parent:
        files = sorted((root / source.relative_to(root).parts[0]).rglob("*.py"))
    else:
        files = sorted({source, *(root / name for name in loaded_below(str(root)))})
    return {file.relative_to(root).as_posix(): hash_of(file) for file in files if file.is_file()}


def late_state(task: object, known: Mapping[str, str]) -> dict[str, str]:
    """Return hashes of the files beside a task's script that are not `known`: its jobs may import them later.

    Looks at no more than `MOST_ENTRIES` names, the nearest first.
    """
    source, root = _source(task), code_root(task)
    if source is None or root != source.parent:
        return {}
    found = ((file.relative_to(root).as_posix(), file) for file in _sources_below(root))
    return {name: hash_of(file) for name, file in found if name not in known}


def loaded_below(root: str, modules: Iterable[str] | None = None) -> Iterator[str]:
    """Yield the source files below a folder that this process has loaded, relative to it; no installed ones.

    Looks at the modules of these names, by default at all.
    """
    for module in map(sys.modules.get, list(sys.modules) if modules is None else modules):
        # Not getattr, which makes a lazy module load.
        file = getattr(module, "__dict__", {}).get("__file__")
        if not isinstance(file, str) or file.startswith(LIBRARY) or not file.endswith(".py"):
            continue
        if "/site-packages/" in file or "/dist-packages/" in file:
            continue
        folder, _, name = file.rpartition("/")
        folder = _real(folder)
        if folder == root or folder.startswith(f"{root}/"):
            yield f"{folder}/{name}"[len(root) + 1 :]


def changed_in(sweep_dir: Path, number: int) -> dict[str, str]:
    """Return the files of a job's code that differ from those its sweep began with, and their hashes or `MEANWHILE`."""
    with contextlib.suppress(OSError, CorruptFileError, AttributeError):
        return {
            str(name): str(version)
            for name, version in read_json(job_folder(sweep_dir, number) / CHANGES).items()
        }
    return {}


def hash_of(file: Path) -> str:
    """Return the hash of a source file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _source(task: object) -> Path | None:
    function = inspect.unwrap(task) if callable(task) else task
    try:
        source = Path(inspect.getfile(function)).resolve()  # type: ignore[arg-type]  # a TypeError is the answer
    except (TypeError, OSError):
        return None
    return source if source.is_file() else None  # that of `python -c` is called <string>


def _sources_below(root: Path) -> Iterator[Path]:
    """Yield Python files level by level; skip environments, hidden folders and what is beyond the limits."""
    folders, entries_left, files_left = [root], MOST_ENTRIES, MOST_FILES
    for folder in folders:  # which grows
        with contextlib.suppress(OSError), os.scandir(folder) as scan:
            entries = sorted(islice(scan, entries_left), key=lambda entry: entry.name)
            entries_left -= len(entries)
            if any(entry.name == "pyvenv.cfg" for entry in entries):
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith((".", "__pycache__")) and entry.name not in INSTALLED:
                        folders.append(Path(entry.path))
                elif entry.name.endswith(".py") and files_left and entry.is_file():
                    files_left -= 1
                    yield Path(entry.path)


_real = cache(os.path.realpath)
