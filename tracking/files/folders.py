"""Whole folders, claimed, moved, copied and removed so that a folder is never seen in parts.

A folder that is being copied or removed bears the name of a temporary file, so that the doctor finds what a crash
leaves.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from tracking.errors import UnreadableFileError
from tracking.files import regular
from tracking.files.atomic import log, sync, sync_dir, temporary_path, writing
from tracking.values.names import is_component, order_of


def make_dir(path: Path) -> None:
    """Create a folder and its parents; raise StoreUnwritableError when the system refuses."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


def claim_dir(parent: Path, name_for: Callable[[int], str], *, first: int = 1) -> tuple[int, Path]:
    """Create the first folder of `name_for(first)`, `name_for(first + 1)`, ... that does not exist; return its number.

    `mkdir` is the claim: no two processes get the same number, also over NFS.
    """
    regular.refuse_link(parent)
    make_dir(parent)
    with writing(parent):
        number = first
        while True:
            path = parent / name_for(number)
            try:
                path.mkdir()
            except FileExistsError:
                number += 1
            else:
                return number, path


def move(source: Path, target: Path) -> None:
    """Rename a folder to `target`, which must not exist; refuse to put it where a link leads."""
    regular.refuse_link(target.parent)
    make_dir(target.parent)
    with writing(target):
        source.rename(target)


def remove(folder: Path) -> None:
    """Remove a folder with all its files. It loses its name first, so that nobody reads a part of it."""
    with writing(folder):
        doomed = temporary_path(folder)
        folder.rename(doomed)
        remove_tree(doomed)


def remove_tree(folder: Path) -> None:
    """Remove a folder that already has a temporary name."""
    with writing(folder):
        import shutil  # here and below: most processes that log neither remove nor copy

        shutil.rmtree(folder)


def size(folder: Path) -> int:
    """Return the bytes of all files in a folder; a file that vanishes meanwhile does not count."""
    total = 0
    for path in walk(folder):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


def named_folders(parent: Path) -> list[str]:
    """Return the names of the folders in `parent` that may be runs or models, run_2 before run_10; none without it.

    A link is among them, so that its reader names it; only one to another folder of `parent` is a second name for that.
    """
    regular.refuse_link(parent)
    try:
        with regular.reading(parent), os.scandir(parent) as entries:
            names = [
                entry.name
                for entry in entries
                if is_component(entry.name)
                and (entry.is_dir(follow_symlinks=False) or is_odd_link(Path(entry)))
            ]
    except FileNotFoundError:
        return []
    return sorted(names, key=order_of)


def followed(path: Path, within: Path) -> Path:
    """Return where a path leads; raise UnreadableFileError when a link on the way leads out of the folder `within`."""
    place = Path(os.path.realpath(path))
    if not place.is_relative_to(os.path.realpath(within)):
        raise UnreadableFileError(
            f"{path} is a link out of {within}, and is not followed; put the file there", path
        )
    return place


def is_odd_link(path: Path) -> bool:
    """Return whether a path is a link to anything but a folder beside it."""
    if not path.is_symlink():
        return False
    place = Path(os.path.realpath(path))
    return not (place.parent == path.parent.resolve() and regular.is_folder(place))


def walk(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder without following links; nothing for a missing one, or a link to one."""
    for place, _, names in os.walk(folder) if regular.is_folder(folder) else ():
        yield from (Path(place, name) for name in names)


def copy(source: Path, target: Path, *, within: Path, leave_out: Callable[[Path], bool]) -> None:
    """Copy a folder to a new one, times included, so that the copy survives a power loss.

    A link to a file in `within` becomes that file, so that the copy does not depend on its source; other links stay
    links and are not followed. Pipes and devices are left out, as are the paths below `source` for which `leave_out`
    returns True. Raise UnreadableFileError for a file that cannot be read.
    """
    _copy(source, target, leave_out, Path(os.path.realpath(within)))


def _copy(source: Path, target: Path, leave_out: Callable[[Path], bool], within: Path) -> None:
    with writing(target):
        target.mkdir(parents=True)
    with regular.reading(source):
        entries = list(os.scandir(source))
    for entry in entries:
        path, copied = Path(entry.path), target / entry.name
        if leave_out(path):
            continue
        if entry.is_dir(follow_symlinks=False):
            _copy(path, copied, leave_out, within)
        elif entry.is_symlink():
            _copy_link(path, copied, within)
        elif entry.is_file(follow_symlinks=False):
            _copy_file(path, copied)
    sync_dir(target)


def _copy_link(path: Path, target: Path, within: Path) -> None:
    place = Path(os.path.realpath(path))
    is_inside = place.is_relative_to(within)
    if is_inside and regular.is_file(place):
        _copy_file(place, target)
        return
    with writing(target):
        target.symlink_to(os.readlink(path))  # noqa: PTH115 - the text of the link as it stands
    if not is_inside:
        log.warning("%s is a link out of the store, to %s: copied as a link", path, place)


def _copy_file(path: Path, target: Path) -> None:
    import shutil

    with regular.open_file(path) as origin, writing(target):
        with target.open("xb") as copied:
            shutil.copyfileobj(origin, copied, 1 << 20)
        state = os.fstat(origin.fileno())
        os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))
        target.chmod(state.st_mode & 0o777)  # a foreign file gets no right to act as its owner
        sync(target)
