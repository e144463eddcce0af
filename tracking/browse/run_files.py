"""The files of one run as a page may show them: named, bounded, and never what a link leads to."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tracking.browse import cells
from tracking.browse.file_tree import Folder, Tree
from tracking.errors import MissingFileError, UnreadableFileError, quoted
from tracking.files import regular
from tracking.paths import RunPaths

MOST_FILES = 1000  # that are listed at once
MOST_OF_FOLDER = 100  # of a run that has more
MOST_FOLDERS = 200  # that tell how many they have beyond that
WANTED = frozenset({"artifacts/data.json"})  # what a page reads, which is listed among however many
MOST_PARTS = 32  # of a path
TAIL_BYTES = 64 << 10
MOST_BYTES = 1 << 20  # of text in one answer

_IMAGES = {
    ".png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    ".jpg": ("image/jpeg", b"\xff\xd8\xff"),
    ".jpeg": ("image/jpeg", b"\xff\xd8\xff"),
    ".gif": ("image/gif", b"GIF8"),
    ".webp": ("image/webp", b"RIFF"),
}
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class RunFile(NamedTuple):
    """An open file of a run; the caller closes the stream.

    `name` is that of the file without its folders. `image` is the media type of a picture that browsers draw without
    running anything in it, None for any other file.
    """

    stream: BinaryIO
    size: int
    name: str
    image: str | None


def open_run_file(paths: RunPaths, path: str) -> RunFile:
    """Open a regular file of a run's folder, named relative to that; raise MissingFileError for anything else."""
    parts = path.split("/")
    if len(parts) > MOST_PARTS or any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise MissingFileError(f"{quoted(path)} is no file of a run; name one below its folder")
    try:
        handle = _open_below(paths.folder, parts)
    # it is missing, a link or a pipe is on the way, or it is no name of a file
    except (OSError, ValueError):
        raise MissingFileError(f"run {paths.folder.name} has no file {quoted(path)}") from None
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode):
        os.close(handle)
        raise MissingFileError(f"{quoted(path)} of run {paths.folder.name} is not a file")
    stream = os.fdopen(handle, "rb")
    return RunFile(stream, state.st_size, parts[-1], _image_type(parts[-1], handle))


def list_files(paths: RunPaths, tree: Tree) -> dict[str, Any]:
    """Return the regular files of a run's folder, the artifacts first, and how many of very many are left out, by folder.

    Of a run with more than MOST_FILES each folder has its first MOST_OF_FOLDER by name, and what pages look for.
    """
    is_whole = sum(len(folder.names) for folder in tree.values()) <= MOST_FILES
    shown: list[str] = []
    rest: list[dict[str, Any]] = []
    left_out = 0
    for folder in tree.values():
        room = MOST_FILES - len(shown)
        most = room if is_whole else min(room, MOST_OF_FOLDER)
        names = [name for name in folder.names[most:] if _joined(folder, name) in WANTED]
        names = [*folder.names[:most], *names]
        shown += [_joined(folder, name) for name in names]
        if more := len(folder.names) - len(names):
            left_out += more
            if len(rest) < MOST_FOLDERS:
                rest.append({"path": cells.value(folder.path), "shown": most, "left_out": more})
    return {"files": _described(paths, shown), "files_left_out": left_out, "folders": rest}


def files_in(paths: RunPaths, tree: Tree, folder: str, offset: int, most: int) -> list[dict[str, Any]]:
    """Return the files of one folder of a run, named relative to that, by name from the place `offset` on."""
    found = next((each for each in tree.values() if cells.value(each.path) == folder), None)
    if found is None:
        raise MissingFileError(f"run {paths.folder.name} has no folder {quoted(folder)}")
    names = found.names[offset : offset + min(most, MOST_FILES)]
    return _described(paths, [_joined(found, name) for name in names])


def read_text(path: Path, most: int) -> str | None:
    """Return the beginning of a text file, with a line that says so where it was cut; None without the file."""
    try:
        with regular.open_file(path) as file:
            data = file.read(most + 1)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return None
    if len(data) <= most:
        return data.decode(errors="replace")
    return f"{data[:most].decode(errors='ignore')}\n... cut: {size:,} bytes in all\n"


def read_part(path: Path, start: int, most: int) -> dict[str, Any]:
    """Return a part of a text file from byte `start` on, whole lines where it can: start, end, size and text.

    A `start` below 0 counts from the end. A missing file is empty. The part ends where the next begins.
    """
    most = max(1, min(most, MOST_BYTES))
    try:
        with regular.open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            begin = max(0, size + start) if start < 0 else min(start, size)
            skipped = _to_line(file.fileno(), begin) if start < 0 else 0
            data = os.pread(file.fileno(), most, begin + skipped)
    except FileNotFoundError:
        return {"start": 0, "end": 0, "size": 0, "text": ""}
    begin += skipped
    data = whole_text(data, is_last=begin + len(data) >= size)
    return {"start": begin, "end": begin + len(data), "size": size, "text": data.decode(errors="replace")}


def whole_text(data: bytes, *, is_last: bool) -> bytes:
    """Return the beginning of data that ends with a line or, where a line is not over, with a whole character."""
    end = data.rfind(b"\n") + 1
    if end and not is_last:
        return data[:end]
    for back in range(1, min(4, len(data)) + 1):  # a character has at most four bytes
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if length > back and len(data) > back else data
    return data


def _is_image(path: Path) -> bool:
    if path.suffix.lower() not in _IMAGES:
        return False
    try:
        with regular.open_file(path) as file:
            return _image_type(path.name, file.fileno()) is not None
    except (FileNotFoundError, UnreadableFileError):
        return False


def _image_type(name: str, handle: int) -> str | None:
    """Return the media type of an open file that is named as a picture and begins as one."""
    kind, magic = _IMAGES.get(Path(name).suffix.lower(), (None, b""))
    return kind if kind is not None and os.pread(handle, len(magic), 0) == magic else None


def _to_line(handle: int, begin: int) -> int:
    """Return the bytes from a place in a file to the beginning of the next line, 0 where none is near."""
    if begin == 0 or os.pread(handle, 1, begin - 1) == b"\n":
        return 0
    return os.pread(handle, TAIL_BYTES, begin).find(b"\n") + 1


def _open_below(folder: Path, parts: list[str]) -> int:
    """Open a path below a folder one part after another, so that no link is followed, not even one made meanwhile."""
    regular.refuse_link(folder.parent)
    place = os.open(folder, _FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=place)
            os.close(place)
            place = inner
        return os.open(parts[-1], _FILE, dir_fd=place)
    finally:
        os.close(place)


def _joined(folder: Folder, name: str) -> str:
    return f"{folder.path}/{name}" if folder.path else name


def _described(paths: RunPaths, names: Iterable[str]) -> list[dict[str, Any]]:
    """Return the path, the size and whether it is a picture of each regular file; what is gone meanwhile is left out."""
    found = []
    for name in names:
        path = paths.folder / name
        try:
            state = path.lstat()
        except OSError:
            continue
        if stat.S_ISREG(state.st_mode):
            found.append({"path": cells.value(name), "size": state.st_size, "image": _is_image(path)})
    return found
