"""Scan: read runs from their files, one by one. Slow for many runs, and the reference for the index.

run.json is the truth about a run. A run folder without one belongs to a store that other code wrote: its entry in
metadata.json stands in until the first write adopts the run.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError, UnreadableFileError, quoted
from tracking.files import atomic, folders, regular
from tracking.metrics.summary import read_stats
from tracking.paths import StorePaths
from tracking.process import identity
from tracking.records import MetricSummary, RunRecord, RunStatus, check_format
from tracking.store.published import Entry, read_metadata
from tracking.values import timestamps
from tracking.values.jsontext import revive
from tracking.values.names import check_component, composed, is_component, with_composed_keys

log = logging.getLogger("tracking")

OnError = Callable[[CorruptFileError], None]


class Scan:
    """Reads the runs of one store; writes nothing and caches only metadata.json."""

    def __init__(self, paths: StorePaths) -> None:
        self.paths = paths
        self._metadata: tuple[tuple[int, int], dict[str, Entry]] = ((0, 0), {})

    def run_ids(self) -> list[str]:
        """Return the ids of all runs, run_2 before run_10; leave out folders that were claimed but hold no run."""
        return [name for name in self.folder_names() if self._is_run(name)]

    def folder_names(self) -> list[str]:
        """Return the names of the folders that are runs or may become runs, in the order of runs."""
        return folders.named_folders(self.paths.runs)

    def entry(self, run_id: str) -> Entry | None:
        """Return the content of run.json, or the entry in metadata.json for a run of other code; None for an unknown id.

        Raise CorruptFileError for a file that cannot be read or lacks what every run has.
        """
        if not isinstance(run_id, str):
            check_component("run id", run_id, example="run_001")
        if not is_component(run_id):
            return None
        entry = self._read(composed(run_id))
        if entry is not None:
            self._check(entry)
        return entry

    def params(self, run_id: str) -> dict[str, Any]:
        """Return the parameters of a run; empty when none were logged."""
        try:
            params: dict[str, Any] = revive(atomic.read_object(self.paths.run(run_id).params))
            return with_composed_keys(params)
        except FileNotFoundError:
            return {}
        except RecursionError:
            raise CorruptFileError(
                f"{self.paths.run(run_id).params} is nested too deep; repair the file"
            ) from None

    def summary(self, run_id: str) -> dict[str, MetricSummary]:
        """Return the summary of each metric of a run."""
        return read_stats(self.paths.run(run_id))

    def record(self, entry: Mapping[str, Any]) -> RunRecord:
        """Return the record of a run, which has summaries of metrics and no histories."""
        run_id = str(entry["run_id"])
        return self.compose(entry, self.params(run_id), self.summary(run_id))

    def compose(
        self, entry: Mapping[str, Any], params: dict[str, Any], summary: dict[str, MetricSummary]
    ) -> RunRecord:
        """Return the record of a run from its parts."""
        return RunRecord(
            run_id=entry["run_id"],
            experiment_name=entry["experiment_name"],
            status=shown_status(entry, self.paths),
            created_at=self._moment(entry, "created_at") or datetime.fromtimestamp(0).astimezone(),
            finished_at=self._moment(entry, "finished_at"),
            tags=dict(entry.get("tags") or {}),
            description=entry.get("description") or "",
            run_dir=self.paths.runs / entry["run_id"],
            params=params,
            summary=summary,
            data=dict(entry.get("data") or {}),
            sweep=entry.get("sweep"),
            error=entry.get("error"),
        )

    def entries(
        self, experiment_name: str | None, on_error: OnError, run_ids: Iterable[str] | None = None
    ) -> Iterator[Entry]:
        """Yield the entries of all runs or of one experiment; report damaged runs and leave them out."""
        for run_id in self._reported_ids(on_error) if run_ids is None else run_ids:
            try:
                entry = self._read(run_id)
                # a run without a name may belong to any experiment: report it in each
                named = entry.get("experiment_name") if entry else None
                if entry and (experiment_name is None or named in (None, experiment_name)):
                    self._check(entry)
                    yield entry
            except CorruptFileError as error:
                on_error(error)

    def records(
        self, experiment_name: str | None, on_error: OnError, run_ids: Iterable[str] | None = None
    ) -> Iterator[RunRecord]:
        """Yield the records of all runs or of one experiment; report damaged runs and leave them out."""
        for entry in self.entries(experiment_name, on_error, run_ids):
            try:
                yield self.record(entry)
            except CorruptFileError as error:
                on_error(error)

    def foreign_entries(self) -> dict[str, Entry]:
        """Return the entries of metadata.json; read the file again only when it was replaced."""
        stamp = self.metadata_stamp()
        if stamp == (0, 0):
            return {}
        if self._metadata[0] != stamp:
            self._metadata = (stamp, read_metadata(self.paths.metadata))
        return self._metadata[1]

    def metadata_stamp(self) -> tuple[int, int]:
        """Return numbers that change whenever metadata.json does; zeros without the file."""
        try:
            with regular.reading(self.paths.metadata):
                state = self.paths.metadata.lstat()
        except FileNotFoundError:
            return (0, 0)
        return (state.st_mtime_ns, state.st_ino)

    def _reported_ids(self, on_error: OnError) -> list[str]:
        try:
            return self.run_ids()
        except CorruptFileError as error:
            # a damaged metadata.json must not hide the runs that have a run.json
            on_error(error)
            return [name for name in self.folder_names() if self._has_file(name)]

    def _read(self, run_id: str) -> Entry | None:
        paths = self.paths.run(run_id)
        entry: Entry | None
        regular.refuse_link(self.paths.runs, paths.folder)
        try:
            entry = atomic.read_object(paths.run)
            check_format(entry, paths.run)
            if "tags" in entry:
                entry["tags"] = revive(entry["tags"])
        except RecursionError:
            raise CorruptFileError(
                f"{paths.run} has tags that are nested too deep; repair the file"
            ) from None
        except FileNotFoundError:
            entry = self.foreign_entries().get(run_id) if regular.is_folder(paths.folder) else None
        if entry is None:
            return None
        named = {"experiment_name": composed(entry.get("experiment_name"))}
        if isinstance(entry.get("tags"), dict):
            named["tags"] = with_composed_keys(entry["tags"])
        return {**entry, **named, "run_id": run_id}  # a copied folder is a separate run

    def _is_run(self, run_id: str) -> bool:
        return self._has_file(run_id) or run_id in self.foreign_entries()

    def _has_file(self, run_id: str) -> bool:
        try:
            regular.refuse_link(self.paths.run(run_id).folder)
            return regular.exists(self.paths.run(run_id).run)
        except UnreadableFileError:
            return True  # reading it says what is wrong

    def _check(self, entry: Mapping[str, Any]) -> None:
        name, status = entry.get("experiment_name"), entry.get("status")
        if not isinstance(name, str) or not name:
            fault = f"the experiment name {quoted(name)}, which is not text"
        elif status not in list(RunStatus):
            fault = f"the status {quoted(status)}, which is none of {', '.join(RunStatus)}"
        elif wrong := [
            key for key in ("tags", "data", "sweep") if not isinstance(entry.get(key) or {}, dict)
        ]:
            fault = f"{wrong[0]} that are {type(entry[wrong[0]]).__name__}, not a mapping"
        else:
            return
        source = self._source(entry["run_id"])
        raise CorruptFileError(f"{source} gives run {entry['run_id']!r} {fault}; repair the file")

    def _moment(self, entry: Mapping[str, Any], key: str) -> datetime | None:
        text = entry.get(key)
        try:
            return timestamps.parse(text) if text else None
        except (TypeError, ValueError):
            source = self._source(entry["run_id"])
            raise CorruptFileError(
                f"{source} holds the time {text!r}, which is not ISO 8601; repair the file"
            ) from None

    def _source(self, run_id: str) -> Path:
        path = self.paths.run(run_id).run
        return path if regular.exists(path) else self.paths.metadata


def warn_left_out(error: CorruptFileError) -> None:
    """Log that a list leaves out a damaged file."""
    log.warning("left out: %s", error)


def once(on_error: OnError) -> OnError:
    """Return a function that calls `on_error` once per message: runs that need the same damaged file share one."""
    seen: set[str] = set()

    def report(error: CorruptFileError) -> None:
        if str(error) not in seen:
            seen.add(str(error))
            on_error(error)

    return report


def shown_status(entry: Mapping[str, Any], paths: StorePaths) -> RunStatus:
    """Return the status to show: killed for a run that was never finished and whose process is gone."""
    status = RunStatus(entry["status"])
    if status is RunStatus.RUNNING and identity.is_gone(identity.opener(entry), paths.processes):
        return RunStatus.KILLED
    return status
