"""Whole folders: moved, copied and removed so that each is in one place or the other, never in halves.

What is being copied or removed bears the name of a temporary file (`files.beside`), so leftovers look alike.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from tracking.files import atomic, folders
from tracking.files.atomic import writing


def move(source: Path, target: Path) -> None:
    """Rename a folder to `target`, which must not exist."""
    folders.make_dir(target.parent)
    with atomic.writing(target):
        source.rename(target)


def remove(folder: Path) -> None:
    """Remove a folder and all in it; after the first step it has no name that anybody would take for its own."""
    with atomic.writing(folder):
        doomed = aside(folder)
        folder.rename(doomed)
        remove_tree(doomed)


def remove_tree(folder: Path) -> None:
    """Remove a folder that has the name of a temporary one already."""
    with atomic.writing(folder):
        import shutil  # here and below: most processes that log never remove or copy

        shutil.rmtree(folder)


def aside(path: Path) -> Path:
    """A new hidden name beside `path`, in the form of all temporary files."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")


def size(folder: Path) -> int:
    """The bytes of all files in a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for path in walk(folder):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


def walk(folder: Path) -> Iterator[Path]:
    """All files below a folder, links not followed; a folder that is not there has none."""
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def copy(source: Path, target: Path, *, leave_out: Callable[[Path], bool]) -> None:
    """Copy what is in a folder into a new one, times included, so that it would survive a power loss.

    A link to a file becomes the file, so that the copy needs nothing of its origin; other links stay links. Pipes
    and the like are left out, as are the paths (below `source`) for which `leave_out` is true.
    """
    with atomic.writing(target):
        target.mkdir(parents=True)
    with os.scandir(source) as entries:
        for entry in entries:
            path, copied = Path(entry.path), target / entry.name
            if leave_out(path):
                continue
            if entry.is_dir(follow_symlinks=False):
                copy(path, copied, leave_out=leave_out)
            else:
                _copy_leaf(entry, copied)
    atomic.sync_dir(target)


def _copy_leaf(entry: os.DirEntry[str], target: Path) -> None:
    with atomic.writing(target):
        if entry.is_file():
            import shutil

            shutil.copy2(entry.path, target)
            atomic.sync(target)
        elif entry.is_symlink():
            target.symlink_to(os.readlink(entry.path))  # noqa: PTH115 - the text of the link, whatever it says


def claim_dir(parent: Path, name_for: Callable[[int], str], *, first: int = 1) -> tuple[int, Path]:
    """Make the first folder of `name_for(first)`, `name_for(first + 1)`, ... that does not exist yet.

    The making is the claim: no two processes get the same number, also over NFS.
    """
    with writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        number = first
        while True:
            path = parent / name_for(number)
            try:
                path.mkdir()
            except FileExistsError:
                number += 1
            else:
                return number, path


def make_dir(path: Path) -> None:
    """Make a folder and its parents; StoreUnwritableError when that is refused."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


_NAME = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")


def is_temporary(path: Path) -> bool:
    """Whether a path has the name of a temporary file or folder."""
    return _NAME.fullmatch(path.name) is not None
