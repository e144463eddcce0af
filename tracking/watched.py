"""A run as its files show it to another process: its values, who writes it, and a request that it stop."""

import os
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tracking.files import atomic, regular
from tracking.metrics.follow import Follower
from tracking.metrics.history import read_history
from tracking.metrics.journal_files import list_journals
from tracking.paths import RunPaths
from tracking.process import identity
from tracking.records import RunStatus
from tracking.store import ending
from tracking.values import jsontext, timestamps

TAIL_BYTES = 64 << 10  # of a file, in which the last whole line is looked for


class WatchedRun:
    """A run of another process; close it after use. Each method raises OSError or TrackingError for unreadable files."""

    def __init__(self, run_dir: Path, metrics: Sequence[str]) -> None:
        self._paths = RunPaths(run_dir)
        self._follower = Follower(self._paths)
        self._metrics = tuple(metrics)
        self._counts: Counter[str] = Counter()

    def level(self) -> int:
        """Return how many values of each of the metrics were logged; reads what is new since the last call.

        Of a run that has ended before the first call it is 0.
        """
        for line in self._follower.read():
            self._counts.update(name for name in self._metrics if name in line.metrics)
        return min((self._counts[name] for name in self._metrics), default=0)

    def prune(self) -> None:
        """Ask the run to stop early; it ends as pruned if it hears of that."""
        ending.ask(self._paths)

    def process(self) -> int | None:
        """Return the number of the process that ends the run, if it lives and this process can see it."""
        process, here = identity.opener(atomic.read_object(self._paths.run)), identity.owner()
        is_seen = all(
            process.get(key) == here[key] for key in ("host", "machine", "boot_id", "pid_namespace")
        )
        is_alive = is_seen and identity.life(process) is identity.Life.ALIVE
        return int(process["pid"]) if is_alive else None

    def is_pruned(self) -> bool:
        """Return whether the run has ended as pruned."""
        return atomic.read_object(self._paths.run).get("status") == RunStatus.PRUNED

    def close(self) -> None:
        """Close the files."""
        self._follower.close()


def is_to_be_pruned(run_dir: Path) -> bool:
    """Return whether a run was asked by its sweep to stop early; also after it has."""
    return ending.is_asked(RunPaths(run_dir))


def logged_values(run_dir: Path, metrics: Sequence[str]) -> dict[str, list[tuple[Any, float]]]:
    """Return the steps and values of each of the metrics that a run has logged so far; reads its whole history.

    Of a run that is gone there are none. Raise TrackingError for a run that cannot be read.
    """
    history = read_history(RunPaths(run_dir))
    return {
        name: [(point["step"], float(point["value"])) for point in history.get(name, [])] for name in metrics
    }


def last_sign(run_dir: Path) -> datetime | None:
    """Return when a run ended or, while it has no end, the time of the last line of its journals and of its samples of use.

    None for a run that has neither. Reads the ends of the files. Raise TrackingError for a run that cannot be read.
    """
    paths = RunPaths(run_dir)
    try:
        entry = atomic.read_object(paths.run)
    except FileNotFoundError:
        return None
    if entry.get("finished_at"):
        return _moment(entry["finished_at"])
    files = [paths.usage, *(paths.folder / name for name in list_journals(paths))]
    return max(filter(None, map(_last_moment, files)), default=None)


def _last_moment(path: Path) -> datetime | None:
    try:
        with regular.open_file(path) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return None
    for line in reversed(lines):  # the last one may be torn
        try:
            found = jsontext.decode(line)
        except ValueError:
            continue
        if isinstance(found, dict) and (moment := _moment(found.get("timestamp"))) is not None:
            return moment
    return None


def _moment(text: Any) -> datetime | None:
    try:
        return timestamps.parse(text)
    except (TypeError, ValueError):
        return None


def settle(run_dir: Path) -> None:
    """Have the system write what a run has logged so far to its disk, also what its process still has open.

    A network file system may show it to other machines only then. Raise OSError or TrackingError for unreadable files.
    """
    paths = RunPaths(run_dir)
    for name in list_journals(paths):
        atomic.sync(paths.folder / name)
