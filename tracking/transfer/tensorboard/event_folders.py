"""Folders with event files of TensorBoard, each of which is a run.

A subfolder named as a time, as `add_hparams` of PyTorch makes one, belongs to the run of the folder around it.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tracking.errors import CorruptFileError, InvalidValueError
from tracking.files import regular
from tracking.records import RunStatus
from tracking.transfer.foreign_times import milliseconds_of
from tracking.transfer.found_runs import MOST_FAULTS, FoundRun, Item, Point
from tracking.transfer.origin import Origin
from tracking.transfer.tensorboard.event_messages import Event, decode_event
from tracking.transfer.tensorboard.frames import MAX_FRAME_BYTES, FrameReader
from tracking.values.jsontext import readable

EVENTS = "tfevents"  # is in the name of each event file
RUN_TAG = "tensorboard.run"
HUGE = f"records of more than {MAX_FRAME_BYTES >> 20} MiB"

_TIME = re.compile(r"\d{9,}\.\d+")  # the folder of add_hparams


@dataclass
class _Run:
    """The event files of a folder, which appear one after another, and how far each was read."""

    readers: dict[Path, FrameReader] = field(default_factory=dict)
    first: float | None = None  # the time of its first event
    last: float = 0.0
    others: set[str] = field(default_factory=set)
    unreadable: set[Path] = field(default_factory=set)  # files that are named already


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
        for gone in self._runs.keys() - found.keys():
            del self._runs[gone]
            self._items.pop(gone, None)
        for name, files in found.items():
            self._with_files(name, files)
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
            with suppress(FileNotFoundError):  # it was removed meanwhile
                for record in FrameReader(path).read():
                    known = hashlib.sha256(path.name.encode(errors="replace") + b"\n" + record.data)
                    return Item(name, Origin(readable(name), known.hexdigest()[:16]), self._experiment)
        return None

    def _with_files(self, name: str, files: list[Path]) -> None:
        """Read these files from now on: from the beginning, unless they are those of the last time."""
        known = self._runs[name].readers.keys() if name in self._runs else set()
        if known != set(files):  # a file that is here may have been here before
            if known.isdisjoint(files):
                self._items.pop(name, None)  # a new run under the name of the old one
            self._begin_anew(name, files)

    def _begin_anew(self, name: str, files: Iterable[Path]) -> None:
        self._runs[name] = _Run({path: FrameReader(path) for path in files})

    def read(self, item: Item) -> FoundRun:
        """Return a whole run, from the beginning of its files."""
        self._begin_anew(item.name, [*self._runs[item.name].readers])
        return self.news(item)

    def news(self, item: Item) -> FoundRun:
        """Return what was written since the last `read` or `news`."""
        run = self._runs[item.name]
        is_whole = not any(reader.has_begun for reader in run.readers.values())
        found = FoundRun(item, 0, 0, RunStatus.ENDED, tags={RUN_TAG: item.name}, is_whole=is_whole)
        for path, reader in run.readers.items():
            try:
                for event in _events(reader, found.damaged):
                    run.first = event.wall_time if run.first is None else run.first
                    run.last = max(run.last, event.wall_time)
                    _add(found, event)
                    run.others |= event.others
            except (CorruptFileError, FileNotFoundError) as error:
                if reader.has_begun:  # all of it comes with the next look, maybe as another run
                    self._begin_anew(item.name, [*self._runs[item.name].readers])
                    if not isinstance(error, FileNotFoundError):
                        del self._items[item.name]
                    return FoundRun(item, 0, 0)
                if path not in run.unreadable:
                    found.damaged.append(f"the file {path.name} ({error})")
                    run.unreadable.add(path)
            run.others |= {HUGE} if reader.has_huge else set()
        found.created = milliseconds_of(run.first or 0.0)
        found.finished = max(milliseconds_of(run.last), found.created)
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
