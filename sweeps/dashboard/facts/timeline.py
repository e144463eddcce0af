"""When each attempt at a job ran and in which slot, from the ledger of its sweep; the time between sessions is left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sweeps.jobs import EventKind, JobStatus
from tracking.files import read_lines

RUNNING = "running"
CUT_OFF = "interrupted"  # the status of an attempt that was open when its session ended


@dataclass
class Span:
    """An attempt at a job: from when to when, in seconds of the sweep's own time."""

    job: int
    slot: int | None
    from_s: float
    to_s: float
    status: str = RUNNING
    row: int = 0


@dataclass
class Timeline:
    """The attempts of a sweep and its sessions.

    `rows` is the number of rows in which no two attempts overlap: a slot that ran several jobs in one process has as many rows.
    """

    slots: int = 0
    sessions: list[tuple[float, float]] = field(default_factory=list)
    began: list[str] = field(default_factory=list)  # when each session began, as the ledger writes times
    spans: list[Span] = field(default_factory=list)
    rows: int = 0
    ended_at: str | None = None  # the last event
    pids: dict[int, int] = field(default_factory=dict)  # the process of the last attempt at each job

    def seconds(self, at: str | None) -> float | None:
        """Return the seconds of the sweep's own time at a moment; None for one that is no time or before the first session."""
        moment = _moment(at)
        found = None
        for (from_s, to_s), began in zip(self.sessions, self.began, strict=True):
            start = _moment(began)
            if moment is not None and start is not None and moment >= start:
                found = min(to_s, from_s + (moment - start).total_seconds())
        return found

    def as_plain(self) -> dict[str, Any]:
        """Return it as plain data, a column per property of the attempts."""
        names = ("slot", "row", "job", "from_s", "to_s", "status")
        columns = {name: [getattr(span, name) for span in self.spans] for name in names}
        for name in ("from_s", "to_s"):
            columns[name] = [round(seconds, 3) for seconds in columns[name]]
        sessions = [[round(from_s, 3), round(to_s, 3)] for from_s, to_s in self.sessions]
        return {
            "slots": self.slots,
            "rows": self.rows,
            "sessions": sessions,
            "began": self.began,
            **columns,
        }


def timeline(ledger: Path, *, now: datetime | None) -> Timeline:
    """Return the timeline of a sweep; `now` is the time if it still runs, else None. A damaged event is left out."""
    reading = _Reading()
    for entry in read_lines(ledger):
        try:
            reading.apply(entry)
        except (AttributeError, KeyError, TypeError, ValueError):
            continue  # `replay` tells of it
    reading.end_session(now)
    known = reading.known
    _arrange(known)
    return known


class _Reading:
    """The events of a ledger so far."""

    def __init__(self) -> None:
        self.known = Timeline()
        self._origin: datetime | None = None  # the moment that is 0 s of the session's own clock
        self._before_s = 0.0
        self._last_s = 0.0
        self._open: dict[int, Span] = {}

    def apply(self, entry: Mapping[str, Any]) -> None:
        event, at = entry["event"], datetime.fromisoformat(entry["at"])
        if event == EventKind.BEGAN:
            self.end_session(None)
            self.known.slots = int(entry["slots"])
            self.known.began.append(str(entry["at"]))
            self._origin = at
        if self._origin is None:
            return
        self.known.ended_at = str(entry["at"])
        second = self._before_s + max(0.0, (at - self._origin).total_seconds())
        self._last_s = max(self._last_s, second)
        match event:
            case EventKind.STARTED:
                job, slot = int(entry["job"]), entry.get("slot")
                self._end(job, second, CUT_OFF)
                span = Span(job, slot if isinstance(slot, int) else None, second, second)
                self._open[job] = span
                if isinstance(entry.get("pid"), int):
                    self.known.pids[job] = entry["pid"]
                self.known.spans.append(span)
            case EventKind.RETRY | EventKind.FINISHED:
                self._end(int(entry["job"]), second, str(JobStatus(entry["status"])))

    def end_session(self, now: datetime | None) -> None:
        """End the session; its open attempts go on to `now`, or were cut off at its last event."""
        if self._origin is None:
            return
        if now is not None:
            self._last_s = max(self._last_s, self._before_s + (now - self._origin).total_seconds())
        for job in [*self._open]:
            self._end(job, self._last_s, CUT_OFF if now is None else RUNNING)
        self.known.sessions.append((self._before_s, self._last_s))
        self._before_s, self._origin = self._last_s, None

    def _end(self, job: int, second: float, status: str) -> None:
        span = self._open.pop(job, None)
        if span is not None:
            span.to_s, span.status = second, status


def _arrange(known: Timeline) -> None:
    """Give each attempt the first row of its slot that is free when it starts, so that none covers another."""
    ends: dict[int | None, list[float]] = {}
    places: dict[int, tuple[int | None, int]] = {}
    for index, span in sorted(enumerate(known.spans), key=lambda pair: pair[1].from_s):
        free = ends.setdefault(span.slot, [])
        row = next((row for row, until in enumerate(free) if until <= span.from_s + 1e-3), len(free))
        free[row:] = [span.to_s, *free[row + 1 :]]
        places[index] = (span.slot, row)
    first, total = {}, 0
    for slot in sorted(ends, key=lambda slot: (slot is None, slot or 0)):
        first[slot], total = total, total + len(ends[slot])
    for index, (slot, row) in places.items():
        known.spans[index].row = first[slot] + row
    known.rows = total


def _moment(at: str | None) -> datetime | None:
    try:
        return None if at is None else datetime.fromisoformat(at)
    except (TypeError, ValueError):
        return None
