"""Runs that another program recorded, as they will be kept here, and the contract of what finds them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from tracking.errors import InvalidNameError, InvalidValueError, quoted
from tracking.metrics.sources import History
from tracking.metrics.summary import count_history
from tracking.records import RunRecord, RunStatus
from tracking.transfer.foreign_times import Clock
from tracking.transfer.origin import Origin
from tracking.values import timestamps
from tracking.values.checks import metric_value, param_values, step_value, tag_values
from tracking.values.jsontext import encode, readable
from tracking.values.names import check_label, fitted_label
from tracking.values.plain import plain
from tracking.values.secrets import masked, masked_text
from tracking.version import __version__

GROUPS = 1  # levels of mappings in a description whose values are lost one by one
MOST_FAULTS = 20  # of one metric, or of one file, that are named one by one


class Point(NamedTuple):
    """One value of a metric; `moment` is in milliseconds since 1970."""

    step: int | float | None
    value: float
    moment: int


class Item(NamedTuple):
    """A run as a source lists it: the name that reports give it, and what only its copies share."""

    name: str
    origin: Origin
    experiment: str


@dataclass
class FoundRun:
    """What a source read of one run, before it is checked; times are milliseconds since 1970.

    `is_whole` unless it is only what was written since an earlier reading. `damaged` names what of it could not be read, `notes` what a store does not keep. `files` are its artifacts by name:
    files outside the store, which are copied, or bytes.
    """

    item: Item
    created: int
    finished: int
    status: RunStatus = RunStatus.ENDED
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    points: dict[str, list[Point]] = field(default_factory=dict)
    description: str = ""
    error: str | None = None
    config: str = ""  # YAML
    overrides: list[str] = field(default_factory=list)
    files: dict[str, Path | bytes] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_whole: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found that is worth a word."""
        return not (self.points or self.params or self.damaged)

    def describe(self, name: str, content: Mapping[str, Any]) -> None:
        """Add a JSON file of what a run has no place for, without secrets; name in `damaged` what it cannot hold."""
        self.files[name] = encode(masked(self._plain(name, content, GROUPS)), indent=True)

    def _plain(self, where: str, content: Mapping[str, Any], groups: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in content.items():
            try:
                if isinstance(value, Mapping) and groups:
                    found[readable(key)] = self._plain(where, value, groups - 1)
                else:
                    found |= plain({readable(key): value}, where)
            except InvalidValueError:  # which advises the author of a program that logs
                self.damaged.append(f"{quoted(key)} of {where}, which is too deep or too large for it")
        return found


@dataclass(frozen=True)
class Ready:
    """A run as a store keeps it: the content of run.json, parameters and points, all checked.

    `damaged` names what of it cannot be kept.
    """

    origin: Origin
    entry: dict[str, Any]
    params: dict[str, Any]
    history: History
    damaged: list[str]
    notes: list[str]

    def record(self, run_id: str) -> RunRecord:
        """Return the run for a filter, under its id elsewhere."""
        entry = self.entry
        return RunRecord(
            run_id,
            entry["experiment_name"],
            entry["status"],
            timestamps.parse(entry["created_at"]),
            timestamps.parse(entry["finished_at"]),
            entry["tags"],
            entry["description"],
            Path(),
            self.params,
            count_history(self.history),
            entry["data"],
            error=entry["error"],
        )


class Source(Protocol):
    """Runs of another program, which are read and never changed.

    Its content is not trusted: whatever cannot be read costs itself, and is named in `damaged` of the source, or of the
    run.
    """

    place: str  # the folder or address, for imported_from
    damaged: dict[str, str]  # what cannot be read, by the name that reports give it

    def items(self) -> Iterator[Item]:
        """Yield the runs in the order in which they get their numbers."""

    def read(self, item: Item) -> FoundRun:
        """Return a whole run; raise CorruptFileError or InvalidValueError for one that cannot be read."""

    def close(self) -> None:
        """Close what is open."""


@runtime_checkable
class GrowingSource(Source, Protocol):
    """A source whose runs may still be written, and which knows how far it has read them."""

    def news(self, item: Item) -> FoundRun:
        """Return what was written since the last `read` or `news`; all else of the run is empty.

        It `is_whole` if nothing was read before, or if a file that was read is gone or was written anew.
        """


def ready_run(found: FoundRun, place: str) -> Ready:
    """Return a run as it is kept; raise InvalidNameError or InvalidValueError if it cannot be one of a store.

    Its points are taken out of `found`.
    """
    damaged, clock = list(found.damaged), Clock()
    finished = found.finished
    if finished < found.created:
        damaged.append("its end, which is before its start")
        finished = found.created
    entry = {
        "version": __version__,
        "uid": found.item.origin.uid,
        "experiment_name": check_label("experiment name", fitted_label(found.item.experiment)),
        "created_at": clock.text(found.created),
        "finished_at": clock.text(finished),
        "status": found.status,
        "tags": checked(readable(found.tags), tag_values, damaged),
        "description": masked_text(found.description),
        "sweep": None,
        "data": {},
        "error": found.error and masked_text(found.error),
        "imported_from": readable({"store": place, "run_id": found.item.origin.run_id}),
    }
    params = checked(found.params, param_values, damaged)
    history = checked_history(found.points, clock, damaged)
    return Ready(found.item.origin, entry, params, history, damaged, found.notes)


def checked_history(points: dict[str, list[Point]], clock: Clock, damaged: list[str]) -> History:
    """Return points as a store keeps them; name those that it does not keep in `damaged`.

    Each point is taken out of `points` as it is checked, so that no two forms of all points are in memory.
    """
    found: History = {}
    for name in [*points]:
        left = points.pop(name)
        try:
            kept = found.setdefault(check_label("metric name", name), [])
        except InvalidNameError as error:
            damaged.append(str(error))
            continue
        faults: list[str] = []
        left.reverse()
        while left:
            point = left.pop()
            try:
                step, value = step_value(point.step), metric_value(name, point.value)
                kept.append({"step": step, "value": value, "timestamp": clock.text(point.moment)})
            except InvalidValueError as error:
                faults.append(f"a point of the metric {quoted(name)}: {error}")
        damaged += faults[:MOST_FAULTS]
        if len(faults) > MOST_FAULTS:
            damaged.append(f"{len(faults) - MOST_FAULTS} further points of the metric {quoted(name)}")
    return {name: kept for name, kept in found.items() if kept}


def checked(values: Mapping[str, Any], check: Any, damaged: list[str]) -> dict[str, Any]:
    """Return the values that a store keeps; name the others."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        try:
            found |= check({name: value})
        except (InvalidNameError, InvalidValueError) as error:
            damaged.append(str(error))
    return found
