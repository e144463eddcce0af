"""Store: create, read and change the runs of one store, one at a time. Every write goes straight to a run's files.

Queries over many runs are in tracking.search.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tracking.errors import InvalidValueError, UnknownRunError
from tracking.files import atomic, folders, locks, regular
from tracking.metrics.history import read_history
from tracking.paths import RunPaths, StorePaths
from tracking.process import identity
from tracking.process.sweep_context import located
from tracking.records import FORMAT, RunStatus
from tracking.store import edit_log
from tracking.store.numbering import next_number
from tracking.store.published import Entry, Publisher, public_entry
from tracking.store.scan import Scan, shown_status
from tracking.values import jsontext, timestamps
from tracking.values.checks import tag_values
from tracking.values.names import RERUN_OF, check_component, check_label, check_path, exact
from tracking.values.plain import plain
from tracking.values.secrets import masked, masked_text
from tracking.version import __version__


class Store:
    """Access to one store; creating the object touches nothing on disk.

    The folder is resolved at once, or is `at`, where `base_dir` lay for the process that named it. In a job a relative
    folder is that of the sweep's working folder, whatever the job's own is.
    """

    def __init__(self, base_dir: str | os.PathLike[str], *, at: Path | None = None) -> None:
        named = check_path("base_dir", base_dir, example="experiments")
        self.paths = StorePaths(named, at or located(named))
        self.publisher = Publisher(self.paths)
        self.scan = Scan(self.paths)
        self._next_number = 0

    def create(
        self,
        experiment_name: str,
        *,
        tags: Mapping[str, Any] | None = None,
        description: str | None = "",
        data: Mapping[str, Any] | None = None,
        sweep: Mapping[str, Any] | None = None,
    ) -> RunPaths:
        """Claim the next run folder and write its run.json; the folder's name is the run id.

        A `sweep` that names a run under `rerun_of` is what makes that run again: the new run has the tag, and no sweep.
        """
        if sweep is not None and RERUN_OF in sweep:
            tags, sweep = {**(tags or {}), RERUN_OF: sweep[RERUN_OF]}, None
        entry = {
            "format": FORMAT,
            "version": __version__,
            "run_id": "",
            "uid": os.urandom(8).hex(),  # the same in all copies of the run
            "experiment_name": check_label("experiment name", experiment_name),
            "created_at": timestamps.now(),
            "finished_at": None,
            "status": RunStatus.RUNNING,
            "tags": tag_values(tags),
            "description": masked_text(
                plain("" if description is None else exact(description), "description")
            ),
            **identity.owner(),
            "rank": identity.rank(),
            "sweep": None if sweep is None else plain(sweep, "sweep"),
            "data": data_values(data),
            "error": None,
        }
        identity.announce(self.paths.processes)
        with atomic.writing(self.paths.runs):
            first = next_number(self.paths, self._next_number)
            number, folder = folders.claim_dir(self.paths.runs, "run_{:03d}".format, first=first)
        self._next_number = number + 1
        paths = RunPaths(folder)
        folders.make_dir(paths.artifacts)
        entry["run_id"] = folder.name
        write_entry(paths, entry, durable=False)
        self.publisher.stage(folder.name)
        return paths

    def change(self, run_id: str, *, durable: bool = False, **changes: Any) -> Entry:
        """Write `changes` into run.json and publish them; this adopts a run of other code."""
        entry = self.amend(run_id, lambda _: changes, durable=durable)
        self.publisher.publish()
        return entry

    def amend(
        self,
        run_id: str,
        changes: Callable[[Entry], Mapping[str, Any]],
        *,
        durable: bool = False,
        before: Callable[[], object] | None = None,
    ) -> Entry:
        """Update run.json with what `changes` returns for its content, and log the edit; the caller publishes.

        The run is locked meanwhile, so concurrent changes and the end of a run are not lost. `before` is called just
        before run.json is replaced; nothing changes if it raises.
        """
        run_id = check_component("run id", run_id, example="run_001")
        folder = self.paths.run(run_id).folder
        if not regular.is_folder(folder):
            self.require(run_id)  # raises with the known ids
        with locks.lock_folder(folder):
            known = self.require(run_id)
            entry = {"format": FORMAT, **known, **changes(known)}
            entry.pop("run_dir", None)
            write_entry(self.paths.run(run_id), entry, durable=durable, before=before)
        self.publisher.stage(run_id)
        if shown_status(known, self.paths) is not RunStatus.RUNNING:
            edit_log.record_edit(self.paths, run_id)
        return entry

    def require(self, run_id: str) -> Entry:
        """Return what `Scan.entry` does; raise UnknownRunError for an unknown id, InvalidNameError for an invalid one."""
        entry = self.scan.entry(check_component("run id", run_id, example="run_001"))
        if entry is None:
            ids = self.scan.run_ids()
            known = f"it has {len(ids)} runs, {ids[0]} to {ids[-1]}" if ids else "it has no runs yet"
            raise UnknownRunError(f"no run {run_id!r} in the store {str(self.paths.named)!r}: {known}")
        return entry

    def public(self, entry: Mapping[str, Any]) -> Entry:
        """Return the run as a dict for users; a dead run is shown as killed."""
        run_id = str(entry["run_id"])
        return {
            **public_entry(entry, jsontext.readable(self.paths.shown(run_id))),
            "status": shown_status(entry, self.paths).value,
        }

    def full(self, run_id: str) -> Entry | None:
        """Return the run as a dict with parameters and metric histories; None for an unknown id."""
        entry = self.scan.entry(run_id)
        if entry is None:
            return None
        history = read_history(self.paths.run(entry["run_id"]))
        return {**self.public(entry), "params": self.scan.params(entry["run_id"]), "metrics": history}


def write_entry(
    paths: RunPaths, entry: Entry, *, durable: bool, before: Callable[[], object] | None = None
) -> None:
    """Write the run.json of a run, so that `Scan.entry` returns the same."""
    tags = {"tags": jsontext.kept(entry["tags"])} if entry.get("tags") else {}
    atomic.write_json(paths.run, {**entry, **tags}, durable=durable, before=before)


def data_values(data: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a run keeps of its data, as plain data without secrets; raise InvalidValueError for no mapping."""
    if data is None:
        return {}
    value = masked(plain(data, "data"))
    if not isinstance(value, dict):
        raise InvalidValueError(
            f"data must be a mapping, such as {{'fingerprint': 'sha256:...'}}, not {type(data).__name__}"
        )
    return value
