"""Export to MLflow: each run once, with all its points, files and model versions.

A tag with the run's origin finds it again, so an export may be repeated: what has not changed is skipped, and of a run
that went on only what is new is sent. A run that was sent in part is completed by the next export.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError
from tracking.files import folders, regular
from tracking.metrics.history import read_history
from tracking.paths import RunPaths
from tracking.records import RunRecord, RunStatus
from tracking.search.catalog import Catalog
from tracking.store.store import Store
from tracking.transfer.mlflow import translation
from tracking.transfer.mlflow.connection import Connection, checked_uri, quiet, sqlite_path
from tracking.transfer.mlflow.exported import Exported
from tracking.transfer.mlflow.model_versions import export_versions
from tracking.transfer.mlflow.point_batches import send_points
from tracking.transfer.mlflow.translation import MAX_PARAM, MAX_TAG
from tracking.transfer.origin import origin_of
from tracking.values import jsontext
from tracking.values.units import format_size

SWEEP = {"sweep": "id", "job": "job"}  # what is told of the job that made a run
LARGE = 16 << 20  # bytes of a file that is named while it is sent

OnProgress = Callable[[int, int, str], object]


def export_to_mlflow(
    base_dir: str | os.PathLike[str] = "experiments",
    *,
    to: str,
    experiment_name: str | None = None,
    query: str = "",
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> Exported:
    """Send the runs of a store that pass a filter to MLflow; return what was sent.

    `to` is an address as MLflow takes it, such as "sqlite:///mlflow.db" or "http://localhost:5000", or the path of a
    database. Nothing in the store changes. `on_progress` gets the runs done, their number, and what is being sent. Raise
    TrackingError when MLflow is not installed, does not answer, or refuses.
    """
    store, uri = Store(base_dir), checked_uri(to)
    runs = Catalog(store).search(query, experiment_name=experiment_name)
    outcome = Exported()
    with quiet():
        path = sqlite_path(uri)
        # a look at what would be sent makes no database
        there = None if dry_run and path and not path.exists() else Connection(uri)
        sender = _Sender(store, there, outcome, dry_run=dry_run, on_progress=on_progress)
        for done, run in enumerate(runs):
            sender.tell(done, len(runs), run.run_id)
            try:
                sender.send(run)
            except CorruptFileError as error:
                outcome.left_out[run.run_id] = str(error)
        export_versions(store, there, outcome, dry_run=dry_run)
        sender.tell(len(runs), len(runs), "")
    return outcome


@dataclass
class _Content:
    """What MLflow gets of a run apart from its points."""

    params: dict[str, str]
    tags: dict[str, str]
    names: dict[str, str]  # of metrics


class _Sender:
    def __init__(
        self,
        store: Store,
        there: Connection | None,
        outcome: Exported,
        *,
        dry_run: bool,
        on_progress: OnProgress | None,
    ) -> None:
        self._store, self._there, self._outcome = store, there, outcome
        self._dry_run, self._on_progress = dry_run, on_progress
        self._place = (0, 0, "")

    def tell(self, done: int, total: int, doing: str) -> None:
        self._place = (done, total, doing)
        if self._on_progress:
            self._on_progress(done, total, doing)

    def _doing(self, what: str) -> None:
        if self._on_progress:
            done, total, run_id = self._place
            self._on_progress(done, total, f"{run_id}: {what}")

    def send(self, run: RunRecord) -> None:
        """Send a run, or what of it MLflow has not yet."""
        entry = self._store.require(run.run_id)
        origin = origin_of(entry, self._store)
        found = self._there.find(str(origin), run_id=origin.uid) if self._there else None
        if found is not None and found.info.lifecycle_stage == "deleted":
            remedy = f"mlflow runs restore --run-id {found.info.run_id}"
            self._outcome.left_out[run.run_id] = f"it was deleted in MLflow; to bring it back: {remedy}"
            return
        if found is not None and translation.UID not in found.data.tags:
            self._outcome.unchanged[run.run_id] = found.info.run_id  # it came from there
            return
        files = list(_files_of(RunPaths(run.run_dir)))
        state = _state(entry, run, files)
        known = (found.data.tags.get(translation.STATE, "") if found else "").split("-")
        changed = [new != old for new, old in zip(state, known + [""] * 3, strict=False)]
        if found is not None and not any(changed):
            self._outcome.unchanged[run.run_id] = found.info.run_id
            return
        content = self._content(run, str(origin))
        if self._dry_run or self._there is None:
            there = "" if found is None else found.info.run_id
            (self._outcome.created if found is None else self._outcome.updated)[run.run_id] = there
            self._outcome.points += sum(each.count for each in run.summary.values()) if changed[1] else 0
            self._count_files(files if changed[2] else [])
            return
        self._write(
            self._there, run, found, content, files if changed[2] else [], "-".join(state), points=changed[1]
        )

    def _write(
        self,
        there: Connection,
        run: RunRecord,
        found: Any,
        content: _Content,
        files: Sequence[tuple[Path, str]],
        state: str,
        *,
        points: bool,
    ) -> None:
        start = translation.milliseconds(run.created_at)
        if found is None:
            name = content.tags.get(translation.RUN_NAME, run.run_id)
            tags = {translation.UID: content.tags[translation.UID]}
            made = there.create(there.experiment(run.experiment_name), name, start, tags)
        else:
            made = found
        run_id: str = made.info.run_id
        is_new = {name: text for name, text in content.params.items() if name not in made.data.params}
        other = [name for name, text in content.params.items() if made.data.params.get(name, text) != text]
        if other:
            self._outcome.note(
                run.run_id, "MLflow keeps the first value of a parameter, and it changed since", other
            )
        there.log(run_id, is_new, content.tags)
        if points:
            self._send_points(there, run, run_id, content.names, start, is_there=found is not None)
        for path, folder in files:
            size = path.lstat().st_size
            self._doing(f"{path.name} ({format_size(size)})" if size >= LARGE else "files")
            there.log_file(run_id, path, folder)
        self._count_files(files)
        ended = None if run.finished_at is None else translation.milliseconds(run.finished_at)
        there.end(
            run_id,
            translation.TO_MLFLOW[run.status],
            None if run.status is RunStatus.RUNNING else ended or start,
        )
        there.log(run_id, {}, {translation.STATE: state})  # last: a run that lacks it was sent in part
        (self._outcome.created if found is None else self._outcome.updated)[run.run_id] = run_id

    def _send_points(
        self,
        there: Connection,
        run: RunRecord,
        run_id: str,
        names: Mapping[str, str],
        start: int,
        *,
        is_there: bool,
    ) -> None:
        sent = translation.sent_history(read_history(RunPaths(run.run_dir)), start)
        if sent.renumbered:
            self._outcome.note(run.run_id, "fractions of steps became whole numbers", sent.renumbered)
        total = sum(map(len, sent.points.values()))
        if sent.without_step:
            text = jsontext.encode({names[name]: step for name, step in sent.without_step.items()}).decode()
            there.log(run_id, {}, self._within({translation.WITHOUT_STEP: text}, MAX_TAG, run.run_id, "tags"))
        renamed = {names[name]: points for name, points in sent.points.items()}
        done = 0
        for count in send_points(there, run_id, renamed, is_new=not is_there):
            done += count
            self._outcome.points += count
            self._doing(f"{done:,} of {total:,} points")

    def _content(self, run: RunRecord, uid: str) -> _Content:
        """Return a run as MLflow takes it, and note what it cannot hold."""
        found, changed = {}, {}
        tags = {name: value for name, value in run.tags.items() if name not in translation.RESERVED}
        kinds = {"params": run.params, "tags": tags, "metrics": run.summary}
        for kind, values in kinds.items():
            fitted = translation.fit_names(values)
            changed[kind] = {sent: name for name, sent in fitted.items() if sent != name}
            found[kind] = fitted
            renamed = [f"{name!r} became {sent!r}" for sent, name in changed[kind].items()]
            if renamed:
                self._outcome.note(run.run_id, f"MLflow refuses names of {kind}", renamed)
        params = {found["params"][name]: translation.text_of(value) for name, value in run.params.items()}
        texts = {found["tags"][name]: translation.text_of(value) for name, value in tags.items()}
        if run.description:
            texts[translation.NOTE] = run.description
        if any(changed.values()):
            texts[translation.NAMES] = jsontext.encode(
                {kind: each for kind, each in changed.items() if each}
            ).decode()
        more = {
            translation.ERROR: run.error,
            translation.FINGERPRINT: run.fingerprint,
            translation.STATUS: run.status.value if run.status is RunStatus.ENDED else None,
            **{f"{translation.OWN}{key}": run.sweep.get(of) for key, of in SWEEP.items() if run.sweep},
        }
        texts |= {name: str(value) for name, value in more.items() if value is not None}
        texts[translation.UID] = uid
        return _Content(
            self._within(params, MAX_PARAM, run.run_id, "parameters"),
            self._within(texts, MAX_TAG, run.run_id, "tags"),
            found["metrics"],
        )

    def _within(self, texts: dict[str, str], limit: int, run_id: str, what: str) -> dict[str, str]:
        long = [name for name, text in texts.items() if len(text) > limit]
        if long:
            self._outcome.note(run_id, f"{what} of more than {limit:,} characters were cut", long)
        return {name: text[:limit] for name, text in texts.items()}

    def _count_files(self, files: Sequence[tuple[Path, str]]) -> None:
        self._outcome.files += len(files)
        self._outcome.bytes += sum(path.lstat().st_size for path, _ in files)


def _files_of(run: RunPaths) -> Iterator[tuple[Path, str]]:
    """Yield the files to send, each with its folder among the artifacts; no link is followed."""
    yield from ((path, translation.FILES) for path in translation.own_files(run) if regular.is_file(path))
    for path in sorted(folders.walk(run.artifacts)):
        if regular.is_file(path):
            folder = path.parent.relative_to(run.artifacts).as_posix()
            yield path, "" if folder == "." else folder


def _state(entry: Mapping[str, Any], run: RunRecord, files: Sequence[tuple[Path, str]]) -> list[str]:
    """Return what changes when a run, its points or its files do."""
    stamps = [
        (str(path.relative_to(run.run_dir)), path.lstat().st_size, path.lstat().st_mtime_ns)
        for path, _ in files
    ]
    summary = {name: vars(each) for name, each in run.summary.items()}
    facts = {**entry, "status": run.status, "params": run.params}
    return [_digest(facts), _digest(summary), _digest(stamps)]


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str).encode(errors="replace")
    return hashlib.sha256(text).hexdigest()[:12]
