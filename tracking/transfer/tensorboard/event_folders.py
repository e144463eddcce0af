"""Folders with event files of TensorBoard, each of which is a run.

A subfolder named as a time, as `add_hparams` of PyTorch makes one, belongs to the run of the folder around it.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tracking.errors import CorruptFileError, InvalidValueError
from tracking.files import regular
from tracking.records import RunStatus
from tracking.transfer.foreign_times import milliseconds_of
from tracking.transfer.found_runs import FoundRun, Item, Point
from tracking.transfer.origin import Origin
from tracking.transfer.tensorboard.event_messages import Event, decode_event
from tracking.transfer.tensorboard.frames import FrameReader
from tracking.values.jsontext import readable

EVENTS = "tfevents"  # is in the name of each event file
RUN_TAG = "tensorboard.run"
MOST_FAULTS = 20  # of one file that are named one by one

_TIME = re.compile(r"\d{9,}\.\d+")  # the folder of add_hparams


@dataclass
class _Run:
    """A folder with its event files, which appear one after another, and how far each was read."""

    folder: Path
    readers: dict[Path, FrameReader] = field(default_factory=dict)
    first: float | None = None  # the time of its first event
    others: set[str] = field(default_factory=set)


class EventFolders:
    """A `GrowingSource`: all folders below one that hold event files. No link below it is followed."""

    def __init__(self, place: Path) -> None:
        self._root = place
        self._experiment = place.resolve().name or "tensorboard"
        self._runs: dict[str, _Run] = {}
        self._items: dict[str, Item] = {}
        self.place = str(place.resolve())
        self.damaged: dict[str, str] = {}

    def items(self) -> Iterator[Item]:
        """Yield the runs, in the order of their names; a folder whose first event is not written yet is none."""
        found: dict[str, list[Path]] = {}
        for folder, files in event_files(self._root):
            owner = folder
            if folder != self._root and _TIME.fullmatch(folder.name) and self._name(folder.parent) in found:
                owner = folder.parent
            found.setdefault(self._name(owner), []).extend(files)
        for name, files in found.items():
            run = self._runs.setdefault(name, _Run(self._root / name))
            for path in files:
                run.readers.setdefault(path, FrameReader(path))
            if name not in self._items:
                try:
                    item = self._item(name, files)
                except CorruptFileError as error:
                    self.damaged[name] = str(error)
                    continue
                if item is None:
                    continue
                self.damaged.pop(name, None)
                self._items[name] = item
            yield self._items[name]

    def _name(self, folder: Path) -> str:
        return folder.relative_to(self._root).as_posix()

    def _item(self, name: str, files: list[Path]) -> Item | None:
        """Return a run by the first record of its first file that has one, which says when that file was begun."""
        for path in files:
            for record in FrameReader(path).read():
                known = hashlib.sha256(path.name.encode(errors="replace") + b"\n" + record.data)
                return Item(name, Origin(readable(name), known.hexdigest()[:16]), self._experiment)
        return None

    def read(self, item: Item) -> FoundRun:
        """Return a whole run, from the beginning of its files."""
        run = self._runs[item.name]
        run.readers = {path: FrameReader(path) for path in run.readers}
        run.others.clear()
        return self.news(item)

    def news(self, item: Item) -> FoundRun:
        """Return what was written since the last `read` or `news`."""
        run = self._runs[item.name]
        found = FoundRun(item, 0, 0, RunStatus.ENDED, tags={RUN_TAG: item.name})
        last = 0.0
        for path, reader in run.readers.items():
            try:
                for event in _events(reader, found.damaged):
                    run.first = event.wall_time if run.first is None else run.first
                    last = max(last, event.wall_time)
                    _add(found, event)
                    run.others |= event.others
            except (CorruptFileError, FileNotFoundError) as error:
                found.damaged.append(f"the file {path.name} ({error})")
        found.created = milliseconds_of(run.first or 0.0)
        found.finished = max(milliseconds_of(last), found.created)
        if run.others:
            kinds = ", ".join(sorted(run.others))
            found.notes.append(f"{kinds} of TensorBoard are not imported")
        return found

    def close(self) -> None:
        """Do nothing: no file stays open."""


def event_files(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each folder that holds event files with these, folders and files by their names; a folder before those in it."""
    for place, folders, names in os.walk(root):
        folders.sort()
        files = [Path(place, name) for name in sorted(names) if EVENTS in name]
        files = [path for path in files if regular.is_file(path)]
        if files:
            yield Path(place), files


def open_event_folders(path: Path, *, may_be_empty: bool = False) -> EventFolders:
    """Return the runs below a folder; raise InvalidValueError without any event file, unless it `may_be_empty`."""
    if not path.is_dir():
        raise InvalidValueError(
            f"{str(path)!r} is no folder; give the folder that TensorBoard's --logdir names"
        )
    if not may_be_empty and next(event_files(path), None) is None:
        raise InvalidValueError(f"{str(path)!r} holds no event file of TensorBoard (events.out.tfevents.*)")
    return EventFolders(path)


def _events(reader: FrameReader, damaged: list[str]) -> Iterator[Event]:
    faults = 0
    for record in reader.read():
        fault = record.fault
        if not fault:
            try:
                event = decode_event(record.data)
            except (ValueError, OverflowError) as error:  # also of text that is no UTF-8
                fault = str(error)
            else:
                yield event
                continue
        faults += 1
        if faults <= MOST_FAULTS:
            damaged.append(f"the record at byte {record.at} of {reader.path.name}: {fault}")
    if faults > MOST_FAULTS:
        damaged.append(f"{faults - MOST_FAULTS} further records of {reader.path.name}")


def _add(found: FoundRun, event: Event) -> None:
    found.params |= event.hparams
    if event.scalars:
        moment = milliseconds_of(event.wall_time)
        for tag, value in event.scalars:
            found.points.setdefault(tag, []).append(Point(event.step, value, moment))
