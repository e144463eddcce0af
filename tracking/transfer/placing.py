"""How an imported run takes its place: put together where no reader looks, then renamed.

It keeps its id where that is free, else it gets the next number.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tracking.files import atomic, folders, regular
from tracking.paths import RunPaths
from tracking.process.program import command
from tracking.records import FORMAT
from tracking.store.numbering import first_free_number, last_deleted
from tracking.store.store import Store, write_entry
from tracking.store.trash import trashed_entries
from tracking.transfer.origin import Origin, origin_of
from tracking.values.jsontext import readable


class Present:
    """Which runs are in the store already, or were and are in its trash, by their origin.

    A run in a folder is known by that folder too: its name depends on the folder around it that was imported.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        entries = list(store.scan.entries(None, lambda _: None))
        # the first of equals
        self.known = {origin_of(entry, store): str(entry["run_id"]) for entry in reversed(entries)}
        self._placed = _by_place(reversed(entries))
        trashed = list(trashed_entries(store))
        self._deleted = {origin_of(entry, store): str(entry["run_id"]) for entry in trashed}
        self._deleted_places = _by_place(trashed)

    def find(self, origin: Origin, place: str | None = None) -> str | None:
        """Return the id here of a run, which was found below `place`; None for one that is not here."""
        return self.known.get(origin) or self._placed.get(_placed(origin, place))  # None is no key there

    def deleted_reason(self, origin: Origin, place: str | None = None) -> str | None:
        """Return why a run that was deleted here is left out; None for any other."""
        here = self._deleted.get(origin) or self._deleted_places.get(_placed(origin, place))
        if here is None:
            return None
        remedy = command(f"restore {here} --store {self._store.paths.named}")
        return f"it was deleted here and is in the trash as {here}; to bring it back: {remedy}"


def _placed(origin: Origin, place: str | None) -> tuple[str, str] | None:
    """Return the uid of a run with its own folder; None where it lies in none."""
    if not place or not place.startswith(os.sep):
        return None
    return origin.uid, os.path.normpath(f"{readable(place)}/{origin.run_id}")


def _by_place(entries: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str] | None, str]:
    found: dict[tuple[str, str] | None, str] = {}
    for entry in entries:
        told = entry.get("imported_from")
        if isinstance(told, dict) and entry.get("uid"):
            origin = Origin(str(told.get("run_id")), str(entry["uid"]))
            if place := _placed(origin, str(told.get("store"))):
                found[place] = str(entry["run_id"])
    return found


@contextmanager
def staging(store: Store, name: str) -> Iterator[RunPaths]:
    """Give a name for the folder of a new run, where it is put together; what is left there at the end is removed."""
    staged = RunPaths(atomic.temporary_path(store.paths.incoming / name))
    try:
        yield staged
    finally:
        if regular.is_folder(staged.folder):
            folders.remove_tree(staged.folder)


def place(store: Store, staged: RunPaths, entry: Mapping[str, Any], preferred: str | None) -> str:
    """Give a run that was put together its id and its place in the store, at once; return the id.

    `preferred` is the id that it keeps if no run has or had that.
    """
    claimed = _claim(store, preferred)
    try:
        write_entry(staged, {"format": FORMAT, **entry, "run_id": claimed.name}, durable=True)
        with atomic.writing(claimed):
            staged.folder.replace(claimed)  # which is empty, and claimed by this process
    except BaseException:
        with suppress(OSError):
            claimed.rmdir()
        raise
    atomic.sync_dir(claimed.parent)
    return claimed.name


def _claim(store: Store, preferred: str | None) -> Path:
    digits = (preferred or "").removeprefix("run_")
    was_given = digits.isdecimal() and int(digits) <= last_deleted(store.paths)
    if preferred and not was_given and not os.path.lexists(store.paths.trashed(preferred).folder):
        with atomic.writing(store.paths.runs):
            store.paths.runs.mkdir(parents=True, exist_ok=True)
            regular.refuse_link(store.paths.runs)
            with suppress(FileExistsError):
                folder = store.paths.run(preferred).folder
                folder.mkdir()
                return folder
    return folders.claim_dir(store.paths.runs, "run_{:03d}".format, first=first_free_number(store.paths))[1]
