"""A run as its files show it to another process: its values, who writes it, and a request that it stop."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tracking.files import atomic
from tracking.metrics.follow import Follower
from tracking.metrics.history import read_history
from tracking.paths import RunPaths
from tracking.process import identity
from tracking.records import RunStatus
from tracking.store import ending


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
