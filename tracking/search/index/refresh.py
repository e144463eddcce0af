"""Refresher: bring an index up to date by reading only the runs that may have changed.

New and removed folders change the time of runs/. A run that is not settled is checked each time. A settled run changes
with a line in the log of edits, or by hand. To find edits by hand, each refresh checks all settled runs of a store of
up to SMALL runs, and the next SLICE of them in a larger one.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracking.errors import CorruptFileError
from tracking.files import folders, regular
from tracking.records import RunStatus
from tracking.search.index.database import batches, highest_id, marks, writing
from tracking.search.index.rows import NameNumbers, Reading, document, read_run, remove_run, write_runs
from tracking.search.index.stamps import TICK_NS, journals_in, stamp_of
from tracking.store.edit_log import read_edits
from tracking.store.scan import Scan, shown_status
from tracking.values.names import is_component

if TYPE_CHECKING:  # sqlite3 is loaded only for queries
    import sqlite3

SMALL = 250  # runs; a refresh of a store of up to so many checks all of them
SLICE = 100  # settled runs that a refresh of a larger store checks, about 1 ms
BATCH = 500  # runs read before they are written and progress is reported

Progress = Callable[[int, int], None]  # called with the number of runs read, and of all to read
# id, run id, stamp, watched, the entry if it is running
Suspect = tuple[int, str, bytes, int, bytes | None]


@dataclass
class Changes:
    """The runs to read, and the state of the index afterwards."""

    read: set[str] = field(default_factory=set)
    state: dict[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.read or self.state)


class Refresher:
    """Brings the index of one connection up to date; keeps only the place where its last slice ended."""

    def __init__(self, scan: Scan, database: "sqlite3.Connection") -> None:
        self._scan = scan
        self._database = database
        self._runs = str(scan.paths.runs)
        self._last = -1

    def refresh(
        self, surely: Iterable[str] = (), progress: Progress | None = None, *, everything: bool = False
    ) -> None:
        """Bring the index up to date; check the runs in `surely` in any case, or all with `everything`.

        Of several processes that refresh, one writes; the others wait and then check again.
        """
        surely = set(surely)
        version = self._data_version()
        changes = self._look(surely, everything)
        if not changes:
            return
        with writing(self._database):
            if self._data_version() != version:
                changes = self._look(surely, everything)
            self._apply(changes, progress)

    def _look(self, surely: set[str], everything: bool) -> Changes:
        now = time.time_ns()
        state = dict(self._database.execute("SELECT key, value FROM state"))
        changes = Changes()
        edits = read_edits(self._scan.paths, json.loads(state.get("edits", "{}")))
        position = json.dumps(edits.position, sort_keys=True)
        if position != state.get("edits", "{}"):
            changes.state["edits"] = position
        changes.read |= {run_id for run_id in edits.run_ids if is_component(run_id)}
        # a log of edits that was removed or replaced may have named more runs
        everything = everything or not edits.is_complete
        self._look_at_names(state, changes, now, everything)
        self._look_at_metadata(state, changes)
        for _, run_id, stamp, watched, entry in self._suspects(surely, everything):
            folder = f"{self._runs}/{run_id}"
            found = stamp_of(folder, now, journals_in(folder) if watched else ())
            if found and found == stamp and not (entry and self._is_dead(document(entry))):
                continue
            if not (everything or watched or run_id in changes.read):
                # a settled run changed without an edit: this may be another store at the same path
                return self._look(surely, everything=True)
            changes.read.add(run_id)
        return changes

    def _is_dead(self, entry: dict[str, Any]) -> bool:
        return shown_status(entry, self._scan.paths) is not RunStatus.RUNNING

    def _look_at_names(self, state: dict[str, Any], changes: Changes, now: int, everything: bool) -> None:
        regular.refuse_link(self._scan.paths.runs)
        try:
            status = os.lstat(self._runs)
            stamp = f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
            # a folder that changed a moment ago may change again within one tick of its time: list it again
            stamp = "" if status.st_ctime_ns > now - TICK_NS else stamp
        except (FileNotFoundError, NotADirectoryError):
            stamp = "none"
        if stamp and stamp == state.get("runs") and not everything:
            return
        known = {run_id for (run_id,) in self._database.execute("SELECT run_id FROM runs")}
        found = set[str]() if stamp == "none" else set(os.listdir(self._runs))  # noqa: PTH208 - names alone
        changes.read |= known - found
        changes.read |= {name for name in found - known if self._may_be_run(name)}
        if stamp != state.get("runs"):
            changes.state["runs"] = stamp

    def _may_be_run(self, name: str) -> bool:
        path = self._scan.paths.runs / name
        return is_component(name) and (regular.is_folder(path) or folders.is_odd_link(path))

    def _look_at_metadata(self, state: dict[str, Any], changes: Changes) -> None:
        """Find the runs of other code whose entries in metadata.json changed."""
        foreign = self._database.execute(
            "SELECT run_id, entry, fault FROM runs LEFT JOIN documents ON run = id "
            "WHERE is_foreign AND (is_foreign OR fault)"  # the latter selects the SQL index
        ).fetchall()
        stamp = "{} {}".format(*self._scan.metadata_stamp()) if foreign else state.get("metadata")
        if stamp == state.get("metadata"):
            return
        try:
            entries = self._scan.foreign_entries()
        except CorruptFileError:
            changes.read |= {run_id for run_id, _, fault in foreign if not fault}
            return
        changes.state["metadata"] = stamp
        for run_id, text, fault in foreign:
            entry = {**entries[run_id], "run_id": run_id} if run_id in entries else None
            if fault or entry != (document(text) if text else None):
                changes.read.add(run_id)

    def _suspects(self, surely: set[str], everything: bool) -> Iterator[Suspect]:
        yield from self._database.execute(
            "SELECT id, run_id, stamp, watched, CASE status WHEN 'running' THEN entry END "
            "FROM runs LEFT JOIN documents ON run = id WHERE watched"
        ).fetchall()
        rows = "SELECT id, run_id, stamp, watched, NULL FROM runs WHERE NOT watched"
        if everything:
            yield from self._database.execute(rows).fetchall()
            return
        for some in batches(surely, BATCH):
            yield from self._database.execute(f"{rows} AND run_id IN ({marks(len(some))})", some).fetchall()
        yield from self._slice(rows)

    def _slice(self, rows: str) -> list[Suspect]:
        """Return the next SLICE of all settled runs, in a circle; the start differs between processes."""
        highest = highest_id(self._database)
        if highest <= SMALL:
            return self._database.execute(rows).fetchall()
        if self._last < 0:
            self._last = time.time_ns() % highest
        found = self._database.execute(
            f"{rows} AND id > ? ORDER BY id LIMIT ?", (self._last, SLICE)
        ).fetchall()
        rest = (self._last, SLICE - len(found))
        found += self._database.execute(f"{rows} AND id <= ? ORDER BY id LIMIT ?", rest).fetchall()
        self._last = found[-1][0] if found else -1
        return found

    def _apply(self, changes: Changes, progress: Progress | None) -> None:
        names, done = NameNumbers(self._database), 0
        for some in batches(sorted(changes.read), BATCH):
            readings: list[Reading] = []
            for run_id in some:
                reading = read_run(self._scan, run_id)
                if reading:
                    readings.append(reading)
                else:
                    remove_run(self._database, run_id, names)
            write_runs(self._database, readings)
            done += len(some)
            if progress:
                progress(done, len(changes.read))
        self._database.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", changes.state.items())

    def _data_version(self) -> int:
        return int(self._database.execute("PRAGMA data_version").fetchone()[0])
