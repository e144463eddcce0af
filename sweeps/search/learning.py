"""The search: what a free slot does next, and how far each job goes, decided from the events heard so far.

It joins a suggester, which knows points, and rungs, which know how jobs compare. Everything that a decision depends on
follows from the events alone, so a search that hears them again decides the same.
"""

import random
import threading
from collections.abc import Mapping, Sequence
from itertools import chain

from sweeps.search.confirming import Finals
from sweeps.search.decisions import Arrival, Decision, EarlierJob, End, EndKind, GoOn, NewJob
from sweeps.search.going_on import GoingOn
from sweeps.search.history import Asked, Entry, History, Left, Losses, Told, losses_of
from sweeps.search.rungs import Levels, Rung, levels_of
from sweeps.search.searched_jobs import TOO_OFTEN, SearchedJob, SearchedJobs, State
from sweeps.search.searched_space import Placed, SearchedSpace
from sweeps.search.suggest.suggester import Suggester
from sweeps.settings.search_settings import Schedule, SearchSettings
from sweeps.space import Point

TRIES = 100  # random points per suggestion that is refused
SUGGESTED = 3  # suggestions per new job, before points are drawn
MIN_OTHERS = 4  # jobs at a level before a median says anything
AHEAD = 100  # values that were heard before suggestions are made one job ahead


class LearningSearch:
    """A `Search` by a suggester and a schedule.

    `first` are the points of the first jobs. A job of an earlier sweep whose point is not of this space is left out.
    """

    def __init__(
        self,
        space: SearchedSpace,
        settings: SearchSettings,
        suggester: Suggester,
        *,
        first: Sequence[Point] = (),
        earlier: Sequence[EarlierJob] = (),
    ) -> None:
        self._space = space
        self._settings = settings
        self._suggester = suggester
        self._first = tuple(dict.fromkeys(first))
        self._levels = Levels(levels_of(settings))
        self._rungs = [Rung() for _ in range(len(self._levels) + 1)]  # the last one is the end of a job
        self._jobs = SearchedJobs()
        self._finals = Finals(settings, self._jobs)
        self._going_on = GoingOn(settings, self._levels, self._rungs, self._jobs, self._finals)
        self._history = History()
        self._ahead: tuple[int, int] | None = (
            None  # the entries that the next suggestion depends on, if it is fixed
        )
        self._best: float | None = None
        self._since_best = 0  # first results since the best one became better
        self._share = 0.0  # of a budget in time
        self._is_finished = False
        self._decided: tuple[Decision | None] | None = None
        self._suggesting = threading.Lock()
        self._suggested: tuple[tuple[int, int], Placed | None] | None = None
        for number, job in enumerate(earlier, start=1):
            self._learn(-number, job)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to decide."""
        return self.decide() is None and not any(job.is_running for job in self._jobs)

    @property
    def ending(self) -> str:
        """Why no new point is tried; empty while one may be."""
        reason = self._limit()
        return reason if reason or self._new() is not None else "the space has no other point"

    def decide(self) -> Decision | None:
        """Return what a free slot should do now; None when it must wait or the search is over."""
        if self._decided is None:
            self._decided = (self._decide(),)
        return self._decided[0]

    def asked(self, job: int, decision: Decision) -> None:
        """Hear that a job begins or goes on."""
        self._decided = None
        known = self._jobs.by_number.get(job)
        if known is not None:
            known.state, known.until = State.RUNNING, decision.until
            self._ask(known)
        elif isinstance(decision, GoOn):
            raise ValueError(f"job {job} goes on, but has not begun")
        elif decision.repeats is not None:
            self._jobs.add(SearchedJob(job, decision.point, decision.until, decision.repeats))
        else:
            placed = self._placed(decision.point)
            coordinates = None if placed is None else placed.coordinates
            new = SearchedJob(job, decision.point, decision.until, coordinates=coordinates)
            self._jobs.add(new)
            self._ask(new)
            if self._history.told >= AHEAD:
                self._ahead = (self._jobs.begun, len(self._history.entries))

    def reached(self, arrivals: Sequence[Arrival]) -> Mapping[int, int | None]:
        """Hear that jobs wait for a judgement; return those that go on. All are noted before one is judged."""
        self._decided = None
        for arrival in arrivals:
            self._note(arrival)
        return dict(chain.from_iterable(self._judged(self._jobs[arrival.job]) for arrival in arrivals))

    def ended(self, job: int, end: End) -> None:
        """Hear how a job ended."""
        self._decided = None
        known = self._jobs.by_number.get(job)
        if known is None:
            return
        known.epochs = max(known.epochs, end.epochs)
        known.violation = _broken(end.violations)
        kind, losses = end.kind, losses_of(self._settings, end.values)
        if kind is EndKind.COMPLETED and losses is None:
            kind = EndKind.FAILED
        if kind is EndKind.LOST:
            known.lost += 1
            if known.lost < TOO_OFTEN:
                known.state = State.LOST
                return
            kind = EndKind.FAILED
        if kind is EndKind.PAUSED:
            can_go_on = self._settings.schedule is Schedule.ASHA and self._settings.resumes
            known.state = State.PAUSED if can_go_on else State.STOPPED
            self._correct(known)
        else:
            known.state = State.COMPLETED if kind is EndKind.COMPLETED else State.FAILED
            known.losses = losses if kind is EndKind.COMPLETED else None
            self._conclude(known)
        if known.coordinates is not None:
            self._history.add(Left(job))

    def until(self, job: int) -> int | None:
        """Return how far a job may go that has begun and not ended."""
        return self._jobs[job].until

    def budget_spent(self, share: float) -> None:
        """Hear that so much of a budget in time is spent."""
        self._decided = None
        self._share = max(self._share, share)

    def prepare(self) -> None:
        """Compute the next suggestion ahead, if it is one that no further event changes; load what all of them need."""
        if self._history.told:
            with self._suggesting:
                self._suggester.load()
        ahead, begun = self._ahead, self._jobs.begun
        # Conditions compose configs, and a function is the user's: these do not run beside what the sweep does.
        if ahead is not None and ahead[0] == begun >= len(self._first) and self._space.is_plain:
            self._suggestion(*ahead)

    # What is heard

    def _ask(self, job: SearchedJob) -> None:
        if job.coordinates is not None:
            self._history.add(Asked(job.number, job.coordinates))

    def _learn(self, number: int, job: EarlierJob) -> None:
        """Tell the models of a job of an earlier sweep as if it had run in this one."""
        placed = self._space.read(job.point)
        if placed is None or not (job.history or job.failed):
            return
        self._history.add(Asked(number, placed.coordinates))
        violation = _broken(job.violations)
        for rung, level in enumerate((*self._levels.levels, len(job.history))):
            if level < len(job.history) or rung == len(self._levels):
                values = () if job.failed or not job.history else job.history[level - 1]
                self._history.add(Told(number, rung, losses_of(self._settings, values), violation))
        self._history.add(Left(number))

    def _note(self, arrival: Arrival) -> None:
        """Note what a job came to at the level that it waits at."""
        job = self._jobs[arrival.job]
        job.level = max(job.level, arrival.level)
        job.epochs = max(job.epochs, arrival.level)
        job.losses = losses_of(self._settings, arrival.values)
        job.violation = _broken(arrival.violations)
        index = self._levels.index(arrival.level)
        if index is not None and job.repeats is None and job.number not in self._rungs[index].scores:
            self._rungs[index].add(job.number, job.losses, job.violation)
            if all(str(each) in arrival.violations for each in self._settings.constraints):
                self._tell(job, index, job.losses)  # otherwise whether it keeps them is known when it ends
        self._count(job)

    def _conclude(self, job: SearchedJob) -> None:
        """Note the end of a job: it stands at each rung that it did not come to, with its last losses, or as failed.

        A job that failed in the end has failed at all rungs to the models, which are to keep away from its point.
        """
        if job.repeats is not None:
            return
        reached = self._levels.index(job.level)
        begin = 0 if reached is None else reached + 1
        if job.losses is not None:
            begin = max(begin, self._levels.index_after(job.epochs))
        for index in range(begin, len(self._rungs)):
            self._rungs[index].add(job.number, job.losses, job.violation)
        for index in range(begin if job.losses is not None else 0, len(self._rungs)):
            self._tell(job, index, job.losses)
        self._correct(job, before=begin)
        self._count(job)

    def _correct(self, job: SearchedJob, before: int | None = None) -> None:
        """Note the constraints that a job breaks, as they are when it ends, at the rungs that it came to."""
        if not self._settings.constraints or job.losses is None:
            return
        for index, rung in enumerate(self._rungs[:before]):
            losses = rung.losses.get(job.number)
            if losses is not None:
                rung.add(job.number, losses, job.violation)
                self._tell(job, index, losses)

    def _tell(self, job: SearchedJob, rung: int, losses: Losses | None) -> None:
        if job.coordinates is not None:
            self._history.add(Told(job.number, rung, losses, job.violation))

    def _count(self, job: SearchedJob) -> None:
        """Follow the best of the first objective, for the rules that end a search."""
        if job.repeats is not None:
            return
        loss = job.losses[0] if job.losses is not None and job.violation <= 0 else None
        if loss is not None and (self._best is None or loss < self._best):
            self._best, self._since_best = loss, 0
        elif not job.has_counted:
            self._since_best += 1
        job.has_counted = True
        target = losses_of(self._settings, [self._settings.target] * len(self._settings.objectives))
        if target is not None and self._best is not None and self._best <= target[0]:
            self._is_finished = True

    # What is decided

    def _judged(self, job: SearchedJob) -> list[tuple[int, int | None]]:
        """Return the job with its next level if it goes on, nothing if it is to pause."""
        until = self._levels.after(job.level)
        if job.repeats is None and not self._goes_on(job, until):
            job.state = State.ENDING
            return []
        job.until = None if job.repeats is not None else until
        return [(job.number, job.until)]

    def _goes_on(self, job: SearchedJob, until: int | None) -> bool:
        if self._is_finished or self._share >= 1 or not self._going_on.affords(job.epochs, until):
            return False
        index = self._levels.index(job.level)
        if index is None:
            return True
        rung = self._rungs[index]
        if job.losses is None:
            return False
        if self._settings.schedule is Schedule.MEDIAN:
            return len(rung) <= MIN_OTHERS or rung.is_in_better_half(job.number)
        return self._going_on.is_chosen(job, index)

    def _decide(self) -> Decision | None:
        if self._is_finished or self._share >= 1:
            return None
        lost = next((job for job in self._jobs if job.state is State.LOST), None)
        if lost is not None:
            return GoOn(lost.number, lost.until)
        return self._going_on.next() or self._new() or self._last()

    def _limit(self) -> str:
        """Return which setting keeps new points from being tried; empty if none does."""
        settings = self._settings
        if self._is_finished:
            return "the target is reached"
        if self._share >= 1 - self._finals.share:
            return "the time of the budget is spent"
        if self._finals.points_are_spent:
            return f"n_trials={settings.n_trials} have begun"
        if settings.patience is not None and self._since_best >= settings.patience:
            return f"{settings.patience} jobs have come to nothing better"
        if not self._going_on.affords(0, self._levels.after(0)):
            return f"the budget of {settings.budget_epochs} epochs has no room for another job"
        return ""

    def _new(self) -> NewJob | None:
        """Return a new point; None if there are enough, or if the space has no other."""
        if self._limit():
            return None
        begun = self._jobs.begun
        waiting = (point for point in self._first if point not in self._jobs.points)
        point = next(waiting, None)
        if point is None:
            is_ahead = self._ahead is not None and self._ahead[0] == begun
            length = self._ahead[1] if self._ahead is not None and is_ahead else len(self._history.entries)
            placed = self._suggestion(begun, length)
            if placed is None:
                return None
            point = placed.point
        return NewJob(point, self._levels.after(0))

    def _last(self) -> Decision | None:
        """Return what is left when no new job begins: complete the best, then repeat them with other seeds."""
        best_paused = self._going_on.left_behind()
        if best_paused is not None or self._jobs.are_running:
            return best_paused
        best = [number for number in self._rungs[-1].best() if self._jobs[number].violation <= 0]
        to_complete = self._going_on.to_complete() if len(best) < self._finals.candidates else None
        return to_complete or self._finals.next(best)

    # What is suggested

    def _placed(self, point: Point) -> Placed | None:
        suggested = self._suggested
        if suggested is not None and suggested[1] is not None and suggested[1].point == point:
            return suggested[1]
        return self._space.find(point)

    def _suggestion(self, number: int, length: int) -> Placed | None:
        """Return a point that no job had, from the first entries of the history; None if the space has no other."""
        with self._suggesting:
            if self._suggested is None or self._suggested[0] != (number, length):
                self._suggested = (number, length), self._suggest(number, self._history.entries[:length])
            return self._suggested[1]

    def _suggest(self, number: int, entries: Sequence[Entry]) -> Placed | None:
        points, seed = self._jobs.points, f"{self._settings.seed}/{number}"
        for attempt in range(SUGGESTED):
            placed = self._suggester.suggest(entries, number, random.Random(f"{seed}/{attempt}"))  # noqa: S311 - must be reproducible
            if placed is not None and placed.point not in points:
                return placed
        source = random.Random(f"{seed}/drawn")  # noqa: S311 - must be reproducible
        for _ in range(TRIES):
            placed = self._space.draw(source)
            if placed is not None and placed.point not in points:
                return placed
        left = [each for each in self._space.every() or () if each.point not in points]
        return source.choice(left) if left else None


def _broken(violations: Mapping[str, float]) -> float:
    """Return by how much a job breaks all constraints together; 0 if it keeps them."""
    return sum(max(each, 0.0) for each in violations.values())
