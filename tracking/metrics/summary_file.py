"""summary.json: a view of the journals, which says how much of the owner's journal it has taken in.

`journal_bytes` is the part that its summaries cover, None once they cover everything. `metrics_bytes` is the size of a
metrics.json whose points are all in the journal. Both hold for the journal that begins, and goes on up to
`journal.bytes`, with the bytes of `journal.mark`: files of one run may be of different times, because a folder is
copied file by file. It can be deleted without changing any answer.
"""

import os
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from tracking.errors import CorruptFileError
from tracking.files import atomic
from tracking.paths import RunPaths
from tracking.records import MetricSummary
from tracking.values.names import with_composed_keys

FIELDS = tuple(MetricSummary.__dataclass_fields__)
MARK_BYTES = 256  # at the beginning and before the end of what a view covers

Stats = dict[str, MetricSummary]


class View(NamedTuple):
    """The content of a summary.json."""

    stats: Stats
    journal_bytes: int | None
    seen_bytes: int = 0
    mark: str = ""
    metrics_bytes: int | None = None

    @property
    def is_complete(self) -> bool:
        """Return whether it was written when the run had no journal any more, or by a finish."""
        return self.journal_bytes is None

    def is_of(self, journal: int) -> bool:
        """Return whether an open journal begins with what this view has taken in."""
        return (
            self.journal_bytes is not None
            and os.fstat(journal).st_size >= self.seen_bytes
            and bool(self.mark)
            and mark_of(journal, self.seen_bytes) == self.mark
        )

    def has_metrics_of(self, paths: RunPaths) -> bool:
        """Return whether metrics.json is the one that this view knows."""
        return self.metrics_bytes is not None and self.metrics_bytes == size_of(paths.metrics)


def mark_of(journal: int, size: int) -> str:
    """Return what tells the first `size` bytes of a journal from those of another."""
    part = min(size, MARK_BYTES)
    return f"{zlib.crc32(os.pread(journal, part, 0) + os.pread(journal, part, size - part)):08x}"


def size_of(path: Path) -> int | None:
    """Return the size of a file; None without it."""
    try:
        return path.lstat().st_size
    except OSError:
        return None


def read_view(path: Path) -> View | None:
    """Return what a summary.json holds; None for a file that is missing or damaged, as it is only a view."""
    try:
        view = atomic.read_object(path)
        metrics = with_composed_keys(view["metrics"])
        stats = {name: _from_view(fields) for name, fields in metrics.items()}
        journal = view.get("journal") or {}
        return View(
            stats,
            None if view["journal_bytes"] is None else int(view["journal_bytes"]),
            int(journal.get("bytes", 0)),
            str(journal.get("mark", "")),
            view.get("metrics_bytes"),
        )
    except (FileNotFoundError, CorruptFileError, KeyError, AttributeError, TypeError, ValueError):
        return None


def write_view(path: Path, view: View, *, durable: bool = False) -> None:
    """Write summary.json."""
    text: dict[str, Any] = {"format": 1, "journal_bytes": view.journal_bytes}
    if view.journal_bytes is not None:
        text["journal"] = {"bytes": view.seen_bytes, "mark": view.mark}
    text["metrics_bytes"] = view.metrics_bytes
    text["metrics"] = {name: vars(summary) for name, summary in view.stats.items()}
    atomic.write_json(path, text, durable=durable)


def fullest(stats: Stats, view: View | None) -> Stats:
    """Return the summaries, those of a view where that counted more points than there are."""
    if view is None:
        return stats
    more = {
        name: each for name, each in view.stats.items() if name not in stats or each.count > stats[name].count
    }
    return {**stats, **more} if more else stats


def _from_view(fields: dict[str, Any]) -> MetricSummary:
    last, *others = (fields[key] for key in FIELDS)
    if type(fields["count"]) is not int:
        raise TypeError("a count is a whole number")
    # JSON has no number for a NaN or an infinity
    return MetricSummary(float(last) if isinstance(last, str) else last, *others)
