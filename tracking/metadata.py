"""metadata.json: the published index of all runs, in the plain format others read. Written here, never trusted.

Publishing reads run.json only where it changed since the last publication: metadata.json's modification time is the
moment its own scan *began*, so whatever was written during or after that scan, also by a process that died before
it could publish, is newer and is read next time.
"""

import atexit
import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from tracking import files
from tracking.errors import CorruptFileError, TrackingError
from tracking.names import natural_key
from tracking.paths import StorePaths
from tracking.records import check_format

COMPLETE_UP_TO = 1000  # runs; a larger store publishes at a limited rate
COST_S = 6e-6  # of publishing one run, for a process that has not yet measured it
RATE_SHARE = 100  # above that, a publication is followed by 100 times its own duration without one
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
        entries = files.read_json(path)
    except FileNotFoundError:
        return {}
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CorruptFileError(f"{path} must hold a list of runs; repair or remove the file")
    return {str(entry["run_id"]): entry for entry in entries if "run_id" in entry}


class Publisher:
    """Publishes the metadata.json of one store, complete up to COMPLETE_UP_TO runs and rate-limited above."""

    def __init__(self, paths: StorePaths) -> None:
        self._paths = paths
        self._took_s = 0.0
        self._is_behind = False

    def publish(self, *, force: bool = False) -> None:
        """Bring metadata.json up to date, unless the store is large and that was done a moment ago."""
        if not force and self._should_wait():
            if not self._is_behind:
                self._is_behind = True
                atexit.register(self._catch_up)
            return
        started = time.monotonic()
        with files.lock(self._paths.metadata_lock):
            self._publish()
        self._took_s = time.monotonic() - started
        self._is_behind = False

    def _catch_up(self) -> None:
        # at the end of a process there is nobody left to tell; the next publication includes what this one missed
        with contextlib.suppress(OSError, TrackingError):
            if self._is_behind:
                self.publish(force=True)

    def _should_wait(self) -> bool:
        try:
            state = self._paths.metadata.stat()
            # no entry is shorter than 200 bytes: a smaller file needs no counting
            if state.st_size < 200 * COMPLETE_UP_TO:
                return False
            count = sum(1 for _ in os.scandir(self._paths.runs))
        except FileNotFoundError:
            return False
        wait_s = RATE_SHARE * max(self._took_s, count * COST_S)
        return count > COMPLETE_UP_TO and time.time() - state.st_mtime < wait_s

    def _publish(self) -> None:
        path = self._paths.metadata
        with files.beside(path) as (new, handle):
            began = os.fstat(handle).st_mtime_ns
            entries = self._entries()
            # what comes from JSON needs no preparation, and a thousand entries would take the most of the time
            text = orjson.dumps(entries, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            files.write_all(handle, text)
            os.utime(handle, ns=(began, began))
            new.replace(path)

    def _entries(self) -> list[Entry]:
        try:
            known = read_metadata(self._paths.metadata)
            scanned = self._paths.metadata.stat().st_mtime_ns
        except FileNotFoundError:
            known, scanned = {}, 0
        except CorruptFileError as error:
            aside = self._paths.metadata.with_suffix(".json.damaged")
            files.log.warning("%s; it is kept as %s", error, aside.name)
            self._paths.metadata.replace(aside)
            known, scanned = {}, 0
        prefix = f"{self._paths.base.resolve().name}/runs/"
        found = {}
        with os.scandir(self._paths.runs) as folders:
            for folder in folders:
                entry = _entry(folder, known.get(folder.name), scanned, prefix + folder.name)
                if entry:
                    found[folder.name] = entry
        return [found[run_id] for run_id in sorted(found, key=natural_key)]


def _entry(folder: os.DirEntry[str], known: Entry | None, scanned: int, run_dir: str) -> Entry | None:
    path = f"{folder.path}/run.json"
    try:
        if known and _changed(folder, path) < scanned:
            return {**known, "run_dir": run_dir}
        entry = files.read_object(Path(path))
        check_format(entry, Path(path))
        return public_entry({**entry, "run_id": folder.name}, run_dir)
    except (FileNotFoundError, NotADirectoryError):
        # a store written by other code: the entry is all there is, and goes when the folder is gone
        return public_entry(known, run_dir) if known else None
    except CorruptFileError as error:
        files.log.warning("%s", error)
        return known


def _changed(folder: os.DirEntry[str], path: str) -> int:
    # A rename keeps the file's own time of writing, which may lie before a scan that still saw the old file; the
    # folder's time is that of the rename. An edit in place changes only the file's.
    return max(folder.stat().st_mtime_ns, os.stat(path).st_mtime_ns)  # noqa: PTH116 - a thousand times in a row
