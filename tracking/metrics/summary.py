"""The summary of each metric: its last value, extremes and counts, and the view of them on disk.

A summary depends on the order of points within the history (history.py), not on when they arrive, so it is updated
chunk by chunk. summary.json holds how many bytes of the owner's journal it covers; a reader adds the rest and is
exact however old the view is. It can be deleted without changing any answer.
"""

import contextlib
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError
from tracking.files import atomic
from tracking.metrics.history import (
    Calls,
    Column,
    Columns,
    History,
    columns,
    is_ascending,
    rank,
    read_calls,
    read_history,
    read_journals,
)
from tracking.metrics.journal_files import opened
from tracking.paths import RunPaths
from tracking.records import MetricSummary
from tracking.values.jsontext import Number

FIELDS = tuple(MetricSummary.__dataclass_fields__)


class Stat:
    """The summary of one metric while points arrive."""

    __slots__ = FIELDS

    def __init__(self) -> None:
        self.last: Number = math.nan
        self.last_step: int | None = None
        self.min: Number | None = None
        self.min_step: int | None = None
        self.max: Number | None = None
        self.max_step: int | None = None
        self.count = 0
        self.non_finite = 0

    def add(self, value: Number, step: int | None) -> None:
        """Add a point. Of equal steps the later point is the last; of equal values the first step is the extreme."""
        self._end_with(value, step)
        self.count += 1
        if math.isfinite(value):
            self._reach_down(value, step)
            self._reach_up(value, step)
        else:
            self.non_finite += 1

    def add_column(self, column: Column) -> None:
        """Add points, with the same result as `add` for each of them in turn."""
        steps, values, _ = column
        # finite values with ascending steps, the usual case, need no Python call per point
        if not (is_ascending(steps) and math.isfinite(sum(values))):
            for value, step in zip(values, steps, strict=True):
                self.add(value, step)
            return
        self._end_with(values[-1], steps[-1])
        self.count += len(values)
        low, high = min(values), max(values)
        self._reach_down(low, steps[values.index(low)])
        self._reach_up(high, steps[values.index(high)])

    def _end_with(self, value: Number, step: int | None) -> None:
        if not self.count or rank(step) >= rank(self.last_step):
            self.last, self.last_step = value, step

    def _reach_down(self, value: Number, step: int | None) -> None:
        if self.min is None or value < self.min or (value == self.min and rank(step) < rank(self.min_step)):
            self.min, self.min_step = value, step

    def _reach_up(self, value: Number, step: int | None) -> None:
        if self.max is None or value > self.max or (value == self.max and rank(step) < rank(self.max_step)):
            self.max, self.max_step = value, step


Stats = dict[str, Stat]


def add_columns(stats: Stats, found: Columns) -> None:
    """Add points by metric."""
    for name, column in found.items():
        stat = stats.get(name)
        if stat is None:
            stat = stats[name] = Stat()
        stat.add_column(column)


def add_all(stats: Stats, chunks: Iterable[Calls]) -> Stats:
    """Add the points of chunks of log calls; return `stats`."""
    for calls in chunks:
        add_columns(stats, columns(calls))
    return stats


def count_history(history: History) -> Stats:
    """Return the summaries of a whole history."""
    stats: Stats = {}
    for name, points in history.items():
        stat = stats[name] = Stat()
        for point in points:
            stat.add(point["value"], point["step"])
    return stats


def frozen(stats: Stats) -> dict[str, MetricSummary]:
    """Return the summaries as frozen values."""
    return {name: MetricSummary(*(getattr(stat, key) for key in FIELDS)) for name, stat in stats.items()}


def write_summary(path: Path, stats: Stats, journal_bytes: int | None, *, durable: bool = False) -> None:
    """Write summary.json; `journal_bytes` is None once there is no journal."""
    metrics = {name: {key: getattr(stat, key) for key in FIELDS} for name, stat in stats.items()}
    atomic.write_json(
        path, {"format": 1, "journal_bytes": journal_bytes, "metrics": metrics}, durable=durable
    )


def read_stats(paths: RunPaths) -> Stats:
    """Return the exact summaries of a run, from the view and the part of the journals that it does not cover.

    The journal is opened before the view is read, so a finish in between leaves a view that says it is complete.
    """
    with opened(paths) as journals:
        if not journals:
            return _finished_stats(paths)
        # the view covers the owner's journal only
        if len(journals) > 1 or journals[0].name != str(paths.journal):
            return add_all({}, read_journals(journals))
        stats, offset = read_view(paths.summary)
        if offset is None or offset > os.fstat(journals[0].fileno()).st_size:
            stats, offset = {}, 0  # a power loss took lines that the view had counted
        journals[0].seek(offset)
        return add_all(stats, read_calls(journals[0]))


def read_view(path: Path) -> tuple[Stats, int | None]:
    """Return the summaries in a summary.json and the bytes of the journal they cover; nothing from a damaged file."""
    try:
        view = atomic.read_object(path)
        return {name: _stat(fields) for name, fields in view["metrics"].items()}, view["journal_bytes"]
    except (FileNotFoundError, CorruptFileError, KeyError, AttributeError, TypeError, ValueError):
        return {}, None  # only a view: the caller reads the journal or metrics.json instead


def drop_view_beyond(paths: RunPaths, end: int) -> None:
    """Remove a view that covers more than the journal's `end` bytes: a power loss took lines it had counted."""
    if (read_view(paths.summary)[1] or 0) > end:
        with contextlib.suppress(FileNotFoundError):
            paths.summary.unlink()


def _finished_stats(paths: RunPaths) -> Stats:
    try:
        written = paths.metrics.stat().st_mtime_ns
    except FileNotFoundError:
        return {}
    with contextlib.suppress(FileNotFoundError):
        # an older view may be of another metrics.json, which somebody replaced
        if paths.summary.stat().st_mtime_ns >= written:
            stats, offset = read_view(paths.summary)
            if stats and offset is None:
                return stats
    return count_history(read_history(paths))


def _stat(fields: dict[str, Any]) -> Stat:
    stat = Stat()
    for key in FIELDS:
        setattr(stat, key, fields[key])
    if isinstance(stat.last, str):  # JSON has no number for a NaN or an infinity
        stat.last = float(stat.last)
    return stat
