"""Durations of jobs in earlier sweeps of a store, by job key, and what they tell of the time that a sweep has left."""

import contextlib
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sweeps.jobs import PlannedJob
from sweeps.state.ledger import replay

RECENT = 20  # sweeps that are read


@dataclass(frozen=True)
class Durations:
    """Seconds that jobs took in earlier sweeps, by job key; the newest sweep counts."""

    known_s: dict[str | None, float]

    @classmethod
    def of_store(cls, store: Path) -> "Durations":
        """Read the ledgers of the store's newest sweeps; a damaged one adds nothing."""
        known: dict[str | None, float] = {}
        ledgers = sorted((store / "sweeps").glob("*/jobs.jsonl"), key=_changed)
        for ledger in ledgers[-RECENT:]:
            # A forecast must not keep a sweep from starting.
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                known |= replay(ledger).durations
        return cls(known)

    @cached_property
    def typical_s(self) -> float | None:
        """The median of all known durations; None when none is known."""
        return statistics.median(self.known_s.values()) if self.known_s else None

    def expected_s(self, key: str | None) -> float | None:
        """Return what a job with this key took, else the typical duration; None when nothing is known."""
        return self.known_s.get(key, self.typical_s)

    def longest_first(self, jobs: Sequence[PlannedJob]) -> list[int]:
        """Return the numbers of the jobs, the longest expected one first, equals in their order."""
        return [job.number for job in sorted(jobs, key=lambda job: -(self.expected_s(job.key) or 0.0))]


@dataclass(frozen=True)
class ToRun:
    """A job that has not ended: how long one like it took before, how long it has run, and in which process."""

    expected_s: float | None
    so_far_s: float = 0.0
    is_running: bool = False
    pid: int | None = None  # None of an executor that names no processes


def left_s(
    jobs: Sequence[ToRun], took_s: Sequence[float], *, slots: int, typical_s: float | None
) -> float | None:
    """Return an estimate of the time until `jobs` have ended in so many slots; None if too little is known of one.

    `took_s` are the times of completed jobs of the same sweep; while there are none, `typical_s` stands for them. Jobs that
    share a process take their turns in it, so each has its share of the time.
    """
    sharing = Counter(job.pid for job in jobs if job.is_running)
    sharing[None] = 0
    in_process: dict[int | None, float] = {}
    usual = statistics.median(took_s) if took_s else typical_s
    work, longest = 0.0, 0.0
    for job in jobs:
        expected = usual if job.expected_s is None else job.expected_s
        if expected is None:
            return None
        rest = max(0.0, expected - job.so_far_s / max(1, sharing[job.pid]))
        if job.is_running and sharing[job.pid] > 1:
            in_process[job.pid] = in_process.get(job.pid, 0.0) + rest
        work, longest = work + rest, max(longest, rest, in_process.get(job.pid, 0.0))
    return max(work / slots, longest)  # no job, and no process of several, is split over slots


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
