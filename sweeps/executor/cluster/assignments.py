"""Which node has which jobs, and what becomes of a node's jobs when it is lost: each job comes to exactly one outcome.

A lost node's jobs are put back, with the runs that they have opened, as the next attempt; that is none of their retries. A job
may be what kills its nodes, so it ends once it has lost several. A node that leaves in order is none that was lost.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from sweeps.executor.contract import cancelled, outcome_of
from sweeps.executor.failure_text import failure
from sweeps.executor.local.shards import Shard
from sweeps.jobs import STOPPED, Event, EventKind, Job, JobStatus, Outcome, Reason
from tracking.process.announcements import announced

MOST_LOSSES = 3  # nodes that a job may lose while it runs
# How a job may end on a node that leaves, because its node or the system has stopped it; its own handler of signals may exit.
BY_LEAVING = frozenset({Reason.STOPPED, Reason.SIGNAL, Reason.EXIT})


@dataclass
class _Held:
    """A job with a node. `tried` counts its own attempts that have failed; `began` is None before the present one has begun.

    `is_returned` once a node that leaves has said that it will not begin it.
    """

    job: Job
    shard: Shard
    tried: int
    began: float | None = None
    runs: list[str] = field(default_factory=list)
    is_returned: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether the present attempt has begun, as far as anybody can know: the node's last word may be lost with it."""
        known = self.began is not None or bool(self.runs)
        return known or bool(announced(self.job.folder, self.job.attempt))


class PutBack(NamedTuple):
    """What is to be done for jobs that a node has no more: run again, tell of, end."""

    again: tuple[Shard, ...] = ()
    events: tuple[Event, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


class Assignments:
    """The jobs that nodes have. One thread at a time may use it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of: dict[Hashable, dict[int, _Held]] = {}
        self._count = 0
        self._losses: dict[int, int] = {}
        self._pruned: set[int] = set()  # judged to end, and not ended

    def __bool__(self) -> bool:
        return self._count > 0

    def take(self, node: Hashable, shard: Shard, jobs: Iterable[Job] | None = None) -> None:
        """Note that a node gets the jobs of a shard, or these that join them."""
        held = self._of.setdefault(node, {})
        for job in shard.jobs if jobs is None else jobs:
            held[job.number] = _Held(job, shard, shard.attempts)
            self._count += 1

    def hear(self, node: Hashable, event: Event) -> bool:
        """Take an event of a job into account; return False if the node does not have the job."""
        held = self._of.get(node, {}).get(event.job)
        if held is None:
            return False
        match event.kind:
            case EventKind.STARTED:
                held.began = self._clock()
            case EventKind.RUN:
                held.runs.append(str(event.data["run"]))
            case EventKind.RETRY:
                held.tried += not event.data["cut_off"]
                held.began, held.runs = None, []
                attempt, runs = int(event.data["attempt"]) + 1, tuple(event.data["runs"])
                held.job = replace(held.job, attempt=attempt, previous=runs)
        return True

    def to_judge(
        self, node: Hashable, counts: Iterable[tuple[int, int, Path]]
    ) -> list[tuple[int, int, Path]]:
        """Return those of a node's jobs that wait and were not judged to end before."""
        held = self._of.get(node, {})
        return [each for each in counts if each[0] in held and each[0] not in self._pruned]

    def judged(
        self, node: Hashable, arrivals: Iterable[tuple[int, int, Path]], goes_on: Mapping[int, int | None]
    ) -> None:
        """Note which jobs go on, and after how many values they are judged again."""
        for number, _, _ in arrivals:
            held = self._of.get(node, {}).get(number)
            if held is not None and number in goes_on:
                held.job = replace(held.job, until=goes_on[number])
            elif held is not None:
                self._pruned.add(number)

    def end(self, node: Hashable, outcome: Outcome, *, leaving: str | None = None) -> PutBack | None:
        """Take the outcome of a job; None if the node does not have that job.

        Of a node that is `leaving`, which is its name, a job that was stopped for it is put back.
        """
        every = self._of.get(node, {})
        held = every.get(outcome.job)
        if held is None:
            return None
        if leaving is None or not (outcome.status is JobStatus.CANCELLED or outcome.reason in BY_LEAVING):
            put_back = PutBack(outcomes=(outcome,))
            self._forget(outcome.job)
        elif held.began is None and outcome.status is JobStatus.CANCELLED:
            put_back, held.is_returned = PutBack(), True
        else:
            left = replace(outcome, error=f"its node {leaving} left", reason=Reason.LOST, traceback=None)
            put_back = self._again(held, left, leaving)
        if not held.is_returned:
            self._drop(every, [held])
        return put_back if leaving is None else self._with_returned(every, held.shard, put_back)

    def _with_returned(self, every: dict[int, _Held], shard: Shard, put_back: PutBack) -> PutBack:
        """Put back the jobs of a shard that a node returns, together, once it has no other one of them."""
        left = [held for held in every.values() if held.shard is shard]
        if not all(held.is_returned for held in left):
            return put_back
        self._drop(every, left)
        return put_back._replace(again=(*put_back.again, *_regrouped({shard: left})))

    def _drop(self, every: dict[int, _Held], dropped: Iterable[_Held]) -> None:
        for held in dropped:
            del every[held.job.number]
            self._count -= 1

    def lose(self, node: Hashable, name: str, *, is_stopped: bool = False) -> PutBack:
        """Put back the jobs of a node that is lost; once the sweep was stopped, end them."""
        again, events, outcomes = list[Shard](), list[Event](), list[Outcome]()
        together: dict[Shard, list[_Held]] = {}
        every = self._of.pop(node, {})
        self._count -= len(every)
        for held in every.values():
            number, has_begun = held.job.number, held.has_begun
            if is_stopped:
                self._forget(number)
                stopped = failure(STOPPED, reason=Reason.STOPPED, status=JobStatus.KILLED)
                outcomes.append(self._outcome(held, stopped) if has_begun else cancelled(held.job))
                continue
            if not has_begun:
                together.setdefault(held.shard, []).append(held)
                continue
            self._losses[number] = losses = self._losses.get(number, 0) + 1
            error = f"its node {name} was lost"
            if losses >= MOST_LOSSES:
                self._forget(number)
                told = failure(
                    f"{error}, the last of {losses} that were lost while it ran", reason=Reason.LOST
                )
                outcomes.append(self._outcome(held, told))
                continue
            lost = failure(error, reason=Reason.LOST, status=JobStatus.KILLED)
            put_back = self._again(held, self._outcome(held, lost), name)
            again += put_back.again
            events += put_back.events
        return PutBack((*again, *_regrouped(together)), tuple(events), tuple(outcomes))

    def _again(self, held: _Held, outcome: Outcome, node: str) -> PutBack:
        job = replace(held.job, attempt=held.job.attempt + 1, previous=outcome.runs)
        told = Event(
            EventKind.RETRY, job.number, {**asdict(replace(outcome, cut_off=True)), "lost_node": node}
        )
        return PutBack(again=(_alone(replace(held, job=job)),), events=(told,))

    def _outcome(self, held: _Held, message: Mapping[str, object]) -> Outcome:
        wall_s = 0.0 if held.began is None else self._clock() - held.began
        return outcome_of(held.job, message, wall_s, held.runs)

    def _forget(self, number: int) -> None:
        self._losses.pop(number, None)
        self._pruned.discard(number)


def _alone(held: _Held) -> Shard:
    return Shard((held.job,), 1, attempts=held.tried)


def _regrouped(together: Mapping[Shard, list[_Held]]) -> list[Shard]:
    """Return shards of jobs that had not begun, as they were."""
    found = []
    for shard, every in together.items():
        fresh = tuple(held.job for held in every if held.tried == shard.attempts)
        if fresh:
            found.append(replace(shard, jobs=fresh, at_once=min(shard.at_once, len(fresh)), is_open=False))
        found += [_alone(held) for held in every if held.tried != shard.attempts]
    return found
