"""Export to MLflow: each run once, with all its points, files and model versions.

A tag with the run's origin finds it again, so an export may be repeated: what has not changed is skipped, and of a run
that went on only what is new is sent. A run that was sent in part is completed by the next export. What MLflow refuses
costs its run; only when MLflow cannot be reached at all does the export end.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracking.errors import TrackingError
from tracking.files import folders, regular
from tracking.metrics.history import read_history
from tracking.paths import RunPaths
from tracking.records import RunRecord, RunStatus
from tracking.search.catalog import Catalog
from tracking.store.store import Store
from tracking.transfer.mlflow import translation
from tracking.transfer.mlflow.connection import Connection, UnavailableError, quiet
from tracking.transfer.mlflow.exported import Exported
from tracking.transfer.mlflow.model_versions import export_versions
from tracking.transfer.mlflow.one_at_a_time import exporting_to
from tracking.transfer.mlflow.point_batches import send_points
from tracking.transfer.mlflow.sent_record import PLACE, SentRecord
from tracking.transfer.mlflow.targets import check_database, checked_uri, sqlite_path
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
    if not runs and not dry_run:
        return outcome  # and make no database
    with quiet(), nullcontext() if dry_run else exporting_to(uri):
        path = sqlite_path(uri)
        if path:
            check_database(path)
        # a look at what would be sent makes no database
        there = None if dry_run and path and not path.exists() else Connection(uri)
        sender = _Sender(store, there, outcome, dry_run=dry_run, on_progress=on_progress)
        for done, run in enumerate(runs):
            sender.tell(done, len(runs), run.run_id)
            try:
                sender.send(run)
            except UnavailableError:
                raise
            except TrackingError as error:
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
            self._require_experiment(run)
            remedy = f"mlflow runs restore --run-id {found.info.run_id}"
            self._outcome.left_out[run.run_id] = f"it was deleted in MLflow; to bring it back: {remedy}"
            return
        if found is not None and translation.UID not in found.data.tags:
            self._outcome.unchanged[run.run_id] = found.info.run_id  # it came from there
            return
        files = _files_of(RunPaths(run.run_dir))
        state = _state(entry, run, files)
        known = (found.data.tags.get(translation.STATE, "") if found else "").split("-")
        changed = [new != old for new, old in zip(state, known + [""] * 3, strict=False)]
        if found is not None and not any(changed):
            self._outcome.unchanged[run.run_id] = found.info.run_id
            return
        record = self._there.record(found) if self._there and found else SentRecord()
        content = self._content(run, str(origin), _known_names(found))
        job = _Sending(run, found, content, record, self._fitted(run, files, record.names), state)
        if self._dry_run or self._there is None:
            if found is None:
                self._require_experiment(run)
            there = "" if found is None else found.info.run_id
            (self._outcome.created if found is None else self._outcome.updated)[run.run_id] = there
            self._outcome.points += sum(each.count for each in run.summary.values()) if changed[1] else 0
            for path, _ in job.new_files().values():
                self._count_file(path)
            return
        self._write(self._there, job, points=changed[1])

    def _require_experiment(self, run: RunRecord) -> None:
        """Raise TrackingError if the experiment was deleted in MLflow; make none."""
        if self._there:
            self._there.experiment(run.experiment_name, make=False)

    def _fitted(
        self, run: RunRecord, files: Mapping[str, Path], known: Mapping[str, str]
    ) -> dict[str, tuple[Path, str]]:
        """Return the files with the names that they have here, by their names in MLflow."""
        is_server = self._there is not None and self._there.is_server
        fitted = translation.fit_files(files, known) if is_server else {name: name for name in files}
        renamed = [f"{name!r} became {sent!r}" for name, sent in fitted.items() if sent != name]
        if renamed:
            self._outcome.note(run.run_id, "a server refuses names of files", renamed)
        return {sent: (files[name], name) for name, sent in fitted.items()}

    def _write(self, there: Connection, job: "_Sending", *, points: bool) -> None:
        run, content, record = job.run, job.content, job.record
        start = translation.milliseconds(run.created_at)
        if job.found is None:
            name = content.tags.get(translation.RUN_NAME, run.run_id)
            tags = {translation.UID: content.tags[translation.UID]}
            made, is_new = there.create(there.experiment(run.experiment_name), name, start, tags)
            record = job.record = record if is_new else there.record(made)
        else:
            made, is_new = job.found, False
        run_id: str = made.info.run_id
        new_params = {name: text for name, text in content.params.items() if name not in made.data.params}
        other = [name for name, text in content.params.items() if made.data.params.get(name, text) != text]
        if other:
            self._outcome.note(
                run.run_id, "MLflow keeps the first value of a parameter, and it changed since", other
            )
        there.log(run_id, new_params, content.tags)
        there.untag(run_id, sorted((set(record.tags) - set(content.tags)) & set(made.data.tags)))
        record.tags = sorted(content.tags)
        if points:
            self._send_points(there, job, made, is_new=is_new)
        state = "-".join(job.state if self._send_files(there, job, run_id) else [*job.state[:2], ""])
        there.keep_record(run_id, record)
        ended = None if run.finished_at is None else translation.milliseconds(run.finished_at)
        there.end(
            run_id,
            translation.TO_MLFLOW[run.status],
            None if run.status is RunStatus.RUNNING else ended or start,
        )
        there.log(run_id, {}, {translation.STATE: state})  # last: a run that lacks it was sent in part
        (self._outcome.created if is_new else self._outcome.updated)[run.run_id] = run_id

    def _send_points(self, there: Connection, job: "_Sending", made: Any, *, is_new: bool) -> None:
        run, names, record, run_id = job.run, job.content.names, job.record, made.info.run_id
        history = {names[name]: points for name, points in read_history(RunPaths(run.run_dir)).items()}
        start = translation.milliseconds(run.created_at)
        sent = translation.sent_history(history, start, record.steps, made.data.metrics)
        if sent.renumbered:
            originals = {there: name for name, there in names.items()}
            renumbered = [originals[name] for name in sent.renumbered]
            self._outcome.note(run.run_id, "steps that MLflow cannot hold became other numbers", renumbered)
        if sent.steps != record.steps:
            record.steps = sent.steps
            there.keep_record(run_id, record)  # before the points: what MLflow has is never numbered anew
        if sent.steps:
            there.log(run_id, {}, {translation.STEPS: PLACE})
        total, done = sum(map(len, sent.points.values())), 0
        for count in send_points(there, run_id, sent.points, is_new=is_new):
            done += count
            self._outcome.points += count
            self._doing(f"{done:,} of {total:,} points")

    def _send_files(self, there: Connection, job: "_Sending", run_id: str) -> bool:
        """Send the files that changed; return whether all that MLflow lacks arrived."""
        record, run = job.record, job.run.run_id
        gone = sorted(record.names.get(name, name) for name in record.files.keys() - job.files.keys())
        if gone:
            self._outcome.note(run, "MLflow keeps files that were removed here", gone)
        new = job.new_files()
        record.files = {name: stamp for name, stamp in record.files.items() if name in job.files}
        is_whole = True
        for sent, (path, name) in new.items():
            stamp = _stamp(path)
            self._doing(f"{path.name} ({format_size(stamp[0])})" if stamp[0] >= LARGE else "files")
            try:
                there.log_file(run_id, path, sent)
            except UnavailableError:
                raise
            except TrackingError as error:
                self._outcome.left_out[f"{run}/{name}"] = str(error)
                is_whole = False
            else:
                record.files[sent] = stamp
                self._count_file(path)
        record.names = {sent: name for sent, (_, name) in job.files.items() if sent != name}
        return is_whole

    def _content(self, run: RunRecord, uid: str, known: Mapping[str, Mapping[str, str]]) -> _Content:
        """Return a run as MLflow takes it, and note what it cannot hold."""
        found, changed = {}, {}
        tags = {name: value for name, value in run.tags.items() if name not in translation.RESERVED}
        kinds = {"params": run.params, "tags": tags, "metrics": run.summary}
        for kind, values in kinds.items():
            fitted = translation.fit_names(values, known.get(kind, {}))
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
            translation.STATUS: run.status.value if run.status in translation.AS_FINISHED else None,
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

    def _count_file(self, path: Path) -> None:
        self._outcome.files += 1
        self._outcome.bytes += path.lstat().st_size


@dataclass
class _Sending:
    """A run that is sent: what MLflow has of it, and what it gets."""

    run: RunRecord
    found: Any
    content: _Content
    record: SentRecord
    files: dict[str, tuple[Path, str]]  # with their names here, by their names in MLflow
    state: list[str]

    def new_files(self) -> dict[str, tuple[Path, str]]:
        """Return the files that MLflow has not, or not as they are now."""
        known = self.record.files
        return {sent: each for sent, each in self.files.items() if known.get(sent) != _stamp(each[0])}


def _files_of(run: RunPaths) -> dict[str, Path]:
    """Return the files to send by their names among the artifacts; no link is followed."""
    own = {f"{translation.FILES}/{path.name}": path for path in translation.own_files(run)}
    artifacts = {
        path.relative_to(run.artifacts).as_posix(): path for path in sorted(folders.walk(run.artifacts))
    }
    artifacts.pop(PLACE, None)  # our own, of a run that came back
    return {name: path for name, path in (own | artifacts).items() if regular.is_file(path)}


def _known_names(found: Any) -> dict[str, dict[str, str]]:
    """Return the names that an earlier export changed: of each kind, the original by the name in MLflow."""
    text = found.data.tags.get(translation.NAMES, "{}") if found else "{}"
    try:
        told = jsontext.decode(text.encode())
    except ValueError:  # it was cut, or somebody changed it
        return {}
    told = told if isinstance(told, dict) else {}
    return {
        kind: {sent: str(name) for sent, name in names.items()}
        for kind, names in told.items()
        if isinstance(names, dict)
    }


def _stamp(path: Path) -> tuple[int, int]:
    state = path.lstat()
    return state.st_size, state.st_mtime_ns


def _state(entry: Mapping[str, Any], run: RunRecord, files: Mapping[str, Path]) -> list[str]:
    """Return what changes when a run, its points or its files do."""
    stamps = [(str(path.relative_to(run.run_dir)), *_stamp(path)) for path in files.values()]
    summary = {name: vars(each) for name, each in run.summary.items()}
    facts = {**entry, "status": run.status, "params": run.params}
    return [_digest(facts), _digest(summary), _digest(stamps)]


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str).encode(errors="replace")
    return hashlib.sha256(text).hexdigest()[:12]
