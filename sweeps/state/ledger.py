"""``jobs.jsonl``: what happened to each job of a sweep, appended by the sweep's parent alone."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweeps.jobs import Event, JobStatus, Outcome, Reason
from tracking import ExperimentTracker, RunRecord, TrackingError
from tracking.files import append_line, read_lines

LEDGER_VERSION = 1


class Ledger:
    """Appends events as they happen; each is on disk when the call returns. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def note(self, event: Event) -> None:
        """Append a ``started``, ``run`` or ``retry`` event."""
        known = {key: value for key, value in event.data.items() if value is not None}
        self._append({"event": event.kind, **known, "job": event.job})

    def mark(self, what: str, **data: Any) -> None:
        """Append something that is about the sweep and none of its jobs."""
        self._append({"event": what, **data})

    def finish(self, outcome: Outcome) -> None:
        """Append how a job ended, with its full traceback if it has one."""
        details = {key: value for key, value in asdict(outcome).items() if value is not None}
        if not outcome.reused:
            del details["reused"]
        self._append({"event": "finished", **details})

    def _append(self, entry: dict[str, Any]) -> None:
        stamped = {
            "version": LEDGER_VERSION,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **entry,
        }
        with self._lock:
            append_line(self.path, stamped)


def read_outcomes(path: Path) -> dict[int, Outcome]:
    """Return the last outcome of each finished job in a ledger; a torn last line is skipped."""
    return {outcome.job: outcome for outcome in _outcomes(path)}


def read_runs(path: Path) -> dict[int, str]:
    """Return the last run that each job in a ledger opened, also of jobs that never reported their end."""
    entries = read_lines(path) if path.exists() else iter(())
    return {entry["job"]: entry["run"] for entry in entries if entry.get("event") == "run"}


@dataclass(frozen=True)
class Past:
    """What a ledger says about one job: its last outcome, the attempts at it, and all runs these opened.

    `is_open` when an attempt began whose end nobody wrote down; `open_run` is that one's last run.
    """

    outcome: Outcome | None = None
    attempts: int = 0
    runs: tuple[str, ...] = ()
    is_open: bool = False
    open_run: str | None = None


def read_past(path: Path) -> dict[int, Past]:
    """Return what happened to each job that a ledger names; a torn last line is skipped."""
    past: dict[int, Past] = {}
    for entry in read_lines(path):
        kind, number = entry.get("event"), entry.get("job")
        known = past.get(number, Past())
        if kind == "started":
            attempts = max(known.attempts, entry.get("attempt", 1))
            past[number] = replace(known, attempts=attempts, is_open=True, open_run=None)
        elif kind == "run":
            past[number] = replace(known, runs=_with(known.runs, entry["run"]), open_run=entry["run"])
        elif kind == "retry":
            past[number] = replace(known, open_run=None)
        elif kind == "finished":
            outcome = _outcome(entry)
            runs = _with(known.runs, *outcome.runs)
            past[number] = replace(known, outcome=outcome, runs=runs, is_open=False, open_run=None)
    return past


def _with(runs: tuple[str, ...], *more: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*runs, *more)))


def read_durations(path: Path) -> dict[str, float]:
    """Return what the completed jobs in a ledger took, in seconds, by job key."""
    keys: dict[int, str] = {}
    took: dict[str, float] = {}
    for entry in read_lines(path):
        if entry.get("event") == "started" and entry.get("key"):
            keys[entry["job"]] = entry["key"]
        elif entry.get("event") == "finished" and entry["status"] == "completed" and entry["job"] in keys:
            took[keys[entry["job"]]] = float(entry["wall_s"])
    return took


def _outcomes(path: Path) -> Iterator[Outcome]:
    if not path.exists():
        return
    for entry in read_lines(path):
        if entry.get("event") == "finished":
            yield _outcome(entry)


def _outcome(entry: Mapping[str, Any]) -> Outcome:
    return Outcome(
        job=entry["job"],
        status=JobStatus(entry["status"]),
        wall_s=entry["wall_s"],
        value=_value(entry.get("value")),
        error=entry.get("error"),
        traceback=entry.get("traceback"),
        runs=tuple(entry["runs"]),
        reason=None if entry.get("reason") is None else Reason(entry["reason"]),
        attempt=entry.get("attempt", 1),
        reused=entry.get("reused", False),
    )


def _value(raw: Any) -> float | dict[str, float] | None:
    """Read a returned value back; non-finite numbers are strings in JSON, which float() understands."""
    if isinstance(raw, dict):
        return {name: float(number) for name, number in raw.items()}
    return None if raw is None else float(raw)


def judge_by_run(tracker: ExperimentTracker, job: int, run: str) -> Outcome | None:
    """Judge, by its run alone, a job whose end nobody wrote down as the sweep's parent was gone; None if it goes on."""
    record, _ = read_record(tracker, run)
    if record is None or record.finished_at is None:
        return None
    wall_s = (record.finished_at - record.created_at).total_seconds()
    return Outcome(job, JobStatus(str(record.status)), wall_s, error=record.error, runs=(run,))


def last_record(tracker: ExperimentTracker, outcome: Outcome) -> tuple[RunRecord | None, str | None]:
    """Return the record of the last run that a job opened (None if it opened none), or why it cannot be read."""
    return read_record(tracker, outcome.runs[-1]) if outcome.runs else (None, None)


def read_record(tracker: ExperimentTracker, run: str) -> tuple[RunRecord | None, str | None]:
    """Return a run's record, or why it cannot be read: the fault of one run is no fault of its sweep."""
    try:
        return tracker.record(run), None
    except TrackingError as error:
        return None, str(error)


def under_way(ledger: Path) -> set[int]:
    """The jobs that a ledger saw start and not end."""
    jobs: set[int] = set()
    for entry in _entries(ledger):
        if entry.get("event") == "started":
            jobs.add(entry["job"])
        elif entry.get("event") == "finished":
            jobs.discard(entry["job"])
    return jobs


def _entries(ledger: Path) -> list[Mapping[str, Any]]:
    return list(read_lines(ledger)) if ledger.exists() else []
