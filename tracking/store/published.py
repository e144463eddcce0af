"""metadata.json: the list of all runs in a plain format for other programs. Written here, never trusted.

A publication puts the runs that this process changed into the list, under a lock, so it keeps what other processes
wrote. A process does not read back the list that it wrote last. Once per process, and with `force`, a publication
scans all runs and reads those that changed since the last scan; a job leaves that to the end of its sweep. The list's modification time is the moment that scan
*began*, so anything written during or after it is newer and is read by the next one, even if its process was killed
before it could publish.
"""

import atexit
import contextlib
import functools
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from tracking.errors import (
    CorruptFileError,
    InvalidValueError,
    StoreUnwritableError,
    TrackingError,
    UnreadableFileError,
    quoted,
)
from tracking.files import atomic, locks, regular
from tracking.paths import StorePaths
from tracking.process.hooks import renew_in_children
from tracking.process.sweep_context import current_job
from tracking.records import check_format
from tracking.values import jsontext
from tracking.values.names import natural_key

log = logging.getLogger("tracking")

COMPLETE_BYTES = 300_000  # of the list, of about a thousand runs; a longer one is published at a limited rate
WAIT_S = 10.0  # for the lock, longer than a crowd takes: a process that was suspended may hold it
COST_S = 2e-8  # of publishing a byte of the list, for a process that has not yet measured it
RATE_SHARE = 100  # above that, a publication is followed by 100 times its own duration without one
MARGIN_NS = 2_000_000_000  # between the time that a rename leaves in its folder and the moment others see it
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

MAX_BYTES = 1 << 32  # of a list that is read: about ten million runs

Entry = dict[str, Any]
Entries = dict[str, Entry]  # by run id, in their order
Warn = Callable[[CorruptFileError], object]


def public_entry(entry: Mapping[str, Any], run_dir: str) -> Entry:
    """Return the fields of a run that metadata.json and the run dicts show, in their order."""
    public = {key: entry.get(key) for key in FIELDS}
    public["tags"] = dict(entry.get("tags") or {})
    public["description"] = entry.get("description") or ""
    public["run_dir"] = run_dir
    return public


def read_metadata(path: Path) -> Entries:
    """Return the entries of a metadata.json by run id, none without the file; raise CorruptFileError for a damaged one."""
    try:
        entries = atomic.read_json(path, MAX_BYTES)
    except FileNotFoundError:
        return {}
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CorruptFileError(f"{path} must hold a list of runs; repair or remove the file")
    return {str(entry["run_id"]): entry for entry in entries if "run_id" in entry}


def list_runs(paths: StorePaths, known: Entries, scanned: int, warn: Warn) -> Entries:
    """Return the list of all runs; read those that changed since `scanned`, the others are as in the `known` list.

    A run that cannot be read is passed to `warn`, and stays as it is known.
    """
    prefix = _prefix(paths)
    regular.refuse_link(paths.runs)
    with os.scandir(paths.runs) as entries:
        found = {
            folder.name: entry
            for folder in entries
            if (entry := _entry(folder, known.get(folder.name), scanned, prefix + folder.name, warn))
        }
    return {run_id: found[run_id] for run_id in sorted(found, key=natural_key)}


def encode_list(entries: Entries) -> bytes:
    """Return the text of metadata.json; log and remove the entries that JSON cannot hold."""
    try:  # unlike `encode`, it does not look for numbers that JSON lacks: entries have none
        return orjson.dumps([*entries.values()], option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        for run_id, entry in list(entries.items()):
            try:
                jsontext.encode(entry)
            except InvalidValueError as error:
                log.warning("run %s cannot be listed: it %s; repair its run.json", quoted(run_id), error)
                del entries[run_id]
    return jsontext.encode([*entries.values()], indent=True) + b"\n"


class Publisher:
    """Writes the metadata.json of one store: always up to COMPLETE_BYTES, at a limited rate above."""

    def __init__(self, paths: StorePaths) -> None:
        self._paths = paths
        self._renew()
        self._staged: set[str] = set()
        self._has_scanned = self._is_of_job = False
        self._entries: Entries = {}
        self._written: tuple[int, ...] = ()
        self._took_s = 0.0
        self._is_behind = self._is_original_kept = False

    @functools.cached_property
    def _prefix(self) -> str:
        return _prefix(self._paths)

    def _renew(self) -> None:
        self._lock = threading.Lock()  # in a forked child, a thread of the parent may hold the old one
        renew_in_children(self._renew)

    def stage(self, run_id: str) -> None:
        """Make the next publication read a run's run.json again, or drop the run if its folder is gone."""
        with self._lock:
            self._staged.add(run_id)

    def publish(self, *, force: bool = False) -> None:
        """Put the staged runs into metadata.json, unless the store is large and the last publication is recent.

        With `force` publish now and scan all runs. Without it, a list that cannot be written, or that another process
        locks for WAIT_S, is logged and written with the next publication or at the end of the process.
        """
        self._note_the_store()
        if not force and self._should_wait():
            self._catch_up_at_exit()
            return
        started = time.monotonic()
        try:
            self._publish(math.inf if force else WAIT_S, scans=force or not self._has_scanned)
        except (StoreUnwritableError, UnreadableFileError) as error:
            if force:
                raise
            # the list is a view: the runs' own files are written, and the runs stay staged
            log.warning("metadata.json is not up to date: %s", error)
            self._catch_up_at_exit()
        else:
            self._is_behind = False
        self._took_s = time.monotonic() - started

    def _note_the_store(self) -> None:
        job = current_job()
        folder = None if job is None else job.folder
        self._is_of_job = folder is not None and self._paths.base in folder.parents
        self._has_scanned = self._has_scanned or self._is_of_job

    def _catch_up_at_exit(self) -> None:
        if not self._is_behind and not self._is_of_job:  # the end of a sweep publishes what its jobs put off
            self._is_behind = True
            atexit.register(self.catch_up)

    def catch_up(self) -> None:
        """Write what was put off. At the end of a process this is the last chance, and no error is raised."""
        # errors at the end of a process are not reported: the next scan finds what this publication missed
        with contextlib.suppress(OSError, TrackingError):
            if self._staged and not (self._is_of_job and self._should_wait()):
                self._publish(WAIT_S, scans=False)

    def _keep_original(self) -> None:
        """Copy a list that other code wrote: publishing drops its runs without a folder and its unknown fields.

        The copy is made before the lock file, so the lock file implies the copy.
        """
        if not self._is_original_kept and not self._paths.metadata_lock.exists():
            original = self._paths.original_metadata
            # what cannot be read is put aside when the list is published
            with atomic.writing(original), contextlib.suppress(FileNotFoundError, UnreadableFileError):
                text = regular.read_bytes(self._paths.metadata, MAX_BYTES)
                if not original.exists():
                    atomic.create_bytes(original, text)
        self._is_original_kept = True

    def _should_wait(self) -> bool:
        try:
            state = self._paths.metadata.lstat()
        except FileNotFoundError:
            return False
        is_long = state.st_size > COMPLETE_BYTES
        self._has_scanned = self._has_scanned or is_long
        wait_s = RATE_SHARE * max(self._took_s, state.st_size * COST_S)
        # the inode is as old as the last publication
        return is_long and time.time() - state.st_ctime < wait_s

    def _publish(self, wait_s: float, *, scans: bool) -> None:
        self._keep_original()
        with locks.lock(self._paths.metadata_lock, wait_s):
            with self._lock:
                staged, self._staged = self._staged, set()
            try:
                entries = self._write(staged, scans=scans)
            except BaseException:
                with self._lock:
                    self._staged |= staged
                raise
            self._has_scanned = True
            self._written = _identity(self._paths.metadata)
            # a long list is published rarely, and would hold its memory all the time
            is_long = self._paths.metadata.lstat().st_size > COMPLETE_BYTES
            self._entries = {} if is_long else entries

    def _write(self, staged: set[str], *, scans: bool) -> Entries:
        path = self._paths.metadata
        with atomic.beside(path) as (new, handle):
            began = os.fstat(handle).st_mtime_ns
            entries, scanned = (self._scanned(), began) if scans else self._updated(staged, began)
            atomic.write_all(handle, encode_list(entries))
            os.utime(handle, ns=(scanned, scanned))
            new.replace(path)
        return entries

    def _updated(self, staged: set[str], began: int) -> tuple[Entries, int]:
        """Return the list with the staged runs as they are now, and the moment of its last scan."""
        path = self._paths.metadata
        try:
            scanned = path.lstat().st_mtime_ns
            is_own = self._entries and _identity(path) == self._written
            known = self._entries if is_own else read_metadata(path)
        except (FileNotFoundError, CorruptFileError):
            return self._scanned(), began
        prefix = self._prefix
        entries: dict[str, Entry | None] = {**known}
        for run_id in staged:
            # read under the lock: of two processes that changed one run, the later publication has both changes
            with contextlib.suppress(CorruptFileError):
                entries[run_id] = _read(self._paths.run(run_id).run, run_id, prefix + run_id)
        run_ids = [*entries]
        if not _is_in_order(run_ids[max(len(known) - 1, 0) :]):
            run_ids.sort(key=natural_key)
        return {run_id: entry for run_id in run_ids if (entry := entries[run_id])}, scanned

    def _scanned(self) -> Entries:
        """Return the list of all runs; read those that changed since the last scan."""
        path = self._paths.metadata
        known, scanned = {}, 0
        try:
            known = read_metadata(path)
            scanned = path.lstat().st_mtime_ns
        except FileNotFoundError:
            pass
        except CorruptFileError as error:
            aside = path.with_suffix(".json.damaged")
            log.warning("%s; it is kept as %s", error, aside.name)
            path.replace(aside)
        return list_runs(self._paths, known, scanned, lambda error: log.warning("%s", error))


def _prefix(paths: StorePaths) -> str:
    return jsontext.readable(f"{paths.base.resolve().name}/runs/")  # type: ignore[no-any-return]  # text of text


def _is_in_order(run_ids: list[str]) -> bool:
    keys = [natural_key(run_id) for run_id in run_ids]
    return keys == sorted(keys)


def _identity(path: Path) -> tuple[int, ...]:
    state = path.lstat()
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _entry(
    folder: os.DirEntry[str], known: Entry | None, scanned: int, run_dir: str, warn: Warn
) -> Entry | None:
    path = f"{folder.path}/run.json"
    if not folder.is_dir(follow_symlinks=False):
        return None
    try:
        if known and _changed(folder, path) < scanned - MARGIN_NS:
            return {**known, "run_dir": run_dir}
        # of a run of other code the entry is all there is; it is dropped with the folder
        return _read(Path(path), folder.name, run_dir) or _foreign(known, run_dir)
    except FileNotFoundError:
        return _foreign(known, run_dir)
    except CorruptFileError as error:
        warn(error)
        return known
    except OSError as error:
        warn(regular.unreadable(Path(path), error))
        return known


def _foreign(known: Entry | None, run_dir: str) -> Entry | None:
    if known is None:
        return None
    is_odd = not isinstance(known.get("tags") or {}, dict)
    return {**known, "run_dir": run_dir} if is_odd else public_entry(known, run_dir)


def _read(path: Path, run_id: str, run_dir: str) -> Entry | None:
    try:
        entry = atomic.read_object(path)
    except FileNotFoundError:
        return None
    check_format(entry, path)
    if not isinstance(tags := entry.get("tags") or {}, dict):
        raise CorruptFileError(
            f"{path} has tags that are {type(tags).__name__}, not a mapping; repair the file"
        )
    try:
        tags = jsontext.jsonable(jsontext.revive(tags))  # as other programs write them: NaN without quotes
    except RecursionError:
        raise CorruptFileError(f"{path} has tags that are nested too deep; repair the file") from None
    return public_entry({**entry, "run_id": run_id, "tags": tags}, run_dir)


def _changed(folder: os.DirEntry[str], path: str) -> int:
    # A rename keeps the file's time of writing, which may be older than a scan that still saw the old file; the
    # folder has the time of the rename. An edit in place changes only the file's time.
    changed = folder.stat(follow_symlinks=False).st_mtime_ns
    return max(changed, os.lstat(path).st_mtime_ns)
