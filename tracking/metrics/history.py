"""The points of a run's metrics, read from all files that hold any.

Journals come first; metrics.json is read beside them unless summary.json shows that it adds nothing (sources.py says
what each file adds). A journal line (line.py) is one log call; metrics.json has the same points by metric:
{"val_auc": [{"step": 3, "value": 0.71, "timestamp": "..."}]}.
The points of a metric are in the order of their steps, those without a step last, equal steps as they were logged.
"""

import heapq
import itertools
import logging
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tracking.errors import CorruptFileError, UnreadableFileError
from tracking.files import atomic, regular
from tracking.metrics.blocks import Block, blocks_of, parse_blocks, parse_calls, rank, stored_step
from tracking.metrics.journal_files import Opened, opened
from tracking.metrics.line import Line
from tracking.metrics.sources import (
    History,
    Point,
    count_points,
    distinct,
    has_base,
    joined,
    moment_of,
    split_base,
)
from tracking.metrics.summary_file import View, read_view, size_of
from tracking.paths import RunPaths
from tracking.values.jsontext import stored_number
from tracking.values.names import with_composed_keys

log = logging.getLogger("tracking")

CHUNK_BYTES = 1 << 18  # of a journal, parsed at once
BATCH = 4096  # log calls of several journals, merged at once
METRICS_BYTES = 1 << 32  # of a metrics.json that is read


class Union(NamedTuple):
    """The points of all files of a run."""

    history: History
    has_more: bool  # than the journals have
    is_damaged: bool  # metrics.json, which was left out


def read_history(paths: RunPaths) -> History:
    """Return all points of a run by metric, in their order. Reads the whole history."""
    with opened(paths) as found:
        if not found.journals and not found.conflicts:
            return read_metrics_json(paths.metrics)
        journals = distinct(found.journals)
        is_alone = adds_nothing(paths, found, journals)
        return read_journals_alone(journals) if is_alone else read_union(paths, found, journals).history


def adds_nothing(paths: RunPaths, found: Opened, journals: list[BinaryIO], view: View | None = None) -> bool:
    """Return whether all points of metrics.json are known to be in the open journals, without reading it."""
    if found.conflicts or not journals or (len(journals) > 1 and any(map(has_base, journals))):
        return False
    if size_of(paths.metrics) is None:
        return True
    view = view or read_view(paths.summary)
    owner = journals[0]
    return (
        view is not None
        and owner.name == str(paths.journal)
        and view.has_metrics_of(paths)
        and view.is_of(owner.fileno())
    )


def read_journals_alone(journals: list[BinaryIO], damaged: list[bytes] | None = None) -> History:
    """Return the points in open journals; add lines that are not log calls to `damaged`."""
    history: History = {}
    for steps, stamps, metrics, _ in read_journals(journals, damaged):
        for name, values in metrics.items():
            history.setdefault(name, []).extend(
                {"step": step, "value": value, "timestamp": stamp}
                for step, value, stamp in zip(steps, values, stamps, strict=True)
            )
    return _ordered(history)


def read_union(
    paths: RunPaths, found: Opened, journals: list[BinaryIO], damaged: list[bytes] | None = None
) -> Union:
    """Return the points of journals with those that metrics.json, or another version of it, has beyond.

    A damaged metrics.json is logged, and left out if there are journals.
    """
    bases, logged = [], journals
    if len(journals) > 1:
        split = [split_base(journal) for journal in journals]
        bases, logged = [base for base, _ in split if base is not None], [rest for _, rest in split]
    history = read_journals_alone(logged, damaged)
    for base in bases:
        history = joined(history, read_journals_alone([base]))
    logged_points, is_damaged = count_points(history), False
    for path in (paths.metrics, *found.conflicts):
        try:
            history = joined(history, read_metrics_json(path))
        except UnreadableFileError:
            raise
        except CorruptFileError as error:
            if path == paths.metrics and not journals:
                raise
            log.warning("left out: %s", error)
            is_damaged = is_damaged or path == paths.metrics
    return Union(_ordered(history), count_points(history) > logged_points, is_damaged)


def read_journals(journals: list[BinaryIO], damaged: list[bytes] | None = None) -> Iterator[Block]:
    """Yield the points of one journal from its position on, or of several merged by the times of the calls.

    Add lines that are not log calls to `damaged`; stop before a last line without a newline.
    """
    if len(journals) == 1:
        for text in _chunks(journals[0]):
            yield from parse_blocks(text, Path(journals[0].name), damaged)
        return
    # only the times say how the calls of several processes interleave
    merged = heapq.merge(*(read_lines(journal, damaged) for journal in journals), key=_moment)
    while batch := list(itertools.islice(merged, BATCH)):
        yield from blocks_of(batch)


def read_lines(journal: BinaryIO, damaged: list[bytes] | None = None) -> Iterator[Line]:
    """Yield the log calls from a journal's position on one by one; stop before a last line without a newline."""
    for text in _chunks(journal):
        yield from parse_calls(text, Path(journal.name), damaged)


def _chunks(journal: BinaryIO) -> Iterator[bytes]:
    rest = b""
    # at least the length of the pending part, so that a very long line is not copied again and again
    while chunk := journal.read(max(CHUNK_BYTES, len(rest))):
        text = rest + chunk
        end = text.rfind(b"\n") + 1
        rest = text[end:]
        if len(rest) > regular.MAX_LINE_BYTES:
            raise regular.line_too_long(Path(journal.name))
        if end:
            yield text[:end]
    journal.seek(-len(rest), os.SEEK_CUR)


def journal_text(history: History) -> bytes:
    """Return points as journal lines of one point each."""
    return b"".join(
        Line(point["step"], point["timestamp"], {name: point["value"]}).encode()
        for name, points in history.items()
        for point in points
    )


def read_metrics_json(path: Path) -> History:
    """Return the points in a metrics.json, none without it; raise CorruptFileError for a damaged one."""
    try:
        history = with_composed_keys(atomic.read_object(path, METRICS_BYTES))
    except FileNotFoundError:
        return {}
    try:
        return _ordered({name: [_point(point) for point in points] for name, points in history.items()})
    except (TypeError, KeyError, AttributeError, ValueError):
        raise CorruptFileError(
            f"{path} must map metric names to lists of points with a number as 'value'; repair or remove the file"
        ) from None


def _ordered(history: History) -> History:
    for points in history.values():
        points.sort(key=lambda point: rank(point["step"]))
    return history


def _point(point: Point) -> Point:
    return {
        "step": stored_step(point.get("step")),
        "value": stored_number(point["value"]),
        "timestamp": _stored_stamp(point.get("timestamp")),
    }


def _stored_stamp(stamp: Any) -> str:
    return stamp if isinstance(stamp, str) else "" if stamp is None else str(stamp)


def _moment(line: Line) -> datetime:
    return moment_of(line.timestamp)
