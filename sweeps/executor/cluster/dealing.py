"""Deals jobs to nodes that ask, and collects outcomes: the heart of a sweep on many machines.

A job is pulled when a place of a node asks for one. A place gets the next job only after whoever iterates over the outcomes has
dealt with those that the node had sent before: what is decided on an outcome counts for the job after it. Jobs of lost
nodes come first.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from sweeps.executor.cluster.assignments import Assignments, PutBack
from sweeps.executor.cluster.messages import Work, encode
from sweeps.executor.contract import Judge, Listener, cancelled
from sweeps.executor.local.shards import Shard, Shards
from sweeps.jobs import Event, Job, Outcome

Value = TypeVar("Value")


class Asker(Hashable, Protocol):
    """A node that asks for jobs."""

    def post(self, message: bytes) -> None:
        """Send a message, without waiting."""


@dataclass(frozen=True, eq=False)
class _Ask:
    """A place that waits for a shard: its question, its number for the shard, and which outcomes must be heard before."""

    node: Asker
    question: int
    shard: int
    after: int


class Dealing:
    """Shares out `shards` until all jobs have an outcome. Any thread may use it.

    `listener` and `judge` are those of `sweeps.executor.contract.Executor`.
    """

    def __init__(self, shards: Shards, listener: Listener, judge: Judge | None) -> None:
        self._shards = shards
        self._listener = listener
        self._judge = judge
        self._changed = threading.Condition()
        self._judging = threading.Lock()
        self._nodes: set[Asker] = set()
        self._leaving: set[Asker] = set()
        self._asks: deque[_Ask] = deque()  # in the order of the outcomes that come before
        self._dealt: dict[tuple[Asker, int], Shard] = {}
        self._assignments = Assignments()
        self._waiting: deque[Shard] = deque()  # those put back, before those pulled
        self._returning = 0  # nodes whose jobs are being put back
        self._is_exhausted = self._is_stopped = self._is_closed = False
        self._outcomes: deque[Outcome] = deque()
        self._put, self._consumed = 0, 0
        self._fault: BaseException | None = None

    @property
    def is_over(self) -> bool:
        """Whether all jobs have an outcome, or nobody wants more."""
        with self._changed:
            return self._is_over()

    @property
    def is_stopped(self) -> bool:
        """Whether no further job may start."""
        return self._is_stopped

    def outcomes(self) -> Iterator[Outcome]:
        """Yield outcomes until all jobs have one; raise what has ended this."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._outcomes or self._is_over())
                if not self._outcomes:
                    if self._fault is not None:
                        raise self._fault
                    return
                outcome = self._outcomes.popleft()
            yield outcome
            with self._changed:
                self._consumed += 1
                self._deal()

    def pull(self) -> None:
        """Pull jobs while places ask for them; returns when there are none left."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or self._wants_more())
                if self._is_closed:
                    return
            shard = self.guarded(lambda: next(self._shards, None), None)
            with self._changed:
                if shard is None:
                    self._is_exhausted = True
                else:
                    self._waiting.append(shard)
                self._deal()
                if shard is None:
                    return

    def join(self, node: Asker, places: int) -> None:
        """Note that a node can run jobs; `places` is how many all nodes run at once."""
        with self._changed:
            self._nodes.add(node)
            self._shards.places = max(1, places)

    def ask(self, node: Asker, question: int, shard: int) -> None:
        """Answer, sooner or later, the question of a node's place for a shard, which the node calls by a number."""
        with self._changed:
            if node in self._leaving:
                node.post(encode("none", ask=question))
            elif node in self._nodes:
                self._asks.append(_Ask(node, question, shard, self._put))
                self._deal()

    def another(self, node: Asker, number: int, taken: int) -> Job | None:
        """Return a job that joins those of a shard; None if none is ready now."""
        with self._changed:
            shard = self._dealt.get((node, number))
            if shard is None or self._is_stopped or self._waiting or node in self._leaving:
                return None
        job = self.guarded(partial(self._shards.another, shard, taken), None)
        if job is None:
            return None
        with self._changed:
            self._assignments.take(node, shard, [job])
        return job

    def shard_ended(self, node: Asker, number: int) -> None:
        """Note that the jobs of a shard have ended."""
        with self._changed:
            shard = self._dealt.pop((node, number), None)
            if shard is not None:
                (self._shards.lost if node in self._leaving else self._shards.ended)(shard)

    def hear(self, node: Asker, event: Event) -> None:
        """Pass on an event of a job that the node has."""
        with self._changed:
            is_its = self._assignments.hear(node, event)
        if is_its:
            self._tell(event)

    def judge(self, node: Asker, counts: Iterable[tuple[int, int, Path]]) -> Mapping[int, int | None]:
        """Return which of the jobs go on that wait for a judgement."""
        with self._judging:  # one at a time
            with self._changed:
                arrivals = self._assignments.to_judge(node, counts)
            judge = self._judge if arrivals else None
            goes_on: Mapping[int, int | None] = {}
            if judge is not None:
                goes_on = self.guarded(lambda: judge(arrivals), goes_on)
            with self._changed:
                self._assignments.judged(node, arrivals, goes_on)
            return goes_on

    def end(self, node: Asker, name: str, outcome: Outcome) -> None:
        """Take the outcome of a job that the node has; `name` is the node's."""
        with self._changed:
            leaving = name if node in self._leaving and not self._is_stopped else None
            self._put_back(lambda: self._assignments.end(node, outcome, leaving=leaving))

    def leave(self, node: Asker) -> None:
        """Give no more jobs to a node."""
        with self._changed:
            self._leaving.add(node)
            for ask in self._drop_asks(node):
                node.post(encode("none", ask=ask.question))

    def lose(self, node: Asker, name: str, places: int) -> int:
        """Put back the jobs of a node that is lost; return how many. `places` is how many the others run at once."""
        with self._changed:
            if self._is_closed:
                return 0
            self._shards.places = max(1, places)
            self._nodes.discard(node)
            self._leaving.discard(node)
            self._drop_asks(node)
            for key in [key for key in self._dealt if key[0] is node]:
                self._shards.lost(self._dealt.pop(key))
            return self._put_back(lambda: self._assignments.lose(node, name, is_stopped=self._is_stopped))

    def stop(self) -> None:
        """Let no further job start; those that wait end as cancelled."""
        with self._changed:
            self._is_stopped = True
            self._deal()

    def guarded(self, call: Callable[[], Value], otherwise: Value) -> Value:
        """Return the result of a call; what it raises is no node's fault, and ends this."""
        try:
            return call()
        except BaseException as error:  # noqa: BLE001 - `outcomes` raises it
            self.fail(error)
            return otherwise

    def fail(self, error: BaseException) -> None:
        """End with an error."""
        with self._changed:
            self._fault = self._fault or error
            self._changed.notify_all()

    def close(self) -> None:
        """Deal no more."""
        with self._changed:
            self._is_closed = True
            self._deal()
        self._shards.close()

    def _tell(self, event: Event) -> None:
        self.guarded(lambda: self._listener(event), None)

    def _put_back(self, change: Callable[[], PutBack | None]) -> int:
        """Do what is to be done for jobs that a node has no more; return how many run again. The lock is held."""
        found = change() or PutBack()
        self._returning += 1
        self._changed.release()
        try:
            # Before the next attempt begins, and without the lock, because it may take long.
            for event in found.events:
                self._tell(event)
        finally:
            self._changed.acquire()
            self._returning -= 1
        self._waiting.extendleft(reversed(found.again))
        for outcome in found.outcomes:
            self._finish(outcome)
        self._deal()
        return sum(len(shard.jobs) for shard in found.again)

    def _deal(self) -> None:
        """Give the jobs that wait to the places that ask; the lock is held."""
        if self._is_stopped:
            while self._waiting:
                for job in self._waiting.popleft().jobs:
                    self._finish(cancelled(job))
        while self._waiting and self._is_asked:
            self._give(self._asks.popleft(), self._waiting.popleft())
        if self._is_stopped or self._is_over():
            while self._asks:
                ask = self._asks.popleft()
                ask.node.post(encode("none", ask=ask.question))
        self._changed.notify_all()

    def _give(self, ask: _Ask, shard: Shard) -> None:
        self._assignments.take(ask.node, shard)
        self._dealt[ask.node, ask.shard] = shard
        self._shards.begin(shard)
        work = Work(shard.jobs, shard.at_once, shard.is_open, shard.attempts)
        ask.node.post(encode("work", work, ask=ask.question))

    @property
    def _is_asked(self) -> bool:
        return bool(self._asks) and self._asks[0].after <= self._consumed

    def _drop_asks(self, node: Asker) -> list[_Ask]:
        dropped = [each for each in self._asks if each.node is node]
        if dropped:
            self._asks = deque(each for each in self._asks if each.node is not node)
        return dropped

    def _finish(self, outcome: Outcome) -> None:
        self._put += 1
        self._outcomes.append(outcome)

    def _wants_more(self) -> bool:
        if self._is_exhausted:
            return False
        return self._is_stopped or (self._is_asked and not self._waiting)

    def _is_over(self) -> bool:
        is_idle = not (self._assignments or self._waiting or self._returning)
        return self._is_closed or self._fault is not None or (self._is_exhausted and is_idle)
