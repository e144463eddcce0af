"""Durations of jobs in earlier sweeps of a store, by job key."""

import contextlib
import statistics
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


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
