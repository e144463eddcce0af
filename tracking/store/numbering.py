"""The number of the next run folder: above those of all runs, past and present.

Creating the folder claims the number; this module only says where to start, without listing the runs.
"""

import os
import re

from tracking.errors import UnreadableFileError
from tracking.files import atomic, folders, regular
from tracking.paths import StorePaths

_TAIL_BYTES = 65536
_IDS = re.compile(rb'"run_id":\s*"run_(\d+)"')


def next_number(paths: StorePaths, expected: int) -> int:
    """Return the number to try first. `expected` is the number after this process' last run, 0 without one.

    Costs two file accesses when no other process created or deleted runs since.
    """
    number = max(expected, last_deleted(paths) + 1)
    return first_free_number(paths) if not expected or _exists(paths, number) else number


def first_free_number(paths: StorePaths) -> int:
    """Return a number above that of every run, deleted ones included; costs a few dozen file accesses at most."""
    low = max(last_deleted(paths), _last_published(paths))
    step = 1
    while _exists(paths, low + step):
        low += step
        step *= 2
    # run_<low> exists or existed, run_<low + step> does not: bisect
    while step > 1:
        step //= 2
        if _exists(paths, low + step):
            low += step
    return low + 1


def last_deleted(paths: StorePaths) -> int:
    """Return the highest number of a deleted run; 0 without any."""
    regular.refuse_link(paths.inner)
    try:
        return int(regular.read_bytes(paths.last_deleted))
    except UnreadableFileError:
        raise  # it may reserve any number
    except (FileNotFoundError, ValueError):
        return 0


def remember_deleted(paths: StorePaths, run_id: str) -> None:
    """Reserve the number of a run before it is deleted, so that no run gets it again; call it under a lock."""
    digits = run_id.removeprefix("run_")
    if digits.isdecimal() and int(digits) > last_deleted(paths):
        folders.make_dir(paths.last_deleted.parent)
        atomic.write_bytes(paths.last_deleted, b"%d\n" % int(digits))


def _exists(paths: StorePaths, number: int) -> bool:
    return os.path.lexists(paths.runs / f"run_{number:03d}")


def _last_published(paths: StorePaths) -> int:
    """Return the number of the last run in metadata.json, read from its end; without the file, of the last folder."""
    try:
        with regular.open_file(paths.metadata) as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
            return max(map(int, _IDS.findall(file.read())), default=0)
    except (FileNotFoundError, UnreadableFileError):
        # a new store, or one that was copied without its list
        names = (folder.name.removeprefix("run_") for folder in paths.runs.glob("run_*"))
        return max((int(name) for name in names if name.isdecimal()), default=0)
