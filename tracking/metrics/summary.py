"""What each metric came to: the running account of a live run and the view of it on disk.

The account does not depend on when points arrive, only on their order within the history (history.py), so it can be
brought up chunk by chunk. summary.json says how many bytes of the owner's journal it has absorbed, so a reader adds
the rest and is exact however old the view is. Delete it: same answers.
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
    """The account of one metric while points arrive."""

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
        """Count one more point; of equal ones the later is the last, and the first in order the extreme."""
        self._end_with(value, step)
        self.count += 1
        if math.isfinite(value):
            self._reach_down(value, step)
            self._reach_up(value, step)
        else:
            self.non_finite += 1

    def add_column(self, column: Column) -> None:
        """Count points; what add would come to for each of them in turn."""
        steps, values, _ = column
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
    """Count points by metric."""
    for name, column in found.items():
        stat = stats.get(name)
        if stat is None:
            stat = stats[name] = Stat()
        stat.add_column(column)


def add_all(stats: Stats, chunks: Iterable[Calls]) -> Stats:
    """Count the points of chunks of log calls."""
    for calls in chunks:
        add_columns(stats, columns(calls))
    return stats


def count_history(history: History) -> Stats:
    """Count the points of a whole history."""
    stats: Stats = {}
    for name, points in history.items():
        stat = stats[name] = Stat()
        for point in points:
            stat.add(point["value"], point["step"])
    return stats


def frozen(stats: Stats) -> dict[str, MetricSummary]:
    """The account as values that no longer change."""
    return {name: MetricSummary(*(getattr(stat, key) for key in FIELDS)) for name, stat in stats.items()}


def write_summary(path: Path, stats: Stats, journal_bytes: int | None, *, durable: bool = False) -> None:
    """Publish the account; `journal_bytes` is None once there is no journal."""
    metrics = {name: {key: getattr(stat, key) for key in FIELDS} for name, stat in stats.items()}
    atomic.write_json(
        path, {"format": 1, "journal_bytes": journal_bytes, "metrics": metrics}, durable=durable
    )


def read_stats(paths: RunPaths) -> Stats:
    """The exact account of a run, from the view and what the journals hold beyond it.

    The journal is opened before the view is read, so a finish in between leaves a view that says it is complete.
    """
    with opened(paths) as journals:
        if not journals:
            return _finished_stats(paths)
        if len(journals) > 1 or journals[0].name != str(paths.journal):
            return add_all({}, read_journals(journals))
        stats, offset = read_view(paths.summary)
        if offset is None or offset > os.fstat(journals[0].fileno()).st_size:
            stats, offset = {}, 0
        journals[0].seek(offset)
        return add_all(stats, read_calls(journals[0]))


def read_view(path: Path) -> tuple[Stats, int | None]:
    """The account in a summary.json and how much of the journal it absorbed; nothing from a damaged one."""
    try:
        view = atomic.read_object(path)
        return {name: _stat(fields) for name, fields in view["metrics"].items()}, view["journal_bytes"]
    except (FileNotFoundError, CorruptFileError, KeyError, AttributeError, TypeError, ValueError):
        return {}, None  # only a view: the journal or metrics.json is read instead


def drop_view_beyond(paths: RunPaths, end: int) -> None:
    """Remove a view that absorbed more than the journal's `end` bytes: a power loss took lines it had counted."""
    if (read_view(paths.summary)[1] or 0) > end:
        with contextlib.suppress(FileNotFoundError):
            paths.summary.unlink()


def _finished_stats(paths: RunPaths) -> Stats:
    try:
        told = paths.metrics.stat().st_mtime_ns
    except FileNotFoundError:
        return {}
    with contextlib.suppress(FileNotFoundError):
        if paths.summary.stat().st_mtime_ns >= told:
            stats, offset = read_view(paths.summary)
            if stats and offset is None:
                return stats
    return count_history(read_history(paths))


def _stat(fields: dict[str, Any]) -> Stat:
    stat = Stat()
    for key in FIELDS:
        setattr(stat, key, fields[key])
    if isinstance(stat.last, str):
        stat.last = float(stat.last)
    return stat
