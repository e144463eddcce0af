"""Durations of jobs in earlier sweeps of a store, by job key."""

import contextlib
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweeps.jobs import PlannedJob
from sweeps.state.ledger import replay

RECENT = 20  # sweeps that are read


class Durations:
    """Seconds that jobs took in earlier sweeps, by job key; the newest sweep counts."""

    def __init__(self, known: Mapping[str, float]) -> None:
        self._known = known
        self._typical = statistics.median(known.values()) if known else None

    @classmethod
    def of_store(cls, store: Path) -> "Durations":
        """Read the ledgers of the store's newest sweeps; a damaged one adds nothing."""
        known: dict[str, float] = {}
        ledgers = sorted((store / "sweeps").glob("*/jobs.jsonl"), key=_changed)
        for ledger in ledgers[-RECENT:]:
            # A forecast must not keep a sweep from starting.
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                known |= replay(ledger).durations
        return cls(known)

    def __len__(self) -> int:
        return len(self._known)

    @property
    def typical_s(self) -> float | None:
        """The median of all known durations; None when none is known."""
        return self._typical

    def known_s(self, key: str | None) -> float | None:
        """Return what a job with this key took; None when unknown."""
        return self._known.get(key or "")

    def expected_s(self, key: str | None) -> float | None:
        """Return what a job with this key took, else the typical duration; None when nothing is known."""
        return self._known.get(key or "", self._typical)

    def longest_first(self, jobs: Sequence[PlannedJob]) -> list[int]:
        """Return the numbers of the jobs, the longest expected one first, equals in their order."""
        if not any(job.key in self._known for job in jobs):
            return [job.number for job in jobs]
        return [job.number for job in sorted(jobs, key=lambda job: -(self.expected_s(job.key) or 0.0))]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
