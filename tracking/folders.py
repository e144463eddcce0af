"""Whole folders: moved, copied and removed so that each is in one place or the other, never in halves.

What is being copied or removed bears the name of a temporary file (`files.beside`), so leftovers look alike.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from tracking import files


def move(source: Path, target: Path) -> None:
    """Rename a folder to `target`, which must not exist."""
    files.make_dir(target.parent)
    with files.writing(target):
        source.rename(target)


def remove(folder: Path) -> None:
    """Remove a folder and all in it; after the first step it has no name that anybody would take for its own."""
    with files.writing(folder):
        doomed = aside(folder)
        folder.rename(doomed)
        remove_tree(doomed)


def remove_tree(folder: Path) -> None:
    """Remove a folder that has the name of a temporary one already."""
    with files.writing(folder):
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
    with files.writing(target):
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
    files.sync_dir(target)


def _copy_leaf(entry: os.DirEntry[str], target: Path) -> None:
    with files.writing(target):
        if entry.is_file():
            shutil.copy2(entry.path, target)
            files.sync(target)
        elif entry.is_symlink():
            target.symlink_to(os.readlink(entry.path))  # noqa: PTH115 - the text of the link, whatever it says
