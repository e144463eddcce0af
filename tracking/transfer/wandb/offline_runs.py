"""Runs of W&B from their `.wandb` files: config, history, summary, names, tags, exit code.

The messages are those of wandb/proto/wandb_internal.proto; field numbers stand beside each name.
"""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError, InvalidValueError
from tracking.files import folders, regular
from tracking.records import RunStatus
from tracking.transfer.foreign_times import milliseconds_of
from tracking.transfer.found_runs import FoundRun, Item, Point
from tracking.transfer.origin import Origin
from tracking.transfer.protobuf import fields
from tracking.transfer.wandb.log_blocks import read_records
from tracking.values import jsontext
from tracking.values.plain import flat

HISTORY, SUMMARY, CONFIG, RUN, EXIT = 2, 3, 5, 17, 18  # of Record
UPDATE, REMOVE = 1, 2  # of ConfigRecord and SummaryRecord
KEY, NESTED_KEY, VALUE = 1, 2, 16  # of their items, and of those of HistoryRecord
TEXTS = {
    1: "id",
    2: "entity",
    3: "project",
    6: "group",
    7: "job_type",
    8: "name",
    9: "notes",
    12: "sweep",
}  # of RunRecord
RUN_CONFIG, RUN_TAGS, START = 4, 10, 17
SUFFIX = ".wandb"
MEDIA = "_type"  # the key that W&B puts into what stands for a table, an image or the like
MOST_LEVELS = 100
SUMMARY_FILE = "wandb-summary.json"
NOT_ENDED = "it has no end: it is running, or was killed; if it has ended, add --running"


@dataclass
class _Content:
    """What the records of one file come to."""

    told: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    start: float = 0.0
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    exit_code: int | None = None
    damaged: list[str] = field(default_factory=list)


class OfflineRuns:
    """A `Source`: the `.wandb` files of a folder, or one of them. Runs that were synced are among them."""

    def __init__(self, place: Path, *, with_running: bool = False) -> None:
        self._files: dict[str, Path] = {}
        self._root = place
        self._with_running = with_running
        self.place = str(place.resolve())
        self.damaged: dict[str, str] = {}

    def items(self) -> Iterator[Item]:
        """Yield the runs by the names of their folders, which begin with their start."""
        for path in wandb_files(self._root):
            name = path.parent.name if path.parent != self._root else path.stem
            try:
                found = _read(path, only_run=True)
            except (CorruptFileError, FileNotFoundError) as error:
                self.damaged[name] = str(error)
                continue
            if "id" not in found.told:
                self.damaged[name] = f"{path} does not say which run it is of"
                continue
            self._files[name] = path
            known = hashlib.sha256(f"{found.told['id']}\n{found.start}".encode())
            yield Item(
                name,
                Origin(found.told["id"], known.hexdigest()[:16]),
                found.told.get("project") or "uncategorized",
            )

    def read(self, item: Item) -> FoundRun:
        """Return a whole run; raise InvalidValueError for one that has not ended, unless those were asked for."""
        path = self._files[item.name]
        content = _read(path)
        if content.exit_code is None and not self._with_running:
            raise InvalidValueError(NOT_ENDED)
        times = [row["_timestamp"] for row in content.rows if isinstance(row.get("_timestamp"), int | float)]
        start = milliseconds_of(content.start)
        found = FoundRun(item, start, max([start, *map(milliseconds_of, times)]), _status(content.exit_code))
        if content.exit_code:
            found.error = f"exit code {content.exit_code}"
        found.damaged = content.damaged
        config = {key: value for key, value in content.config.items() if key != "_wandb"}
        found.params = _flat("config", config, found.damaged)
        told = {f"wandb.{key}": text for key, text in content.told.items() if key != "notes"}
        found.tags = told | ({"wandb.tags": ", ".join(content.tags)} if content.tags else {})
        found.description = content.told.get("notes", "")
        _add_points(found, content)
        found.files = _files(path.parent / "files", found.damaged)
        summary = {key: value for key, value in content.summary.items() if not key.startswith("_")}
        if summary:
            found.describe(SUMMARY_FILE, summary)
        return found

    def close(self) -> None:
        """Do nothing: no file stays open."""


def wandb_files(place: Path) -> list[Path]:
    """Return the `.wandb` files at a path: a file, a run's folder, the folder `wandb` around those, or what holds that."""
    if regular.is_file(place):
        return [place] if place.suffix == SUFFIX else []
    patterns = ("*", "*/*", *(["wandb/*/*"] if regular.is_folder(place / "wandb") else []))
    found = [path for pattern in patterns for path in sorted(place.glob(f"{pattern}{SUFFIX}"))]
    # no link is followed; `latest-run` leads to one of the others
    return [path for path in found if regular.is_file(path) and regular.is_folder(path.parent)]


def _status(exit_code: int | None) -> RunStatus:
    if exit_code is None:
        return RunStatus.KILLED
    return RunStatus.FAILED if exit_code else RunStatus.COMPLETED


def _files(folder: Path, damaged: list[str]) -> dict[str, Path | bytes]:
    if regular.exists(folder) and not regular.is_folder(folder):
        damaged.append("the files: they lie behind a link, which is not followed")
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folders.walk(folder))
        if regular.is_file(path)
    }


def _read(path: Path, *, only_run: bool = False) -> _Content:
    found = _Content()
    for number, record in enumerate(read_records(path, found.damaged)):
        try:
            for each in fields(record):
                if each.number in (HISTORY, SUMMARY, CONFIG, RUN, EXIT):
                    _add(found, each.number, each.data)
        except ValueError as error:  # also of JSON and of text that is no UTF-8
            found.damaged.append(f"record {number + 1} of {path.name}: {error}")
        if only_run and "id" in found.told:
            break
    return found


def _add(found: _Content, kind: int, data: bytes) -> None:
    if kind == HISTORY:
        found.rows.append({".".join(key): value for key, value in _items(data, 1)})
    elif kind in (SUMMARY, CONFIG):
        _update(found.summary if kind == SUMMARY else found.config, data)
    elif kind == EXIT:
        found.exit_code = next((each.whole for each in fields(data) if each.number == 1), 0)
    else:
        for each in fields(data):
            if each.number in TEXTS and each.data:
                found.told[TEXTS[each.number]] = each.text
            elif each.number == RUN_TAGS:
                found.tags.append(each.text)
            elif each.number == RUN_CONFIG:
                _update(found.config, each.data)
            elif each.number == START:
                parts = {part.number: part.whole for part in fields(each.data)}
                found.start = parts.get(1, 0) + parts.get(2, 0) / 1e9


def _update(values: dict[str, Any], data: bytes) -> None:
    for key, value in _items(data, UPDATE):
        inner = values
        for name in key[:-1]:
            deeper = inner.get(name)
            if not isinstance(deeper, dict):
                deeper = inner[name] = {}
            inner = deeper
        inner[key[-1]] = value
    for key, _ in _items(data, REMOVE):
        values.pop(key[0], None)


def _items(data: bytes, number: int) -> Iterator[tuple[list[str], Any]]:
    for item in fields(data):
        if item.number != number:
            continue
        key, value = [], None
        for part in fields(item.data):
            if part.number == KEY:
                key = [part.text]
            elif part.number == NESTED_KEY:
                key.append(part.text)
            elif part.number == VALUE:
                value = jsontext.decode(part.data)
        yield key or [""], value


def _add_points(found: FoundRun, content: _Content) -> None:
    """Add the numbers of the history, and those of the summary that no history has; note what is no number."""
    others = 0
    for row in content.rows:
        step, moment = row.get("_step"), milliseconds_of(_number(row.get("_timestamp")) or 0.0)
        media = tuple(f"{name.removesuffix(MEDIA)}" for name in row if name.endswith(f".{MEDIA}"))
        others += len(media)
        for name, value in row.items():
            if name.startswith("_") or f"{name}.".startswith(media):
                continue
            number = _number(value)
            if number is None:
                others += 1
            else:
                found.points.setdefault(name, []).append(Point(step, number, moment))
    for name, value in _flat("summary", _without_media(content.summary), found.damaged).items():
        number = _number(value)
        if number is not None and not name.startswith("_") and name not in found.points:
            found.points[name] = [Point(None, number, found.finished)]
    if others:
        found.notes.append("texts, media and tables of W&B's history are not imported")


def _is_media(value: Any) -> bool:
    """Return whether a value is what W&B writes of a table, an image or the like: its file, its size and so on."""
    return isinstance(value, dict) and isinstance(value.get(MEDIA), str)


def _without_media(values: dict[str, Any], levels: int = MOST_LEVELS) -> dict[str, Any]:
    found = {name: value for name, value in values.items() if not _is_media(value)}
    if not levels:
        return found  # which `flat` refuses
    return {
        name: _without_media(value, levels - 1) if isinstance(value, dict) else value
        for name, value in found.items()
    }


def _flat(what: str, values: dict[str, Any], damaged: list[str]) -> dict[str, Any]:
    try:
        return flat(values)
    except RecursionError:
        damaged.append(f"the {what}, which is nested too deep")
        return {}


def _number(value: Any) -> float | None:
    with suppress(ValueError):
        return jsontext.stored_number(int(value) if isinstance(value, bool) else value)
    return None
