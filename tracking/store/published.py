"""metadata.json: the published index of all runs, in the plain format others read. Written here, never trusted.

A publication puts the runs that this process changed into the list as it stands, under a lock, so none of another
process is lost; what this process wrote last it need not read again. Once per process, and when asked for, all runs
are gone through, of which only those are read that changed: the list's modification time is the moment the last such
scan *began*, so whatever was written during or after it, also by a process that died before it could publish, is
newer and is read next time.
"""

import atexit
import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError, StoreUnwritableError, TrackingError
from tracking.files import atomic, locks
from tracking.paths import StorePaths
from tracking.records import check_format
from tracking.store.published_text import Pieces, cut, entries_in, joined, piece_of, splice
from tracking.values import jsontext
from tracking.values.names import natural_key

log = logging.getLogger("tracking")

COMPLETE_UP_TO = 1000  # runs; a larger store publishes at a limited rate
WAIT_S = 10.0  # for the lock, longer than a crowd takes: a process that was suspended may hold it
COST_S = 2e-8  # of publishing a byte of the list, for a process that has not yet measured it
RATE_SHARE = 100  # above that, a publication is followed by 100 times its own duration without one
MARGIN_NS = 2_000_000_000  # between the time that a rename leaves in its folder and the moment others see it
SMALLEST = 200  # bytes of an entry: a smaller list needs no counting
FIELDS = (
    "run_id",
    "experiment_name",
    "created_at",
    "finished_at",
    "status",
    "tags",
    "description",
    "run_dir",
)

Entry = dict[str, Any]


def public_entry(entry: Mapping[str, Any], run_dir: str) -> Entry:
    """The fields of a run that metadata.json and the run dicts show, in their order."""
    public = {key: entry.get(key) for key in FIELDS}
    public["tags"] = dict(entry.get("tags") or {})
    public["description"] = entry.get("description") or ""
    public["run_dir"] = run_dir
    return public


def read_metadata(path: Path) -> dict[str, Entry]:
    """The entries of a metadata.json by run id; empty without one, CorruptFileError for a damaged one."""
    try:
        entries = entries_in(atomic.read_json(path))
    except FileNotFoundError:
        return {}
    except CorruptFileError:
        raise
    except ValueError:
        raise CorruptFileError(f"{path} must hold a list of runs; repair or remove the file") from None
    return {str(entry["run_id"]): entry for entry in entries if "run_id" in entry}


class Publisher:
    """Publishes the metadata.json of one store, complete up to COMPLETE_UP_TO runs and rate-limited above."""

    def __init__(self, paths: StorePaths) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._staged: set[str] = set()
        self._has_scanned = False
        self._pieces: Pieces = {}
        self._count = -1
        self._written: tuple[int, ...] = ()
        self._took_s = 0.0
        self._is_behind = False

    def stage(self, run_id: str) -> None:
        """Have the next publication say what is then in a run's run.json, and nothing of a run that is gone."""
        with self._lock:
            self._staged.add(run_id)

    def publish(self, *, force: bool = False) -> None:
        """Put what was staged into metadata.json, unless the store is large and that was done a moment ago.

        `force` publishes now, and goes through all runs for what others left out. Without it, a list that cannot be
        written, or that another process holds for WAIT_S, is named in the log and written with the next publication
        or at the end of the process: it is a view.
        """
        if not force and self._should_wait():
            self._catch_up_at_exit()
            return
        started = time.monotonic()
        try:
            self._keep_original()
            with locks.lock(self._paths.metadata_lock, math.inf if force else WAIT_S):
                self._publish(scans=force or not self._has_scanned)
        except StoreUnwritableError as error:
            if force:
                raise
            # what was to be published has happened and stands in its own files; it stays staged
            log.warning("metadata.json is not up to date: %s", error)
            self._catch_up_at_exit()
        else:
            self._is_behind = False
        self._took_s = time.monotonic() - started

    def _catch_up_at_exit(self) -> None:
        if not self._is_behind:
            self._is_behind = True
            atexit.register(self._catch_up)

    def _catch_up(self) -> None:
        # at the end of a process there is nobody left to tell; a forced publication includes what this one missed
        with contextlib.suppress(OSError, TrackingError):
            if self._staged:
                self._keep_original()
                with locks.lock(self._paths.metadata_lock, WAIT_S):
                    self._publish(scans=False)

    def _keep_original(self) -> None:
        """Keep a copy of the list of other code: what it says of a run without a folder, or in words of its own, goes.

        Before the lock is there, so that whoever finds it finds the copy too.
        """
        if not self._paths.metadata_lock.exists():
            original = self._paths.original_metadata
            with atomic.writing(original), contextlib.suppress(FileNotFoundError):
                text = self._paths.metadata.read_bytes()
                if not original.exists():
                    atomic.create_bytes(original, text)

    def _should_wait(self) -> bool:
        try:
            state = self._paths.metadata.stat()
            if state.st_size < SMALLEST * COMPLETE_UP_TO:
                return False
            if self._count < 0:
                self._count = self._paths.metadata.read_bytes().count(b'"run_id":')
        except FileNotFoundError:
            return False
        self._has_scanned = self._has_scanned or self._count > COMPLETE_UP_TO
        wait_s = RATE_SHARE * max(self._took_s, state.st_size * COST_S)
        # the inode is as old as the last publication
        return self._count > COMPLETE_UP_TO and time.time() - state.st_ctime < wait_s

    def _publish(self, *, scans: bool) -> None:
        path = self._paths.metadata
        with self._lock:
            staged, self._staged = self._staged, set()
        try:
            with atomic.beside(path) as (new, handle):
                began = os.fstat(handle).st_mtime_ns
                pieces = self._scanned() if scans else None
                if pieces is None:
                    pieces, began = self._spliced(staged, began)
                text = joined(pieces.values())
                atomic.write_all(handle, text)
                os.utime(handle, ns=(began, began))
                new.replace(path)
        except BaseException:
            with self._lock:
                self._staged |= staged
            raise
        self._has_scanned = True
        self._count = len(pieces)
        # what is large is not published often, and would take its memory all the time
        self._pieces = pieces if len(pieces) <= COMPLETE_UP_TO else {}
        self._written = _identity(path)

    def _spliced(self, staged: set[str], now: int) -> tuple[Pieces, int]:
        path = self._paths.metadata
        try:
            is_own = self._pieces and _identity(path) == self._written
            pieces = self._pieces if is_own else cut(path.read_bytes(), self._pieces)
            scanned = path.stat().st_mtime_ns
        except (FileNotFoundError, ValueError):
            return self._scanned(), now
        prefix = self._prefix()
        changes: dict[str, bytes | None] = {}
        for run_id in sorted(staged, key=natural_key):
            # under the lock, so that of two processes which changed one run the later one's words stay
            with contextlib.suppress(CorruptFileError):
                entry = _read(self._paths.run(run_id).run, run_id, prefix + run_id)
                changes[run_id] = piece_of(entry) if entry else None
        return splice(dict(pieces), changes), scanned

    def _scanned(self) -> Pieces:
        try:
            known = read_metadata(self._paths.metadata)
            scanned = self._paths.metadata.stat().st_mtime_ns
        except FileNotFoundError:
            known, scanned = {}, 0
        except CorruptFileError as error:
            aside = self._paths.metadata.with_suffix(".json.damaged")
            log.warning("%s; it is kept as %s", error, aside.name)
            self._paths.metadata.replace(aside)
            known, scanned = {}, 0
        prefix = self._prefix()
        found = {}
        with os.scandir(self._paths.runs) as folders:
            for folder in folders:
                entry = _entry(folder, known.get(folder.name), scanned, prefix + folder.name)
                if entry:
                    try:
                        found[folder.name] = piece_of(entry)
                    except CorruptFileError as error:
                        log.warning("%s", error)
        return {run_id: found[run_id] for run_id in sorted(found, key=natural_key)}

    def _prefix(self) -> str:
        return jsontext.readable(f"{self._paths.base.resolve().name}/runs/")  # type: ignore[no-any-return]  # text of text


def _identity(path: Path) -> tuple[int, ...]:
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _entry(folder: os.DirEntry[str], known: Entry | None, scanned: int, run_dir: str) -> Entry | None:
    path = f"{folder.path}/run.json"
    try:
        if known and _changed(folder, path) < scanned - MARGIN_NS:
            return {**known, "run_dir": run_dir}
        # a store written by other code: the entry is all there is, and goes when the folder is gone
        return _read(Path(path), folder.name, run_dir) or _foreign(known, run_dir)
    except FileNotFoundError:
        return _foreign(known, run_dir)
    except CorruptFileError as error:
        log.warning("%s", error)
        return known


def _foreign(known: Entry | None, run_dir: str) -> Entry | None:
    if known is None:
        return None
    is_odd = not isinstance(known.get("tags") or {}, dict)
    return {**known, "run_dir": run_dir} if is_odd else public_entry(known, run_dir)


def _read(path: Path, run_id: str, run_dir: str) -> Entry | None:
    try:
        entry = atomic.read_object(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    check_format(entry, path)
    if not isinstance(tags := entry.get("tags") or {}, dict):
        raise CorruptFileError(
            f"{path} has tags that are {type(tags).__name__}, not a mapping; repair the file"
        )
    return public_entry({**entry, "run_id": run_id}, run_dir)


def _changed(folder: os.DirEntry[str], path: str) -> int:
    # A rename keeps the file's own time of writing, which may lie before a scan that still saw the old file; the
    # folder's time is that of the rename. An edit in place changes only the file's.
    return max(folder.stat().st_mtime_ns, os.stat(path).st_mtime_ns)  # noqa: PTH116 - a thousand times in a row
