"""What each metric came to: the running account of a live run and the view of it on disk.

summary.json says how many bytes of the journal it has absorbed, so a reader adds the rest and is exact however
old the view is. Delete it: same answers.
"""

import contextlib
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tracking import files
from tracking.errors import CorruptFileError
from tracking.history import Line, read_history
from tracking.paths import RunPaths
from tracking.records import MetricSummary
from tracking.values import Number

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
        """Count one more point."""
        self.last = value
        self.last_step = step
        self.count += 1
        if not math.isfinite(value):
            self.non_finite += 1
            return
        if self.min is None or value < self.min:
            self.min, self.min_step = value, step
        if self.max is None or value > self.max:
            self.max, self.max_step = value, step


Stats = dict[str, Stat]


def add_line(stats: Stats, metrics: dict[str, Number], step: int | None) -> None:
    """Count the points of one log call."""
    for name, value in metrics.items():
        stat = stats.get(name)
        if stat is None:
            stat = stats[name] = Stat()
        stat.add(value, step)


def add_lines(stats: Stats, lines: Iterable[Line]) -> Stats:
    """Count the points of journal lines."""
    for step, _, metrics in lines:
        add_line(stats, metrics, step)
    return stats


def frozen(stats: Stats) -> dict[str, MetricSummary]:
    """The account as values that no longer change."""
    return {name: MetricSummary(*(getattr(stat, key) for key in FIELDS)) for name, stat in stats.items()}


def write_summary(path: Path, stats: Stats, journal_bytes: int | None, *, durable: bool = False) -> None:
    """Publish the account; `journal_bytes` is None once there is no journal."""
    metrics = {name: {key: getattr(stat, key) for key in FIELDS} for name, stat in stats.items()}
    files.write_json(path, {"format": 1, "journal_bytes": journal_bytes, "metrics": metrics}, durable=durable)


def read_stats(paths: RunPaths) -> Stats:
    """The exact account of a run, from the view and what the journal holds beyond it.

    The journal is opened before the view is read, so a finish in between leaves a view that says it is complete.
    """
    with contextlib.ExitStack() as stack:
        try:
            journal = stack.enter_context(paths.journal.open("rb"))
        except FileNotFoundError:
            return _finished_stats(paths)
        stats, offset = _read_view(paths.summary)
        if offset is None or offset > os.fstat(journal.fileno()).st_size:
            stats, offset = {}, 0
        journal.seek(offset)
        return add_lines(stats, Line.parse(journal, paths.journal))


def drop_view_beyond(paths: RunPaths, end: int) -> None:
    """Remove a view that absorbed more than the journal's `end` bytes: a power loss took lines it had counted."""
    if (_read_view(paths.summary)[1] or 0) > end:
        paths.summary.unlink(missing_ok=True)


def _finished_stats(paths: RunPaths) -> Stats:
    try:
        told = paths.metrics.stat().st_mtime_ns
    except FileNotFoundError:
        return {}
    try:
        if paths.summary.stat().st_mtime_ns >= told:
            stats, offset = _read_view(paths.summary)
            if stats and offset is None:
                return stats
    except FileNotFoundError:
        pass
    stats = {}
    for name, points in read_history(paths).items():
        stat = stats[name] = Stat()
        for point in points:
            stat.add(point["value"], point["step"])
    return stats


def _read_view(path: Path) -> tuple[Stats, int | None]:
    try:
        view = files.read_object(path)
        return {name: _stat(fields) for name, fields in view["metrics"].items()}, view["journal_bytes"]
    except (FileNotFoundError, CorruptFileError, KeyError, AttributeError, TypeError, ValueError):
        return {}, None  # only a view: the journal or metrics.json is read instead


def _stat(fields: dict[str, Any]) -> Stat:
    stat = Stat()
    for key in FIELDS:
        setattr(stat, key, fields[key])
    if isinstance(stat.last, str):
        stat.last = float(stat.last)
    return stat
