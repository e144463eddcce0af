"""The summary of each metric: its last value, extremes and counts, and the view of them on disk.

A summary depends on the order of points within the history (history.py), not on when they arrive, so it is updated
chunk by chunk. summary.json holds how many bytes of the owner's journal it covers; a reader adds the rest and is
exact however old the view is. It can be deleted without changing any answer.
"""

import contextlib
import math
import os
from collections.abc import Iterable, Sequence
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


Stats = dict[str, MetricSummary]


def summarize(column: Column) -> MetricSummary:
    """Return the summary of points: of equal steps the later is the last; of equal values the first is the extreme."""
    steps, values, _ = column
    last: Number = math.nan
    last_step = low = high = None
    if values and is_ascending(steps) and math.isfinite(sum(values)):
        # the usual case needs no Python call per point
        finite: Sequence[int] = range(len(values))
        last, last_step = values[-1], steps[-1]
        low, high = values.index(min(values)), values.index(max(values))
    else:
        finite = [at for at, value in enumerate(values) if math.isfinite(value)]
        if values:
            end = max(range(len(values)), key=lambda at: (rank(steps[at]), at))
            last, last_step = values[end], steps[end]
        low = min(finite, key=lambda at: (values[at], rank(steps[at])), default=None)
        high = max(finite, key=lambda at: (values[at], -rank(steps[at])), default=None)
    (min_, min_step), (max_, max_step) = (
        (None, None) if at is None else (values[at], steps[at]) for at in (low, high)
    )
    non_finite = len(values) - len(finite)
    return MetricSummary(last, last_step, min_, min_step, max_, max_step, len(values), non_finite)


def add_columns(stats: Stats, found: Columns) -> None:
    """Add points by metric."""
    for name, column in found.items():
        new = summarize(column)
        stats[name] = _joined(stats[name], new) if name in stats else new


def add_all(stats: Stats, chunks: Iterable[Calls]) -> Stats:
    """Add the points of chunks of log calls; return `stats`."""
    for calls in chunks:
        add_columns(stats, columns(calls))
    return stats


def count_history(history: History) -> Stats:
    """Return the summaries of a whole history."""
    return {
        name: summarize(Column([each["step"] for each in points], [each["value"] for each in points], []))
        for name, points in history.items()
    }


def write_summary(path: Path, stats: Stats, journal_bytes: int | None, *, durable: bool = False) -> None:
    """Write summary.json; `journal_bytes` is None once there is no journal."""
    metrics = {name: vars(summary) for name, summary in stats.items()}
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
        return {name: _from_view(fields) for name, fields in view["metrics"].items()}, view["journal_bytes"]
    except (FileNotFoundError, CorruptFileError, KeyError, AttributeError, TypeError, ValueError):
        return {}, None  # only a view: the caller reads the journal or metrics.json instead


def drop_view_beyond(paths: RunPaths, end: int) -> None:
    """Remove a view that covers more than the journal's `end` bytes: a power loss took lines it had counted."""
    if (read_view(paths.summary)[1] or 0) > end:
        paths.summary.unlink(missing_ok=True)


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


def _joined(before: MetricSummary, new: MetricSummary) -> MetricSummary:
    """Return the summary of points and of those logged after them."""
    end = new if rank(new.last_step) >= rank(before.last_step) else before
    finite = [each for each in (before, new) if each.min is not None]
    low = min(finite, key=lambda each: (each.min, rank(each.min_step)), default=before)
    high = max(finite, key=lambda each: (each.max, -rank(each.max_step)), default=before)
    counts = before.count + new.count, before.non_finite + new.non_finite
    return MetricSummary(end.last, end.last_step, low.min, low.min_step, high.max, high.max_step, *counts)


def _from_view(fields: dict[str, Any]) -> MetricSummary:
    last, *others = (fields[key] for key in FIELDS)
    # JSON has no number for a NaN or an infinity
    return MetricSummary(float(last) if isinstance(last, str) else last, *others)
