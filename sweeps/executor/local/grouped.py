"""Several jobs in one process: they take turns, and compute together what `tracking.process.turns.together` is given.

Each job runs in a greenlet of the main thread, from its start to its end, in a `World` of its own. It has its turn until
it waits in `together` or ends. Once all wait, what they asked for is computed outside of them, and the turns go on. A
signal that stops the process ends each job as it would end it alone: with an exception where it waits, so that its
``with`` blocks run.
"""

import contextlib
import contextvars
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from greenlet import getcurrent, greenlet

from sweeps.executor.local.world import World
from sweeps.jobs import Job
from tracking.process.signals import Terminated, guard
from tracking.process.turns import Raised, Work, computed, hosted, raised_or

STOPS = (KeyboardInterrupt, Terminated)

# Of the process that this one was forked from: freeing them would run their code.
_unfinished: list[greenlet] = []


class _Member:
    """A job that has begun: `asked` is the work that it waits for, with its item, and `gets` is the result.

    `is_urgent` if that work comes before the others'.
    """

    def __init__(self, live: Callable[[], bool], parent: greenlet) -> None:
        self.greenlet = greenlet(live, parent)
        self.greenlet.gr_context = contextvars.copy_context()
        self.world = World()
        self.asked: tuple[Work, Any] | None = None
        self.is_urgent = False
        self.gets: Any = None
        self.busy_s = 0.0


class Group:
    """Runs `jobs` in turns, at most `at_once` of them begun; a further one begins when one ends.

    `live` runs one job in this process from its start to its report, whatever it raises, and returns whether a signal
    has ended it. Further jobs may be added meanwhile. The process has spent `spent_s` on all of them before.
    """

    def __init__(
        self, jobs: Sequence[Job], at_once: int, live: Callable[[Job, "Group"], bool], *, spent_s: float = 0.0
    ) -> None:
        self._queue = deque(jobs)
        self._at_once = at_once
        self._live = live
        self._spent_s = spent_s / len(jobs)
        self._pid = os.getpid()
        self._hub = getcurrent()
        self._members: list[_Member] = []  # in the order of their jobs
        self._present: _Member | None = None
        self._began = 0.0  # of the present turn
        self._first, self._outside = World(), World()  # where jobs begin, and where their common work is done
        self._world: World | None = None  # the one that the process is in
        self._is_ending = False

    @property
    def is_last(self) -> bool:
        """Whether the job that has its turn is the last one of the process."""
        return not self._queue and len(self._members) == 1

    @property
    def share_s(self) -> float:
        """The time that the job which has its turn took so far: its turns, and its part of what all have in common."""
        member = self._present
        turns_s = 0.0 if member is None else member.busy_s + time.monotonic() - self._began
        return self._spent_s + turns_s

    def fill(self, another: Callable[[], Job | None]) -> None:
        """Add jobs for the places that are free once the one that has its turn has ended, until there is no other."""
        while not self._is_ending and len(self._members) - 1 + len(self._queue) < self._at_once:
            job = another()
            if job is None:
                return
            self._queue.append(job)

    def run(self) -> None:
        """Run the jobs. The process stays in the world of the last one, with what that leaves behind."""
        guard.enter()  # also between the turns of jobs that have no run; before any world is noted
        self._first.put_away()
        self._outside.put_away()
        try:
            with hosted(self):
                while self._members or self._queue:
                    try:
                        self._go_on()
                    except STOPS as stop:
                        self._end_all(stop)
                    if os.getpid() != self._pid:  # a process that a job forked came here
                        _unfinished.extend(member.greenlet for member in self._members)
                        return
        finally:
            guard.leave()

    def has_turn(self) -> bool:
        """Return whether the code that calls this is that of a job, in the job's own thread and process."""
        member = self._present
        return member is not None and getcurrent() is member.greenlet and os.getpid() == self._pid

    def meet(self, work: Work, item: Any, *, first: bool = False) -> Any:
        """Suspend the job that has its turn until the others wait too; return its result, or raise its error."""
        member = self._present
        assert member is not None  # noqa: S101 - `has_turn` said so
        member.asked, member.is_urgent = (work, item), first
        return raised_or(self._hub.switch())

    def _go_on(self) -> None:
        """Give one turn, or compute what all wait for."""
        member = next((each for each in self._members if each.asked is None), None)
        if member is None and self._queue and len(self._members) < self._at_once:
            job = self._queue.popleft()
            member = _Member(lambda: self._live(job, self), self._hub)
            self._members.append(member)
        if member is None:
            self._compute()
        else:
            self._give_turn(member)

    def _give_turn(self, member: _Member, stop: BaseException | None = None) -> None:
        """Let a job go on until it waits or ends; with `stop`, by raising that where it waits."""
        is_new = not member.greenlet and not member.greenlet.dead
        self._enter(self._first if is_new else member.world)
        self._world, self._present, self._began = member.world, member, time.monotonic()
        gets, member.gets, member.asked = member.gets, None, None
        was_stopped = False
        try:
            if stop is not None:
                was_stopped = member.greenlet.throw(stop)
            else:
                was_stopped = member.greenlet.switch() if is_new else member.greenlet.switch(gets)
        finally:
            member.busy_s += time.monotonic() - self._began
            self._present = None
            if member.greenlet.dead:
                self._members.remove(member)
                if self._members or self._queue:
                    member.world.end(self._first)
                self._world = None
        if (was_stopped or guard.has_arrived) and not self._is_ending and os.getpid() == self._pid:
            raise Terminated if guard.has_arrived else KeyboardInterrupt

    def _enter(self, world: World) -> None:
        left = self._world
        if left is world:
            return
        with guard.holding():
            self._world = None
            if left is not None:
                left.put_away()
            world.enter(left)
            self._world = world

    def _compute(self) -> None:
        """Do each work once, with the items of all jobs that asked for it, and keep a result for each.

        Urgent work alone, if there is any: its jobs then wait for what the others wait for.
        """
        self._enter(self._outside)
        asking = [(member, *member.asked) for member in self._members if member.asked is not None]
        asking = [each for each in asking if each[0].is_urgent] or asking
        while asking:
            work = asking[0][1]
            members = [member for member, asked, _ in asking if asked == work]
            items = [item for _, asked, item in asking if asked == work]
            asking = [each for each in asking if each[1] != work]
            began = time.monotonic()
            results = _results(work, items)
            share_s = (time.monotonic() - began) / len(members)
            for member, result in zip(members, results, strict=True):
                member.asked, member.gets = None, result
                member.busy_s += share_s

    def _end_all(self, stop: BaseException) -> None:
        """Begin no more jobs, and raise what stops the process in each that waits."""
        self._queue.clear()
        self._is_ending = True
        self._members = [member for member in self._members if member.greenlet]
        for member in [*self._members]:
            with contextlib.suppress(*STOPS):  # a further signal
                self._give_turn(member, Terminated() if isinstance(stop, Terminated) else KeyboardInterrupt())


def _results(work: Work, items: Sequence[Any]) -> list[Any]:
    """Return the results of some work; the error that it raises, for each item."""
    try:
        return computed(work, items)
    except STOPS:
        raise
    except BaseException as error:  # noqa: BLE001 - it is the outcome of the jobs
        return [Raised(error)] * len(items)
