"""The summary of each metric: its last value, extremes and counts.

A summary depends on the order of points within the history (history.py), not on when they arrive, so it is updated
chunk by chunk. summary_file.py keeps it in summary.json; a reader adds the rest and is exact however old the view is.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from tracking.metrics.blocks import Block, block_of, is_ascending, rank
from tracking.metrics.history import adds_nothing, read_history, read_journals, read_union
from tracking.metrics.journal_files import opened
from tracking.metrics.sources import History, distinct
from tracking.metrics.summary_file import Stats, View, fullest, read_view
from tracking.paths import RunPaths
from tracking.records import MetricSummary
from tracking.values.jsontext import Number


def summarize(steps: list[Any], values: list[Number], *, is_ordered: bool) -> MetricSummary:
    """Return the summary of points: of equal steps the later is the last; of equal values the first is the extreme.

    `is_ordered` says whether the steps are ascending.
    """
    last: Number = math.nan
    last_step = low = high = None
    if values and is_ordered and math.isfinite(sum(values)):
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


def add_block(stats: Stats, block: Block) -> None:
    """Add points to the summaries of their metrics."""
    is_ordered = is_ascending(block.steps)
    for name, values in block.values.items():
        new = summarize(block.steps, values, is_ordered=is_ordered)
        stats[name] = _joined(stats[name], new) if name in stats else new


def add_all(stats: Stats, blocks: Iterable[Block]) -> Stats:
    """Add the points of blocks; return `stats`."""
    for block in blocks:
        add_block(stats, block)
    return stats


def count_history(history: History) -> Stats:
    """Return the summaries of a whole history."""
    stats: Stats = {}
    for name, points in history.items():
        add_block(stats, block_of(name, points))
    return stats


def read_stats(paths: RunPaths) -> Stats:
    """Return the exact summaries of a run, from the view and the part of the journal that it does not cover.

    The journals are opened before the view and metrics.json are read, so a finish in between leaves those complete.
    """
    with opened(paths) as found:
        if not found.journals and not found.conflicts:
            return _finished_stats(paths)
        journals, view = distinct(found.journals), read_view(paths.summary)
        if not adds_nothing(paths, found, journals, view):
            return fullest(count_history(read_union(paths, found, journals).history), _complete(view))
        owner = journals[0]
        if len(journals) == 1 and view and owner.name == str(paths.journal) and view.is_of(owner.fileno()):
            owner.seek(view.journal_bytes or 0)
            return add_all(view.stats, read_journals([owner]))
        return fullest(add_all({}, read_journals(journals)), _complete(view))


def _finished_stats(paths: RunPaths) -> Stats:
    view = read_view(paths.summary)
    if view is not None and view.is_complete and _is_newer(paths, view):
        return view.stats
    return fullest(count_history(read_history(paths)), view)


def _complete(view: View | None) -> View | None:
    # beside a journal, one that is not complete may have counted lines that a power loss took
    return view if view and view.is_complete else None


def _is_newer(paths: RunPaths, view: View) -> bool:
    """Return whether a complete view is of the metrics.json that is there: somebody may have replaced one of them."""
    try:
        written, seen = paths.metrics.lstat(), paths.summary.lstat()
    except OSError:
        return False
    is_same = view.metrics_bytes in (None, written.st_size)  # version 0.1.0 did not write the size
    return is_same and seen.st_mtime_ns >= written.st_mtime_ns and bool(view.stats)


def _joined(before: MetricSummary, new: MetricSummary) -> MetricSummary:
    """Return the summary of points and of those logged after them."""
    end = new if rank(new.last_step) >= rank(before.last_step) else before
    finite = [each for each in (before, new) if each.min is not None]
    low = min(finite, key=lambda each: (each.min, rank(each.min_step)), default=before)
    high = max(finite, key=lambda each: (each.max, -rank(each.max_step)), default=before)
    counts = before.count + new.count, before.non_finite + new.non_finite
    return MetricSummary(end.last, end.last_step, low.min, low.min_step, high.max, high.max_step, *counts)
