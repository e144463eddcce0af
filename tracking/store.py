"""The runs of one store as files: made, found, read and changed. The one place that knows what a run folder means.

run.json is the truth about a run. A run folder without one belongs to a store that other code wrote: its entry in
metadata.json speaks for it until the first write adopts it.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tracking import clock, files, liveness
from tracking.errors import CorruptFileError, UnknownRunError, quoted
from tracking.history import read_history
from tracking.metadata import Entry, Publisher, public_entry, read_metadata
from tracking.names import check_component, check_label, is_component, natural_key
from tracking.numbering import first_free_number
from tracking.paths import RunPaths, StorePaths
from tracking.records import FORMAT, RunRecord, RunStatus, check_format
from tracking.summary import frozen, read_stats
from tracking.values import plain, revive, tag_values
from tracking.version import __version__


class Store:
    """Access to a store; making one touches nothing on disk.

    The folder is fixed at that moment, unless `at` says where `base_dir` lay when another process named it.
    """

    def __init__(self, base_dir: str | os.PathLike[str], *, at: Path | None = None) -> None:
        self.paths = StorePaths(Path(base_dir), at)
        self.publisher = Publisher(self.paths)
        self._next_number = 0
        self._metadata: tuple[tuple[int, int], dict[str, Entry]] = ((0, 0), {})

    def create(
        self,
        experiment_name: str,
        *,
        tags: Mapping[str, Any] | None = None,
        description: str | None = "",
        data: Mapping[str, Any] | None = None,
        sweep: Mapping[str, Any] | None = None,
    ) -> RunPaths:
        """Claim the next run folder and write its run.json; the id is the folder's name."""
        entry = {
            "format": FORMAT,
            "version": __version__,
            "run_id": "",
            "experiment_name": check_label("experiment name", experiment_name),
            "created_at": clock.now(),
            "finished_at": None,
            "status": RunStatus.RUNNING,
            "tags": tag_values(tags),
            "description": plain("" if description is None else str(description), "description"),
            **liveness.owner(),
            "sweep": None if sweep is None else plain(sweep, "sweep"),
            "data": plain(data or {}, "data"),
            "error": None,
        }
        first = self._next_number or first_free_number(self.paths)
        number, folder = files.claim_dir(self.paths.runs, "run_{:03d}".format, first=first)
        self._next_number = number + 1
        paths = RunPaths(folder)
        files.make_dir(paths.artifacts)
        files.write_json(paths.run, {**entry, "run_id": folder.name}, durable=False)
        return paths

    def run_ids(self) -> list[str]:
        """The ids of all runs, run_2 before run_10. Folders that were claimed but never became a run are left out."""
        try:
            names = [entry.name for entry in os.scandir(self.paths.runs) if entry.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted((name for name in names if self._is_run(name)), key=natural_key)

    def entry(self, run_id: str) -> Entry | None:
        """What run.json says, or metadata.json for a run of other code; None for an unknown id.

        CorruptFileError names the file when it does not say what every run must.
        """
        if isinstance(run_id, str) and not is_component(run_id):
            return None
        entry = self._read(check_component("run id", run_id, example="run_001"))
        if entry is not None:
            _check(entry, self._source(run_id))
        return entry

    def require(self, run_id: str) -> Entry:
        """Like `entry`, but UnknownRunError for an unknown id and InvalidNameError for what is none."""
        entry = self.entry(check_component("run id", run_id, example="run_001"))
        if entry is None:
            ids = self.run_ids()
            known = f"it has {len(ids)} runs, {ids[0]} to {ids[-1]}" if ids else "it has no runs yet"
            raise UnknownRunError(f"no run {run_id!r} in the store {str(self.paths.named)!r}: {known}")
        return entry

    def change(self, run_id: str, *, durable: bool = False, **changes: Any) -> Entry:
        """Write `changes` into run.json, which adopts a run of other code, and publish them."""
        entry = {"format": FORMAT, **self.require(run_id), **changes}
        entry.pop("run_dir", None)
        files.write_json(self.paths.run(run_id).run, entry, durable=durable)
        self.publisher.publish()
        return entry

    def public(self, entry: Mapping[str, Any]) -> Entry:
        """The run as a dict for users, a dead run shown as killed."""
        run_id = str(entry["run_id"])
        return {
            **public_entry(entry, self.paths.shown(run_id)),
            "status": shown_status(entry).value,
        }

    def params(self, run_id: str) -> dict[str, Any]:
        """The parameters of a run; empty when none were logged."""
        try:
            params: dict[str, Any] = revive(files.read_object(self.paths.run(run_id).params))
        except FileNotFoundError:
            return {}
        return params

    def full(self, run_id: str) -> Entry | None:
        """The run as a dict with parameters and metric histories; None for an unknown id."""
        entry = self.entry(run_id)
        if entry is None:
            return None
        history = read_history(self.paths.run(run_id))
        return {**self.public(entry), "params": self.params(run_id), "metrics": history}

    def record(self, entry: Mapping[str, Any]) -> RunRecord:
        """The run without histories as a frozen value."""
        run_id = str(entry["run_id"])
        paths = self.paths.run(run_id)
        source = self._source(run_id)
        return RunRecord(
            run_id=run_id,
            experiment_name=entry["experiment_name"],
            status=shown_status(entry),
            created_at=_moment(entry.get("created_at"), source) or datetime.fromtimestamp(0).astimezone(),
            finished_at=_moment(entry.get("finished_at"), source),
            tags=dict(entry.get("tags") or {}),
            description=entry.get("description") or "",
            run_dir=paths.folder,
            params=self.params(run_id),
            summary=frozen(read_stats(paths)),
            data=dict(entry.get("data") or {}),
            sweep=entry.get("sweep"),
            error=entry.get("error"),
        )

    def entries(
        self, experiment_name: str | None, on_error: Callable[[CorruptFileError], None]
    ) -> Iterator[Entry]:
        """All runs, of one experiment or of all; a damaged one is reported and left out."""
        for run_id in self.run_ids():
            try:
                entry = self._read(run_id)
                # one without a name may belong to any experiment, and is reported to all
                named = entry.get("experiment_name") if entry else None
                if entry and (experiment_name is None or named in (None, experiment_name)):
                    _check(entry, self._source(run_id))
                    yield entry
            except CorruptFileError as error:
                on_error(error)

    def records(
        self, experiment_name: str | None, on_error: Callable[[CorruptFileError], None]
    ) -> Iterator[RunRecord]:
        """The records of all runs, of one experiment or of all; a damaged one is reported and left out."""
        for entry in self.entries(experiment_name, on_error):
            try:
                yield self.record(entry)
            except CorruptFileError as error:
                on_error(error)

    def _read(self, run_id: str) -> Entry | None:
        paths = self.paths.run(run_id)
        entry: Entry | None
        try:
            entry = files.read_object(paths.run)
            check_format(entry, paths.run)
        except (FileNotFoundError, NotADirectoryError):
            entry = self._foreign(run_id) if paths.folder.is_dir() else None
        return None if entry is None else {**entry, "run_id": run_id}  # a copied folder is a run of its own

    def _source(self, run_id: str) -> Path:
        path = self.paths.run(run_id).run
        return path if path.exists() else self.paths.metadata

    def _is_run(self, run_id: str) -> bool:
        return self.paths.run(run_id).run.exists() or self._foreign(run_id) is not None

    def _foreign(self, run_id: str) -> Entry | None:
        return self._metadata_entries().get(run_id)

    def _metadata_entries(self) -> dict[str, Entry]:
        try:
            state = self.paths.metadata.stat()
        except (FileNotFoundError, NotADirectoryError):
            return {}
        stamp = (state.st_mtime_ns, state.st_ino)
        if self._metadata[0] != stamp:
            self._metadata = (stamp, read_metadata(self.paths.metadata))
        return self._metadata[1]


def warn_left_out(error: CorruptFileError) -> None:
    """Log what a list leaves out."""
    files.log.warning("left out: %s", error)


def shown_status(entry: Mapping[str, Any]) -> RunStatus:
    """The status a reader sees: a run that was never finished and whose process is gone was killed."""
    status = RunStatus(entry["status"])
    return RunStatus.KILLED if status is RunStatus.RUNNING and liveness.is_gone(dict(entry)) else status


def _check(entry: Mapping[str, Any], source: Path) -> None:
    name, status = entry.get("experiment_name"), entry.get("status")
    if not isinstance(name, str) or not name:
        fault = f"the experiment name {quoted(name)}, which is no text"
    elif status not in list(RunStatus):
        fault = f"the status {quoted(status)}, which is none of {', '.join(RunStatus)}"
    elif wrong := [key for key in ("tags", "data", "sweep") if not isinstance(entry.get(key) or {}, dict)]:
        fault = f"{wrong[0]} that are {type(entry[wrong[0]]).__name__}, not a mapping"
    else:
        return
    raise CorruptFileError(f"{source} gives run {entry['run_id']!r} {fault}; repair the file")


def _moment(text: str | None, source: Path) -> datetime | None:
    try:
        return clock.parse(text) if text else None
    except (TypeError, ValueError):
        raise CorruptFileError(
            f"{source} holds the time {text!r}, which is not ISO 8601; repair the file"
        ) from None
