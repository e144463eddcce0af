"""What people change about runs that are there: tags, descriptions, the name of an experiment, a status.

Each change is one replacement of a run.json under its lock, so a run may be amended while it is being written.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tracking.errors import InvalidNameError, InvalidValueError, RunInUseError, quoted
from tracking.files import atomic
from tracking.metrics.journal import Journal
from tracking.paths import RunPaths
from tracking.process import identity
from tracking.records import RunStatus
from tracking.store.published import Entry
from tracking.store.store import Store
from tracking.values import timestamps
from tracking.values.checks import tag_values
from tracking.values.jsontext import jsonable
from tracking.values.names import check_label
from tracking.values.plain import plain
from tracking.values.secrets import masked_urls


def set_tags(
    store: Store, run_id: str, tags: Mapping[str, Any] | None = None, *, remove: Iterable[str] = ()
) -> None:
    """Set tags of a run and take others away; one that is not there is fine. The caller publishes."""
    names = list(remove)
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise InvalidNameError(f"tags are taken away by their names, such as 'draft', not {quoted(wrong[0])}")
    values, gone = jsonable(tag_values(tags)), set(names)
    if both := sorted(gone & values.keys()):
        raise InvalidValueError(f"the tag {quoted(both[0])} is to be set and to be removed; decide for one")

    def changes(entry: Entry) -> Entry:
        kept = {name: value for name, value in (entry.get("tags") or {}).items() if name not in gone}
        return {"tags": {**kept, **values}}

    store.amend(run_id, changes)


def describe(store: Store, run_id: str, text: str, *, append: bool = False) -> None:
    """Replace the description of a run, or add a line to it. The caller publishes."""
    text = plain(text, "description")
    if not isinstance(text, str):
        raise InvalidValueError(f"a description is text, not {quoted(text)}")
    text = masked_urls(text)

    def changes(entry: Entry) -> Entry:
        before = entry.get("description") or ""
        return {"description": f"{before}\n{text}" if append and before else text}

    store.amend(run_id, changes)


def rename(store: Store, run_id: str, experiment_name: str) -> None:
    """Give a run to another experiment, which may have runs already. The caller publishes."""
    check_label("experiment name", experiment_name)
    store.amend(run_id, lambda _: {"experiment_name": experiment_name})


def finish(store: Store, run_id: str, status: str, *, error: str | None = None) -> str:
    """Write down the end of a run whose process cannot: when it was, as far as its files tell.

    RunInUseError while that process lives on this host, InvalidValueError for a run that is over. The caller publishes.
    """
    final = RunStatus.final(status)
    entry = store.require(run_id)
    if entry["status"] != RunStatus.RUNNING:
        raise InvalidValueError(f"run {run_id!r} is {entry['status']} already")
    if entry.get("host") == identity.owner()["host"] and not identity.is_gone(entry):
        raise RunInUseError(
            f"run {run_id!r} is being written by process {entry.get('pid')}, which lives; "
            f"ask it to stop: python -m tracking stop {run_id}"
        )
    paths = store.paths.run(run_id)
    ended = last_sign_of_life(paths, entry)
    Journal(paths).finish()
    told = {"status": final.value, "finished_at": ended, "error": entry.get("error") or error}
    store.amend(run_id, lambda _: told, durable=True)
    return ended


def last_sign_of_life(paths: RunPaths, entry: Entry) -> str:
    """When a run last wrote anything but its run.json, which others may have changed since; at least its creation."""
    written = [path for path in paths.folder.iterdir() if path.is_file() and path != paths.run]
    newest = max((path.stat().st_mtime for path in written), default=0.0)
    moment = max(timestamps.parse(entry["created_at"]), datetime.fromtimestamp(newest).astimezone())
    return moment.isoformat(timespec="milliseconds")


def ask_to_stop(store: Store, run_id: str) -> None:
    """Make `should_stop()` of a running run true; InvalidValueError for one that is over."""
    entry = store.require(run_id)
    if store.public(entry)["status"] != RunStatus.RUNNING:
        raise InvalidValueError(f"run {run_id!r} is {store.public(entry)['status']} already")
    atomic.create_bytes(store.paths.run(run_id).stop, b"")
