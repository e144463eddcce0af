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
MOMENT_S = 1.5e-3  # a ledger has milliseconds
LATE_S = 0.05  # by which an end may be recorded after the next attempt in its slot has begun
LATE_SHARE = 0.25  # of an attempt that may be so; jobs that share a process overlap for longer


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


def timeline(ledger: Path, *, now: datetime | None, signs: Mapping[int, datetime] | None = None) -> Timeline:
    """Return the timeline of a sweep; `now` is the time if it still runs, else None. A damaged event is left out.

    `signs` are when jobs without a recorded end were last heard of: such an attempt goes on until then.
    """
    reading = _Reading()
    for entry in read_lines(ledger):
        try:
            reading.apply(entry)
        except (AttributeError, KeyError, TypeError, ValueError):
            continue  # `replay` tells of it
    reading.end_session(now, signs or {})
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
            self.end_session(None, until=entry.get("lived_until"))
            self.known.slots = int(entry["slots"])
            self.known.began.append(str(entry["at"]))
            self._origin = at
        if self._origin is None:
            return
        self.known.ended_at = str(entry["at"])
        second = self._second(at)
        self._last_s = max(self._last_s, second)
        match event:
            case EventKind.STARTED:
                job, slot = int(entry["job"]), entry.get("slot")
                if isinstance(entry.get("places"), int):  # of nodes that come and go
                    self.known.slots = entry["places"]
                self._end(job, second, CUT_OFF)
                span = Span(job, slot if isinstance(slot, int) else None, second, second)
                self._open[job] = span
                if isinstance(entry.get("pid"), int):
                    self.known.pids[job] = entry["pid"]
                self.known.spans.append(span)
            case EventKind.RETRY | EventKind.FINISHED:
                self._end(int(entry["job"]), second, str(JobStatus(entry["status"])))

    def end_session(
        self, now: datetime | None, signs: Mapping[int, datetime] | None = None, *, until: str | None = None
    ) -> None:
        """End the session; its open attempts go on to `now`, or were cut off at its last event or their last sign of life.

        `until` is the last sign of life of any of them, as the next session has recorded it.
        """
        if self._origin is None:
            return
        end_s = self._last_s
        for job in [*self._open]:
            at = now or (signs or {}).get(job) or _moment(until)
            heard_s = self._last_s if at is None else self._second(at)
            self._end(job, max(self._last_s, heard_s), CUT_OFF if now is None else RUNNING)
            if now is None and at is not None and heard_s > end_s:
                self.known.ended_at = at.isoformat(timespec="milliseconds")
            end_s = max(end_s, heard_s)
        self._last_s = end_s if now is None else max(end_s, self._second(now))
        self.known.sessions.append((self._before_s, self._last_s))
        self._before_s, self._origin = self._last_s, None

    def _second(self, at: datetime) -> float:
        """Return a moment in seconds of the sweep's own time."""
        origin = self._origin or at
        return self._before_s + max(0.0, (at - origin).total_seconds())

    def _end(self, job: int, second: float, status: str) -> None:
        span = self._open.pop(job, None)
        if span is not None:
            span.to_s, span.status = second, status


def _arrange(known: Timeline) -> None:
    """Give each attempt the first row of its slot that is free when it starts, so that none covers another.

    An end that was recorded a little late is moved to where the next attempt in its row begins.
    """
    last: dict[int | None, list[Span]] = {}  # the last attempt of each row, by slot
    places: dict[int, tuple[int | None, int]] = {}
    for index, span in sorted(enumerate(known.spans), key=lambda pair: pair[1].from_s):
        rows = last.setdefault(span.slot, [])
        row = next((row for row, before in enumerate(rows) if _is_over(before, span.from_s)), len(rows))
        for before in rows[row : row + 1]:
            before.to_s = max(before.from_s, min(before.to_s, span.from_s))
        rows[row : row + 1] = [span]
        places[index] = (span.slot, row)
    first, total = {}, 0
    for slot in sorted(last, key=lambda slot: (slot is None, slot or 0)):
        first[slot], total = total, total + len(last[slot])
    for index, (slot, row) in places.items():
        known.spans[index].row = first[slot] + row
    known.rows = total


def _is_over(before: Span, second: float) -> bool:
    """Return whether an attempt has ended by a second, for all that a reader can see."""
    late_s = before.to_s - second
    return late_s < MOMENT_S or late_s < min(LATE_S, LATE_SHARE * (before.to_s - before.from_s))


def _moment(at: str | None) -> datetime | None:
    try:
        return None if at is None else datetime.fromisoformat(at)
    except (TypeError, ValueError):
        return None
