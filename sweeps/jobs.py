"""The vocabulary of a sweep: a job, its outcome, its events.

A job is plain data when it is sent to a process, and its outcome is plain data when it comes back; nothing a job does
reaches the sweep in any other form.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tracking.repeats import key_of, without
from tracking.values.jsontext import kept, revive
from tracking.values.secrets import masked, masked_command

STOPPED = "the sweep was stopped"  # the error of a job that ran when it was


class JobStatus(StrEnum):
    """How a job ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    KILLED = "killed"
    CANCELLED = "cancelled"
    PRUNED = "pruned"  # stopped early by the search of its sweep, which may let it go on later


class JobState(StrEnum):
    """The state of a job, ended or not; a `JobStatus` is one of the first five."""

    COMPLETED = "completed"
    FAILED = "failed"
    KILLED = "killed"
    CANCELLED = "cancelled"
    PRUNED = "pruned"
    RUNNING = "running"
    QUEUED = "queued"  # it waits for a slot
    UNFINISHED = "unfinished"  # the sweep ended before it did


class Reason(StrEnum):
    """Why a job did not complete; decides whether it is tried again."""

    ERROR = "error"  # it raised
    EXIT = "exit"  # it called sys.exit, or its process ended without an outcome
    SIGNAL = "signal"  # a signal killed it, its own included
    MEMORY = "memory"  # it used more than its limit, or the system ran out
    TIMEOUT = "timeout"  # it took longer than its limit
    LOST = "lost"  # its process could not start, or its outcome could not be read
    STOPPED = "stopped"  # the sweep was stopped
    REFUSED = "refused"  # its config cannot work


@dataclass(frozen=True)
class PlannedJob:
    """A point of a sweep with its number, as the ledger records it before the job starts.

    `key` and `config_hash` are None while the job's config is not built. `written` is the key of the config as it is
    written, None if it has no interpolations.
    """

    number: int
    overrides: tuple[str, ...] = ()
    point: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    config_hash: str | None = None
    written: str | None = None

    def shown(self) -> dict[str, Any]:
        """Return its overrides and its point as people may see them: without secrets."""
        return {"overrides": masked_command(self.overrides), "point": masked(kept(dict(self.point)))}

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain data."""
        return {
            "job": self.number,
            "key": self.key,
            "config_hash": self.config_hash,
            **({} if self.written is None else {"written": self.written}),
            "overrides": list(self.overrides),
            "point": kept(dict(self.point)),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "PlannedJob":
        """Read a job back from plain data."""
        return cls(
            int(raw["job"]),
            tuple(raw.get("overrides", ())),
            revive(dict(raw["point"])),  # which raises for a damaged event
            raw.get("key"),
            raw.get("config_hash"),
            raw.get("written"),
        )


@dataclass(frozen=True)
class Job:
    """One point of a sweep, ready to run: `config` is its whole config, pickled; its output goes to `folder`.

    `until` is the number of values of the objective after which the job waits for a judgement; None if it runs to its end.
    """

    number: int
    key: str
    config_hash: str
    overrides: tuple[str, ...]
    point: Mapping[str, Any]
    folder: Path
    config: bytes = field(repr=False)
    attempt: int = 1  # above 1 when an earlier session of the sweep began the job
    previous: tuple[str, ...] = ()  # the folders of the runs of its earlier attempts
    written: str | None = None  # as in `PlannedJob`
    group: str | None = None  # jobs of the same group may run in one process, see `sweeps.plan.grouping`
    until: int | None = None

    def ranked_by(self, objective: Mapping[str, Any] | None) -> dict[str, str] | None:
        """Return what a run of the job says of its ranking; with ``repeats``, which candidate it is a repeat of."""
        if objective is None:
            return None
        known = dict(objective)
        if repeats := known.pop("repeats", ()):
            rest = without(self.point, repeats)
            known["candidate"] = hashlib.sha256(repr(key_of(rest)).encode()).hexdigest()[:16]
        return known


def counted(objective: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the metrics whose values say how far a job has come: those that rank the sweep; none for returned values."""
    if objective is None:
        return ()
    every = [objective.get("metric"), *(each.get("metric") for each in objective.get("others", ()))]
    return tuple(str(metric) for metric in every if metric is not None)


@dataclass(frozen=True)
class Outcome:
    """The result of a job.

    `value` is the task's return value if that is a number or a small mapping of numbers, else None.
    `runs` are the tracked runs that the job and its processes opened, in order: the folders where an executor says so,
    in the ledger the ids of those in the sweep's own store. `error` is one line.
    `wall_s` is the duration of the last attempt, `attempt` its number. Of a job that shared its process with others,
    `share_s` is the time that the process spent on it, see `cost_s`. `note` says what was cut off or went wrong
    after the task had returned.
    """

    job: int
    status: JobStatus
    wall_s: float
    value: float | Mapping[str, float] | None = None
    error: str | None = None
    traceback: str | None = None
    runs: tuple[str, ...] = ()
    reason: Reason | None = None
    attempt: int = 1
    result: str | None = field(default=None, repr=False)  # Hydra's, packed by sweeps.executor.local.results
    note: str | None = None
    reused: bool = False  # a run of an earlier sweep stands in for the job
    code: Mapping[str, str] | None = (
        None  # the files of its code that differ from the sweep's, with their hashes
    )
    share_s: float | None = None
    cut_off: bool = False  # by the end of a process that it shared with others, which may be the cause

    @property
    def cost_s(self) -> float:
        """The time of a slot that the job took: its duration, or its share of a process that it was not alone in."""
        return self.wall_s if self.share_s is None else self.share_s

    @property
    def named(self) -> Mapping[str, float]:
        """The returned numbers by name, if the task returned several."""
        return self.value if isinstance(self.value, Mapping) else {}


class EventKind(StrEnum):
    """What an event of a sweep is about; the values are those of the ledger."""

    ASKED = "asked"  # a job has a point: its number, key, config_hash, overrides, point
    BEGAN = "began"  # a session of the sweep, with the number of its slots
    STARTED = "started"  # an attempt at a job: pid, slot, attempt, key, config_hash
    RUN = "run"  # the job's own process opened a tracked run
    ENDING = (
        "ending"  # its task has returned, and its process waits for threads or exit handlers; not recorded
    )
    WARNING = "warning"  # the job's own process warns: how (a level or a category) and the text; not recorded
    RETRY = "retry"  # an attempt failed and another follows: the outcome of the failed one, its lost_node if it had no fault
    RUNG = "rung"  # jobs were judged: what they had come to, and which go on, to which judgement
    RESUMED = "resumed"  # the search lets a job go on that was paused or lost: its next judgement
    CLOCK = "clock"  # the search heard which share of its time is spent
    FINISHED = "finished"  # the job: its outcome, and in a search what the search heard of it
    ENDED = "ended"  # the session, in order


@dataclass(frozen=True)
class Event:
    """A ``started``, ``run``, ``warning``, ``ending`` or ``retry`` event of a job."""

    kind: EventKind
    job: int
    data: Mapping[str, Any] = field(default_factory=dict)
