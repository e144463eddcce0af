"""Changes to existing runs: tags, descriptions, the experiment's name, the status.

Each change replaces run.json once, under its lock, so a run can be amended while another process writes it. No
function here publishes: the caller does, once for many runs.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tracking.errors import InvalidNameError, InvalidValueError, RunInUseError, quoted
from tracking.files import atomic, regular
from tracking.metrics.journal import Journal
from tracking.paths import RunPaths
from tracking.process import identity
from tracking.process.program import command
from tracking.records import RunStatus
from tracking.store.published import Entry
from tracking.store.store import Store, data_values
from tracking.values import timestamps
from tracking.values.checks import tag_values
from tracking.values.names import check_label, composed
from tracking.values.plain import plain
from tracking.values.secrets import masked_text


def set_tags(
    store: Store, run_id: str, tags: Mapping[str, Any] | None = None, *, remove: Iterable[str] = ()
) -> None:
    """Set tags of a run and remove others; ignore a name that the run does not have."""
    names = [composed(name) for name in remove]
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise InvalidNameError(f"tags are removed by name, such as 'draft', not {quoted(wrong[0])}")
    values, gone = tag_values(tags), set(names)
    if both := sorted(gone & values.keys()):
        raise InvalidValueError(f"the tag {quoted(both[0])} is to be both set and removed; choose one")

    def changes(entry: Entry) -> Entry:
        kept = {name: value for name, value in (entry.get("tags") or {}).items() if name not in gone}
        return {"tags": {**kept, **values}}

    store.amend(run_id, changes)


def describe(store: Store, run_id: str, text: str, *, append: bool = False) -> None:
    """Replace the description of a run, or with `append` add a line to it."""
    text = plain(text, "description")
    if not isinstance(text, str):
        raise InvalidValueError(f"a description is text, not {quoted(text)}")
    text = masked_text(text)

    def changes(entry: Entry) -> Entry:
        before = entry.get("description") or ""
        return {"description": f"{before}\n{text}" if append and before else text}

    store.amend(run_id, changes)


def set_data(store: Store, run_id: str, data: Mapping[str, Any]) -> None:
    """Replace what a run keeps of its data."""
    values = data_values(data)
    store.amend(run_id, lambda _: {"data": values})


def rename(store: Store, run_id: str, experiment_name: str) -> None:
    """Move a run to another experiment, which may have runs already."""
    experiment_name = check_label("experiment name", experiment_name)
    store.amend(run_id, lambda _: {"experiment_name": experiment_name})


def finish(store: Store, run_id: str, status: str, *, error: str | None = None, force: bool = False) -> str:
    """Finish a run whose process cannot, or has not said how it did; return the time it ended, estimated from its files.

    Nothing changes if it ended with that status. Raise InvalidValueError if it ended with another one, RunInUseError
    while its process is known to be alive, unless `force`.
    """
    final = RunStatus.final(status)
    entry = store.require(run_id)
    if entry["status"] == final and entry.get("finished_at"):
        return str(entry["finished_at"])
    if entry["status"] not in (RunStatus.RUNNING, RunStatus.ENDED):
        raise InvalidValueError(f"run {run_id!r} is {entry['status']} already")
    paths, opener = store.paths.run(run_id), identity.opener(entry)
    is_running = entry["status"] == RunStatus.RUNNING
    if is_running and not force and identity.life(opener, paths.processes) is identity.Life.ALIVE:
        raise RunInUseError(
            f"run {run_id!r} is being written by {process_text(opener)}, which is alive; "
            f"ask it to stop: {command(f'stop {run_id}')}; or finish the run all the same, with --force"
        )
    ended = last_sign_of_life(paths, entry) if is_running else str(entry["finished_at"])
    Journal(paths).finish(proves=True)
    said = entry.get("error") or (error and masked_text(error))
    changes = {"status": final.value, "finished_at": ended, "error": said}
    store.amend(run_id, lambda _: changes, durable=True)
    return ended


def process_text(process: Mapping[str, Any]) -> str:
    """Return the words for the process that a run.json names."""
    is_here = process.get("host") == identity.owner()["host"]
    return f"process {process.get('pid')}" + ("" if is_here else f" on {process.get('host')}")


def last_sign_of_life(paths: RunPaths, entry: Entry) -> str:
    """Return the time a run last wrote a file, or its creation time if that is later.

    run.json does not count: other processes may have changed it.
    """
    with regular.reading(paths.folder):
        written = [path for path in paths.folder.iterdir() if regular.is_file(path) and path != paths.run]
        newest = max((path.lstat().st_mtime for path in written), default=0.0)
    moment = max(timestamps.parse(entry["created_at"]), datetime.fromtimestamp(newest).astimezone())
    return moment.isoformat(timespec="milliseconds")


def ask_to_stop(store: Store, run_id: str) -> None:
    """Make `should_stop()` of a running run true; raise InvalidValueError for a run that has ended."""
    entry = store.require(run_id)
    if store.public(entry)["status"] != RunStatus.RUNNING:
        raise InvalidValueError(f"run {run_id!r} is {store.public(entry)['status']} already")
    atomic.create_bytes(store.paths.run(run_id).stop, b"")  # empty, unlike the request of a sweep
