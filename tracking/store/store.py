"""The runs of one store: made, changed, and read. Writing goes straight to the files of a run.

Reading one run reads its files. Reading many asks the index, which gives what the scan of all files would give.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.errors import CorruptFileError, InvalidValueError, UnknownRunError
from tracking.files import atomic, folders, locks
from tracking.metrics.history import read_history
from tracking.paths import RunPaths, StorePaths
from tracking.process import identity
from tracking.records import FORMAT, RunRecord, RunStatus
from tracking.store import edit_log
from tracking.store.numbering import next_number
from tracking.store.published import Entry, Publisher, public_entry
from tracking.store.scan import OnError, Scan, shown_status
from tracking.values import jsontext, timestamps
from tracking.values.checks import tag_values
from tracking.values.names import check_component, check_label, check_path
from tracking.values.plain import plain
from tracking.values.secrets import masked, masked_urls
from tracking.version import __version__

log = logging.getLogger("tracking")

if TYPE_CHECKING:  # a process that only writes loads nothing of what reads many runs
    from tracking.search.catalog import Catalog
    from tracking.search.comparison import Comparison
    from tracking.search.index import Index, Row
    from tracking.search.query import Field

OrderBy = str | Sequence[str] | None


class Store:
    """Access to a store; making one touches nothing on disk.

    The folder is fixed at that moment, unless `at` says where `base_dir` lay when another process named it.
    """

    def __init__(self, base_dir: str | os.PathLike[str], *, at: Path | None = None) -> None:
        self.paths = StorePaths(check_path("base_dir", base_dir, example="experiments"), at)
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
        """Claim the next run folder and write its run.json; the id is the folder's name."""
        entry = {
            "format": FORMAT,
            "version": __version__,
            "run_id": "",
            "uid": os.urandom(8).hex(),  # the same in all copies of the run, wherever they are
            "experiment_name": check_label("experiment name", experiment_name),
            "created_at": timestamps.now(),
            "finished_at": None,
            "status": RunStatus.RUNNING,
            "tags": tag_values(tags),
            "description": masked_urls(plain("" if description is None else str(description), "description")),
            **identity.owner(),
            "sweep": None if sweep is None else plain(sweep, "sweep"),
            "data": _fingerprint(data),
            "error": None,
        }
        with atomic.writing(self.paths.runs):
            first = next_number(self.paths, self._next_number)
            number, folder = folders.claim_dir(self.paths.runs, "run_{:03d}".format, first=first)
        self._next_number = number + 1
        paths = RunPaths(folder)
        folders.make_dir(paths.artifacts)
        entry["run_id"] = folder.name
        atomic.write_json(paths.run, entry, durable=False)
        self.publisher.stage(folder.name)
        return paths

    def change(self, run_id: str, *, durable: bool = False, **changes: Any) -> Entry:
        """Write `changes` into run.json, which adopts a run of other code, publish them, and tell readers."""
        entry = self.amend(run_id, lambda _: changes, durable=durable)
        self.publisher.publish()
        return entry

    def amend(
        self, run_id: str, changes: Callable[[Entry], Mapping[str, Any]], *, durable: bool = False
    ) -> Entry:
        """Write what `changes` makes of run.json's entry into it, and tell readers; the caller publishes.

        Locked against other processes: none of two changes made at once is lost, nor the end of a run.
        """
        folder = self.paths.run(check_component("run id", run_id, example="run_001")).folder
        if not folder.is_dir():
            self.require(run_id)  # which says what there is
        with locks.lock_folder(folder):
            before = self.require(run_id)
            entry = {"format": FORMAT, **before, **changes(before)}
            entry.pop("run_dir", None)
            atomic.write_json(self.paths.run(run_id).run, entry, durable=durable)
        self.publisher.stage(run_id)
        if shown_status(before) is not RunStatus.RUNNING:
            edit_log.record_edit(self.paths, run_id)
        return entry

    def run_ids(self) -> list[str]:
        """The ids of all runs, run_2 before run_10. Folders that were claimed but never became a run are left out."""
        return self.scan.run_ids()

    def entry(self, run_id: str) -> Entry | None:
        """What run.json says, or metadata.json for a run of other code; None for an unknown id.

        CorruptFileError names the file when it does not say what every run must.
        """
        return self.scan.entry(run_id)

    def require(self, run_id: str) -> Entry:
        """Like `entry`, but UnknownRunError for an unknown id and InvalidNameError for what is none."""
        entry = self.entry(check_component("run id", run_id, example="run_001"))
        if entry is None:
            ids = self.run_ids()
            known = f"it has {len(ids)} runs, {ids[0]} to {ids[-1]}" if ids else "it has no runs yet"
            raise UnknownRunError(f"no run {run_id!r} in the store {str(self.paths.named)!r}: {known}")
        return entry

    def public(self, entry: Mapping[str, Any]) -> Entry:
        """The run as a dict for users, a dead run shown as killed."""
        run_id = str(entry["run_id"])
        return {
            **public_entry(entry, jsontext.readable(self.paths.shown(run_id))),
            "status": shown_status(entry).value,
        }

    def params(self, run_id: str) -> dict[str, Any]:
        """The parameters of a run; empty when none were logged."""
        return self.scan.params(run_id)

    def full(self, run_id: str) -> Entry | None:
        """The run as a dict with parameters and metric histories; None for an unknown id."""
        entry = self.entry(run_id)
        if entry is None:
            return None
        history = read_history(self.paths.run(run_id))
        return {**self.public(entry), "params": self.params(run_id), "metrics": history}

    def record(self, entry: Mapping[str, Any]) -> RunRecord:
        """The run without histories as a frozen value."""
        return self.scan.record(entry)

    def entries(self, experiment_name: str | None, on_error: OnError) -> Iterator[Entry]:
        """All runs, of one experiment or of all; a damaged one is reported and left out."""
        return iter(self.catalog.entries(experiment_name, on_error))

    def records(self, experiment_name: str | None, on_error: OnError) -> Iterator[RunRecord]:
        """The records of all runs, of one experiment or of all; a damaged one is reported and left out."""
        return iter(self.catalog.records(experiment_name, on_error))

    @cached_property
    def catalog(self) -> "Catalog":
        """What can be asked about many runs."""
        from tracking.search.catalog import Catalog

        return Catalog(self.scan)

    def statuses(self, experiment_name: str | None, on_error: OnError) -> "list[Row]":
        """The id, experiment, status and times of all runs, or of one experiment: the least there is to know."""
        return self.catalog.rows(experiment_name, on_error)

    def search(
        self,
        text: str,
        on_error: OnError,
        *,
        experiment_name: str | None = None,
        order_by: OrderBy = None,
        limit: int | None = None,
    ) -> list[RunRecord]:
        """The records of the runs that pass a filter, oldest first or in the order of `order_by`."""
        from tracking.search.search import Search

        search = Search.parse(text, experiment_name=experiment_name, order_by=order_by, limit=limit)
        return self.catalog.search(search, on_error)

    def columns(
        self,
        fields: "Iterable[Field]",
        on_error: OnError,
        *,
        text: str = "",
        experiment_name: str | None = None,
        order_by: OrderBy = None,
        limit: int | None = None,
    ) -> "tuple[list[str], dict[Field, list[Any]]]":
        """The ids of the runs that `search` would give, and the values of the fields in them; nothing else is read."""
        from tracking.search.search import Search

        search = Search.parse(text, experiment_name=experiment_name, order_by=order_by, limit=limit)
        return self.catalog.columns(fields, search, on_error)

    @property
    def index(self) -> "Index":
        """The read index of the store."""
        return self.catalog.index

    def comparison(self, run_ids: Iterable[str]) -> "Comparison":
        """The named runs beside each other; UnknownRunError or CorruptFileError for one that cannot be."""

        def read(run_id: str) -> tuple[Entry, RunRecord]:
            entry = self.require(run_id)
            return self.public(entry), self.record(entry)

        return self.catalog.compare(list(run_ids), read)


def _fingerprint(data: Mapping[str, Any] | None) -> dict[str, Any]:
    if data is None:
        return {}
    value = masked(plain(data, "data"))
    if not isinstance(value, dict):
        raise InvalidValueError(
            f"data must be a mapping, such as {{'fingerprint': 'sha256:...'}}, not {type(data).__name__}"
        )
    return value


def warn_left_out(error: CorruptFileError) -> None:
    """Log what a list leaves out."""
    log.warning("left out: %s", error)
