"""The points of some metrics of a run as columns, read without a dict per point wherever the files allow it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple

from tracking.browse.metrics_text import OtherFormError, read_rows
from tracking.browse.snapshot import Snapshot
from tracking.browse.thinning import thinned
from tracking.errors import UnreadableFileError
from tracking.files import regular
from tracking.metrics.blocks import is_ascending, rank
from tracking.metrics.history import (
    adds_nothing,
    read_journals,
    read_metrics_json,
    read_union,
)
from tracking.metrics.sources import History, count_points, distinct, moment_of
from tracking.metrics.summary_file import size_of
from tracking.paths import RunPaths
from tracking.values import timestamps
from tracking.values.jsontext import Number

MOST_HELD = 50_000  # points of a metric; of more only those that show the curve stay in memory

MOST_BYTES = 1 << 28  # of a metrics.json that is parsed as a whole

Wanted = frozenset[str] | None  # names of metrics; None are all


class Series(NamedTuple):
    """The points of one metric in the order of their steps, as parallel lists.

    Of more than MOST_HELD points these are the ones that show the curve; `total` counts all, `lost` those that are not finite.
    """

    steps: list[Any]
    stamps: list[str]
    values: list[Number]
    total: int
    lost: int = 0


class Reading(NamedTuple):
    """Series by metric, and what the run has in all: the number of its points, and whether its journals have them all."""

    series: dict[str, Series]
    points: int
    is_alone: bool


def read_series(paths: RunPaths, taken: Snapshot, names: Iterable[str] | None) -> Reading:
    """Return the points of the named metrics, or with None of all, in a snapshot of a run.

    A name that the run lacks is left out. Without journals `points` is 0.
    """
    wanted = None if names is None else frozenset(names)
    found = taken.found
    if not found.journals and not found.conflicts:
        return Reading(_from_view(paths, wanted), 0, is_alone=False)
    journals = distinct(found.journals)
    if len(found.journals) == 1 and adds_nothing(paths, found, journals):
        return _from_journal(journals[0], wanted)
    history = read_union(paths, found, journals).history
    is_alone = not found.conflicts and have_all(found.journals, history)
    return Reading(_from_history(history, wanted), count_points(history), is_alone)


def have_all(journals: Sequence[BinaryIO], history: History) -> bool:
    """Return whether open journals, read from their beginnings, have just the points of a history, and each as often."""
    total = sum(
        hash((name, repr(point["step"]), repr(point["value"]), point["timestamp"]))
        for name, points in history.items()
        for point in points
    )
    for journal in journals:
        journal.seek(0)
        for steps, stamps, metrics, _ in read_journals([journal]):
            for name, values in metrics.items():
                for step, stamp, value in zip(steps, stamps, values, strict=True):
                    total -= hash((name, repr(step), repr(value), stamp))
    return total == 0


def check_size(paths: RunPaths) -> None:
    """Raise UnreadableFileError for a metrics.json that is too large to be held as a whole."""
    size = size_of(paths.metrics) or 0
    if size > MOST_BYTES:
        raise UnreadableFileError(
            f"{paths.metrics} has {size:,} bytes in another form than ours, which are not shown; log fewer points",
            paths.metrics,
        )


def began_of(entry: Mapping[str, Any]) -> datetime | None:
    """Return when a run began; None where its entry does not say it."""
    try:
        return timestamps.parse(entry["created_at"])
    except (KeyError, TypeError, ValueError):
        return None


def seconds_of(stamps: Sequence[str], began: datetime | None) -> list[float]:
    """Return times of log calls in seconds since a run began, to the millisecond."""
    if not stamps:
        return []
    parse = datetime.fromisoformat
    try:
        moments = [parse(stamp).timestamp() for stamp in stamps]
    except (ValueError, TypeError, OverflowError):  # other code writes any text
        moments = [moment_of(stamp).timestamp() for stamp in stamps]
    start = moments[0] if began is None else began.timestamp()
    return [round(moment - start, 3) for moment in moments]


def _from_journal(journal: BinaryIO, wanted: Wanted) -> Reading:
    found: dict[str, _Collected] = {}
    count = 0
    for block in read_journals([journal]):
        count += len(block.steps) * len(block.values)
        for name, values in block.values.items():
            if wanted is None or name in wanted:
                found.setdefault(name, _Collected()).add(block.steps, block.stamps, values)
    return Reading({name: each.series() for name, each in found.items()}, count, is_alone=True)


def _from_history(history: History, wanted: Wanted) -> dict[str, Series]:
    found = {}
    for name, points in history.items():
        if points and (wanted is None or name in wanted):
            collected = found[name] = _Collected()
            for start in range(0, len(points), MOST_HELD):
                part = points[start : start + MOST_HELD]
                columns = ([point[key] for point in part] for key in ("step", "timestamp", "value"))
                collected.add(*columns)
    return {name: each.series() for name, each in found.items()}


def _from_view(paths: RunPaths, wanted: Wanted) -> dict[str, Series]:
    """Return the points of a run without journals, which are in its metrics.json."""
    found: dict[str, _Collected] = {}
    try:
        with regular.open_file(paths.metrics) as file:
            for name, rows in read_rows(file, wanted):
                found.setdefault(name, _Collected()).add(*rows)
    except FileNotFoundError:
        return {}
    except OtherFormError:
        check_size(paths)
        return _from_history(read_metrics_json(paths.metrics), wanted)
    return {name: each.series() for name, each in found.items()}


class _Collected:
    """The points of one metric as they are read; of very many it holds those that show the curve."""

    def __init__(self) -> None:
        self._steps: list[Any] = []
        self._stamps: list[str] = []
        self._values: list[Number] = []
        self._total = 0
        self._lost = 0

    def add(self, steps: Sequence[Any], stamps: Sequence[str], values: Sequence[Number]) -> None:
        self._steps += steps
        self._stamps += stamps
        self._values += values
        self._total += len(values)
        if not math.isfinite(sum(values)):  # the sum tells in most cases, and is quick
            self._lost += sum(not math.isfinite(value) for value in values)
        if len(self._values) > MOST_HELD:
            self._keep(thinned(self._values, MOST_HELD // 2))

    def series(self) -> Series:
        """Return the points in the order of their steps, equal steps as they were logged."""
        if not is_ascending(self._steps):
            self._keep(sorted(range(len(self._steps)), key=list(map(rank, self._steps)).__getitem__))
        return Series(self._steps, self._stamps, self._values, self._total, self._lost)

    def _keep(self, places: Sequence[int]) -> None:
        self._steps = [self._steps[place] for place in places]
        self._stamps = [self._stamps[place] for place in places]
        self._values = [self._values[place] for place in places]
