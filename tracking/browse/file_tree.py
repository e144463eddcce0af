"""Which files a run has: looked at once, and again in folders that have changed, however many there are.

A folder's time changes when a file in it is made, renamed or removed. So a run of very many files costs a look at its folders
as long as nothing is added, and names alone until one asks for some: sizes are read of files that are shown.
"""

import os
import stat
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from tracking.files import regular
from tracking.paths import RunPaths

MOST_KEPT = 4  # runs whose trees stay in memory
MOST_NAMES = 300_000  # of one that does
UNSURE_NS = 100_000_000  # a change so soon after another may have its time


class Folder(NamedTuple):
    """The regular files of a folder by name, relative to its run; `changed_ns` is 0 if it may have changed unseen."""

    path: str
    names: tuple[str, ...]
    inner: tuple[str, ...]
    changed_ns: int


Tree = dict[str, Folder]


class FileTrees:
    """The files of the runs of a store; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Path, Tree] = OrderedDict()

    def of(self, paths: RunPaths) -> Tree:
        """Return the folders with the files of a run, artifacts first, each followed by those in it, and its own last."""
        with self._lock:
            known = self._kept.get(paths.folder, {})
        tree: Tree = {}
        if regular.is_folder(paths.artifacts):
            waiting = [paths.artifacts.name]
            while waiting:
                path = waiting.pop()
                folder = tree[path] = _folder(paths.folder, path, known.get(path))
                waiting += [f"{path}/{name}" for name in reversed(folder.inner)]
        own = _folder(paths.folder, "", known.get(""))
        tree[""] = own._replace(inner=())
        with self._lock:
            self._kept.pop(paths.folder, None)
            if sum(len(folder.names) + 1 for folder in tree.values()) <= MOST_NAMES:
                self._kept[paths.folder] = tree
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return tree


def _folder(run: Path, path: str, known: Folder | None) -> Folder:
    """Return a folder as it is now; one that cannot be read has no files."""
    place = run / path
    try:
        state = place.lstat()
        if known is not None and known.changed_ns and known.changed_ns == state.st_mtime_ns:
            return known
        looked_ns = time.time_ns()
        names, inner = [], []
        if stat.S_ISDIR(state.st_mode):
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        names.append(entry.name)
                    elif entry.is_dir(follow_symlinks=False):
                        inner.append(entry.name)
    except OSError:
        return Folder(path, (), (), 0)
    is_sure = looked_ns - state.st_mtime_ns > UNSURE_NS
    return Folder(path, tuple(sorted(names)), tuple(sorted(inner)), state.st_mtime_ns if is_sure else 0)
