"""What a sweep would do: its jobs, and how long they may take going by runs that are known."""

import contextlib
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from sweeps.console import make_console
from sweeps.ledger import read_durations
from sweeps.table import Column, counted, duration, fitting_table, swept_columns
from tracking.files import encode

RECENT = 20  # sweeps that durations are taken from
SHOWN = 50  # jobs in the preview; a script asks for --json or reads plan.json


class Durations:
    """How long jobs took in earlier sweeps, by job key; the latest run of each counts."""

    def __init__(self, known: Mapping[str, float]) -> None:
        self._known = known
        self._typical = statistics.median(known.values()) if known else None

    @classmethod
    def of_store(cls, store: Path) -> "Durations":
        """Read them from the ledgers of the store's latest sweeps; one that cannot be read knows none."""
        known: dict[str, float] = {}
        ledgers = sorted((store / "sweeps").glob("*/jobs.jsonl"), key=_changed)
        for ledger in ledgers[-RECENT:]:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                known |= read_durations(ledger)
        return cls(known)

    def __len__(self) -> int:
        return len(self._known)

    @property
    def typical_s(self) -> float | None:
        """What jobs usually take; None when nothing is known."""
        return self._typical

    def known_s(self, key: str | None) -> float | None:
        """What a job of that key took; None when none is known."""
        return self._known.get(key or "")

    def expected_s(self, key: str | None) -> float | None:
        """What a job of that key took, else what jobs usually take; None when nothing is known."""
        return self._known.get(key or "", self._typical)

    def longest_first(self, jobs: Sequence[Mapping[str, Any]]) -> list[int]:
        """The numbers of the jobs, those known to take long first; equals, and jobs nobody knows, in their order."""
        if not any(job["key"] in self._known for job in jobs):
            return [job["job"] for job in jobs]
        return [job["job"] for job in sorted(jobs, key=lambda job: -(self.expected_s(job["key"]) or 0.0))]


def show_plan(
    console: Console,
    jobs: Sequence[Mapping[str, Any]],
    swept: Sequence[str],
    n_jobs: int,
    durations: Durations,
    notes: Sequence[str] = (),
) -> None:
    """Print the jobs, how many they are, and how long they may take."""
    shown = jobs[:SHOWN]
    columns = [
        Column("job", [str(job["job"]) for job in shown]),
        *swept_columns(swept, [job["point"] for job in shown]),
        Column("expected", [duration(durations.expected_s(job["key"])) for job in shown], drop=2),
    ]
    table, dropped = fitting_table(columns, console.width)
    console.print(table)
    if dropped:
        console.print(f"no room for: {', '.join(dropped)}", style="dim", soft_wrap=True)
    if len(jobs) > len(shown):
        console.print(f"... and {len(jobs) - len(shown)} more", style="dim")
    for note in notes:
        console.print(note, style="yellow", markup=False, soft_wrap=True)
    console.print(
        f"{counted(len(jobs), 'job')}, {min(n_jobs, len(jobs))} at once; {_estimate(jobs, n_jobs, durations)}"
    )
    console.print("dry_run: nothing was started", style="dim")


def tell_plan(
    write: Callable[[bytes], None] | None,
    jobs: Sequence[Mapping[str, Any]],
    swept: Sequence[str],
    n_jobs: int,
    store: Path,
    notes: Sequence[str] = (),
) -> None:
    """Print the jobs, or `write` them as one JSON line."""
    durations = Durations.of_store(store)
    if write is None:
        show_plan(make_console(), jobs, swept, n_jobs, durations, notes)
        return
    described = [{**job, "expected_s": durations.expected_s(job["key"])} for job in jobs]
    write(encode({"event": "plan", "jobs": described, "slots": n_jobs, "notes": list(notes)}) + b"\n")


def _estimate(jobs: Sequence[Mapping[str, Any]], n_jobs: int, durations: Durations) -> str:
    expected = [durations.expected_s(job["key"]) for job in jobs]
    known = [seconds for seconds in expected if seconds is not None]
    if not known:
        return "how long they take is not known yet: no sweep of this store has completed a job"
    total = max(sum(known) / n_jobs, max(known))
    return f"about {duration(total)}, going by {counted(len(durations), 'earlier job')}"


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
