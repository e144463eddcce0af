"""``jobs.jsonl``, the ledger of a sweep: the process that runs the sweep appends events, and `replay` reads them back.

Each line is one event, with the time it was written. A sweep that was resumed has several sessions in one ledger.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweeps.jobs import Event, EventKind, JobStatus, Outcome, PlannedJob, Reason
from sweeps.paths import job_folder
from sweeps.plan.plan import Plan
from sweeps.state.job_runs import JobRuns
from sweeps.state.reached import Reached, reached_in
from sweeps.state.signs_of_life import signs_of_life
from tracking import RunStatus
from tracking.files import append_lines, read_lines
from tracking.process.announcements import announced

LEDGER_VERSION = 1

log = logging.getLogger(__name__)


class Ledger:
    """Appends events as they happen; each is on disk when the call returns. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def ask(self, jobs: Iterable[PlannedJob], **decided: Any) -> None:
        """Append an ``asked`` event for each job, all in one write that survives a power loss.

        `decided` is what a search says of the job beside its point.
        """
        self._append(*({"event": EventKind.ASKED, **job.to_json(), **decided} for job in jobs), durable=True)

    def note(self, event: Event) -> None:
        """Append a ``started``, ``run`` or ``retry`` event."""
        known = {key: value for key, value in event.data.items() if value is not None}
        self._append({"event": event.kind, **known, "job": event.job})

    def mark(self, kind: EventKind, **data: Any) -> None:
        """Append an event of the whole sweep: ``began`` or ``ended``, or one of its search."""
        self._append({"event": kind, **data})

    def finish(self, outcome: Outcome, told: Mapping[str, Any] | None = None) -> None:
        """Append how a job ended, with its full traceback if it has one, and what a search was `told` of it."""
        details = {key: value for key, value in asdict(outcome).items() if value is not None}
        for rare in ("reused", "cut_off"):
            if not details[rare]:
                del details[rare]
        heard = {} if told is None else {"told": told}
        self._append({"event": EventKind.FINISHED, **details, **heard})

    def _append(self, *entries: dict[str, Any], durable: bool = False) -> None:
        stamp = {"version": LEDGER_VERSION, "at": datetime.now(UTC).isoformat(timespec="milliseconds")}
        with self._lock:
            append_lines(self.path, [{**stamp, **entry} for entry in entries], durable=durable)


@dataclass
class JobHistory:
    """The state of one job after its events so far.

    `outcome` is its last one. `runs` are all runs that its attempts opened, in order. `is_open` while an attempt has
    started and no end is recorded; `open_run` is that attempt's last run. `planned` is None when the event that
    says so is lost. `child_runs` are those that processes of the open attempt opened; no event tells of them. `is_told`
    if the search of the sweep heard of `outcome`, `is_paused` if its last judgement ended it. `runs_again` while it waits for
    an attempt in the last session, whatever came of it in the sessions before.
    """

    planned: PlannedJob | None = None
    key: str | None = None
    outcome: Outcome | None = None
    attempts: int = 0
    runs: tuple[str, ...] = ()
    last_run: str | None = None
    is_open: bool = False
    open_run: str | None = None
    child_runs: tuple[str, ...] = ()
    is_told: bool = False
    is_paused: bool = False
    runs_again: bool = False

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Take the next event of the job into account."""
        self.runs_again = self.runs_again and entry.get("event") == EventKind.ASKED
        match entry.get("event"):
            case EventKind.ASKED:
                self.planned = PlannedJob.from_json(entry)
            case EventKind.RESUMED:
                self.is_open, self.open_run, self.is_paused = True, None, False
            case EventKind.STARTED:
                self.attempts = max(self.attempts, entry.get("attempt", 1))
                self.key = entry.get("key") or self.key
                self.is_open, self.open_run = True, None
            case EventKind.RUN:
                self.last_run = self.open_run = entry["run"]
                self._add(entry["run"])
            case EventKind.RETRY:
                self.open_run = None
                self._add(*entry.get("runs", ()))
            case EventKind.FINISHED:
                self.outcome, self.is_told = _outcome(entry), "told" in entry
                self.is_open, self.open_run = False, None
                self._add(*self.outcome.runs)

    def hear(self, runs: JobRuns, folder: Path) -> None:
        """Take into account the runs that the open attempt has announced in the folder of the job.

        A job without an end may have opened one just before the sweep was killed, which then recorded no start.
        """
        is_to_start = self.open_run is None if self.is_open else self.outcome is None
        if is_to_start and announced(folder, self.attempts + 1):
            self.is_open, self.attempts = True, self.attempts + 1
        told = announced(folder, self.attempts) if self.is_open else []
        self._add(*(runs.name(each.folder) for each in told))
        self.child_runs = tuple(runs.name(each.folder) for each in told if each.by_child)

    def _add(self, *runs: str) -> None:
        self.runs = tuple(dict.fromkeys((*self.runs, *runs)))  # an outcome repeats the runs of its attempts


@dataclass(frozen=True)
class Usage:
    """How well a sweep used its slots.

    `slots` of its last session, `wall_s` of all sessions, `busy_s` and `available_s` in seconds of one slot. A slot
    is busy from when a process is asked for a job until that process is gone. On an engine, whose nodes come and go, a
    slot is available from when a job starts while it is there; `slots` is the most that there were at once.
    """

    slots: int
    wall_s: float
    busy_s: float
    available_s: float
    utilisation: float  # busy over available, 0 to 1


class Session:
    """One process that ran a sweep, from its ``began`` event to its last event."""

    def __init__(self, slots: int, began: datetime) -> None:
        self.slots = slots
        self.names_slots = True  # only our own launcher does
        self._began = self._last = began
        self._before_s = 0.0  # slot seconds that nodes offered before they were last counted
        self._nodes: tuple[int, datetime] | None = None  # the places of the nodes, and since when
        self._ended_s = 0.0
        self._running: dict[int, datetime] = {}

    def apply(self, entry: Mapping[str, Any], at: datetime) -> None:
        """Take the next event of the session into account."""
        self._last = at
        match entry.get("event"):
            case EventKind.STARTED:
                self.names_slots = self.names_slots and "slot" in entry
                self._running[entry["job"]] = at
                if "places" in entry:
                    self._count(int(entry["places"]), at)
            case EventKind.RETRY | EventKind.FINISHED if entry["job"] in self._running:
                # A job that did not start in this session was found finished or reused, and held no slot.
                del self._running[entry["job"]]
                self._ended_s += float(entry["wall_s"] if entry.get("share_s") is None else entry["share_s"])

    def live_until(self, at: datetime) -> None:
        """Let it end at a moment that is later than its last event."""
        self._last = max(self._last, at)

    @property
    def wall_s(self) -> float:
        """Its length in seconds."""
        return (self._last - self._began).total_seconds()

    @property
    def available_s(self) -> float:
        """Slot seconds that it had for its jobs."""
        if self._nodes is None:
            return self.slots * self.wall_s
        places, since = self._nodes
        return self._before_s + places * (self._last - since).total_seconds()

    @property
    def busy_s(self) -> float:
        """Slot seconds of its jobs; a job without a recorded end counts to the last event."""
        return self._ended_s + sum((self._last - since).total_seconds() for since in self._running.values())

    def _count(self, places: int, at: datetime) -> None:
        """Note how many places the nodes of an engine have: what the session began with is a guess."""
        if self._nodes is None:
            self.slots = 0
        else:
            before, since = self._nodes
            self._before_s += before * (at - since).total_seconds()
        self._nodes = places, at
        self.slots = max(self.slots, places)


@dataclass
class SweepHistory:
    """What the ledger of a sweep tells: its jobs by number, its sessions in order, and how far jobs came, in order.

    `is_over` if the last session ended because its search had nothing left to decide; `ending` says why. `has_ended` if it
    recorded its end, as one that is killed does not. `signs` are when jobs without a recorded end were last heard of.
    """

    jobs: dict[int, JobHistory] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)
    reached: list[Reached] = field(default_factory=list)
    is_over: bool = False
    ending: str = ""
    has_ended: bool = False
    signs: dict[int, datetime] = field(default_factory=dict)

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Take the next event of the ledger into account; raise, and change nothing of a session, if it is damaged."""
        begins, number = entry["event"] == EventKind.BEGAN, entry.get("job")
        reached = tuple(reached_in(entry))
        at = datetime.fromisoformat(entry["at"]) if begins or self.sessions else None
        if number is not None:
            self.jobs.setdefault(int(number), JobHistory()).apply(entry)
        if entry["event"] == EventKind.RUNG:
            for arrival in entry["arrivals"]:
                job = self.jobs.setdefault(int(arrival["job"]), JobHistory())
                job.is_paused = str(arrival["job"]) not in entry["go_on"]
        if begins or entry["event"] == EventKind.ENDED:
            self.is_over, self.ending = entry.get("over") is True, str(entry.get("why", ""))
            self.has_ended = not begins
        if begins and self.sessions and entry.get("lived_until"):
            self.sessions[-1].live_until(datetime.fromisoformat(entry["lived_until"]))
        if begins and at is not None:
            self.sessions.append(Session(int(entry["slots"]), at))
            again = {int(each) for each in entry.get("again", ())}
            for each, job in self.jobs.items():
                job.runs_again = each in again
        elif at is not None:
            self.sessions[-1].apply(entry, at)
        self.reached += reached

    @property
    def planned(self) -> list[PlannedJob]:
        """The jobs in the order of their numbers; one whose ``asked`` event is lost has a number alone."""
        return [job.planned or PlannedJob(number) for number, job in sorted(self.jobs.items())]

    @property
    def outcomes(self) -> dict[int, Outcome]:
        """The last outcome of each job that has finished."""
        return {number: job.outcome for number, job in self.jobs.items() if job.outcome is not None}

    @property
    def stopped_at(self) -> dict[int, Reached]:
        """The last judgement of each job that it told to end: what such a job came to, whatever it logged until it ended."""
        last = {each.job: each for each in self.reached if not each.is_end}
        return {job: each for job, each in last.items() if not each.goes_on}

    @property
    def durations(self) -> dict[str | None, float]:
        """The seconds that completed jobs took, by job key; of jobs that shared a process, their shares of its time."""
        return {
            job.key: float(job.outcome.cost_s)
            for job in self.jobs.values()
            if job.key
            and job.outcome
            and job.outcome.status is JobStatus.COMPLETED
            and not job.outcome.reused
        }

    @property
    def usage(self) -> Usage | None:
        """How well the sweep used its slots so far; None when the ledger does not name them."""
        available_s = sum(session.available_s for session in self.sessions)
        if not available_s or not all(session.names_slots for session in self.sessions):
            return None
        busy_s = sum(session.busy_s for session in self.sessions)
        return Usage(
            slots=self.sessions[-1].slots,
            wall_s=round(sum(session.wall_s for session in self.sessions), 3),
            busy_s=round(busy_s, 3),
            available_s=round(available_s, 3),
            utilisation=round(min(1.0, busy_s / available_s), 4),
        )


def read_sweep(folder: Path) -> tuple[Plan, SweepHistory]:
    """Return the frozen plan of the sweep in `folder` and the history of its jobs; raise what `Plan.read` raises.

    The history knows the runs that open jobs have announced. Every job that the plan counts is in the history, with its number alone if the ledger has lost it.
    """
    plan = Plan.read(folder / "plan.json")
    history = replay(folder / "jobs.jsonl", plan.jobs)
    for number in range(plan.total or 0):
        history.jobs.setdefault(number, JobHistory())
    runs = JobRuns(folder.parent.parent, plan.sweep)
    for number, job in history.jobs.items():
        job.hear(runs, job_folder(folder, number))
    history.signs = signs_of_life(history, runs)
    if history.sessions and history.signs:
        history.sessions[-1].live_until(max(history.signs.values()))
    return plan, history


def replay(path: Path, planned: Iterable[PlannedJob] = ()) -> SweepHistory:
    """Read a ledger once, from its first event to its last; a missing one is empty, a torn last line is skipped.

    `planned` are the jobs that the plan names itself, as plans of version 1 do.
    """
    history = SweepHistory({job.number: JobHistory(job) for job in planned})
    for entry in read_lines(path):
        try:
            history.apply(entry)
        except (AttributeError, KeyError, TypeError, ValueError):
            log.warning("left out: %s: a damaged event: %.80r", path, entry)
    return history


def _outcome(entry: Mapping[str, Any]) -> Outcome:
    known = {each.name: entry[each.name] for each in fields(Outcome) if entry.get(each.name) is not None}
    known |= {
        "status": JobStatus(entry["status"]),
        "runs": tuple(entry["runs"]),
        "value": _value(entry.get("value")),
    }
    if "reason" in known:  # older ledgers have none
        known["reason"] = Reason(known["reason"])
    return Outcome(**known)


def _value(raw: Any) -> float | dict[str, float] | None:
    """Read a returned value back; non-finite numbers are strings in JSON, which float() understands."""
    if isinstance(raw, dict):
        return {name: float(number) for name, number in raw.items()}
    return None if raw is None else float(raw)


def judge_by_run(runs: JobRuns, job: int, run: str) -> Outcome | None:
    """Return the outcome of a job without a recorded end, from its run alone; None while that does not say it."""
    record = runs.find(run, job).record
    if record is None or record.finished_at is None or record.status is RunStatus.ENDED:
        return None
    wall_s = (record.finished_at - record.created_at).total_seconds()
    return Outcome(job, JobStatus(str(record.status)), wall_s, error=record.error, runs=(run,))
