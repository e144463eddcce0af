"""Which jobs go on from the level that they have come to: at once, or later where they pause."""

from collections.abc import Iterator, Sequence

from sweeps.search.confirming import Finals
from sweeps.search.decisions import GoOn
from sweeps.search.rungs import Levels, Rung
from sweeps.search.searched_jobs import SearchedJob, SearchedJobs, State
from sweeps.settings.search_settings import SearchSettings


class GoingOn:
    """Chooses, by successive halving, among the jobs that stand at the rungs of a search; the last rung is the end of a job."""

    def __init__(
        self,
        settings: SearchSettings,
        levels: Levels,
        rungs: Sequence[Rung],
        jobs: SearchedJobs,
        finals: Finals,
    ) -> None:
        self._settings = settings
        self._levels = levels
        self._rungs = rungs
        self._jobs = jobs
        self._finals = finals

    def is_chosen(self, job: SearchedJob, index: int) -> bool:
        """Return whether a job that has just come to a rung goes on at once."""
        if self._chosen(index, arrived=job) is job:
            return True
        # who stops here never comes back: one of the best goes on, whoever went on before it came
        return not self._settings.resumes and job.number in self._rungs[index].best(self._finals.candidates)

    def next(self) -> GoOn | None:
        """Return a paused job that goes on from its rung, the highest one that lets one go on."""
        if not self._jobs.among(State.PAUSED):
            return None
        for index in self._from_the_top():
            job = self._chosen(index)
            if job is not None and self.affords(job.epochs, self._levels.after(job.level)):
                return GoOn(job.number, self._levels.after(job.level))
        return None

    def left_behind(self) -> GoOn | None:
        """Return a job that is paused among the best of its level: others had gone on from there before it came."""
        for index in self._from_the_top():
            for job in self._paused(index, self._rungs[index].best(self._finals.candidates)):
                until = self._levels.after(job.level)
                if self.affords(job.epochs, until):
                    return GoOn(job.number, until)
        return None

    def to_complete(self) -> GoOn | None:
        """Return the paused job that may go on to its end, the best of the highest level."""
        for index in self._from_the_top():
            for job in self._paused(index, self._rungs[index].best()):
                if self.affords(job.epochs, None):
                    return GoOn(job.number)
        return None

    def affords(self, epochs: int, until: int | None) -> bool:
        """Return whether the budget has the epochs that a job takes from here to its next level, None for its end."""
        budget = self._settings.budget_epochs
        if budget is None:
            return True
        full = self._settings.max_epochs or self._jobs.longest
        cost = max(0, (until or full or epochs + 1) - epochs)
        return self._jobs.committed(full) + cost <= budget - self._finals.reserved

    def _from_the_top(self) -> Iterator[int]:
        return reversed(range(len(self._levels)))

    def _paused(self, index: int, numbers: Sequence[int]) -> Iterator[SearchedJob]:
        for number in numbers:
            job = self._jobs[number]
            if job.state is State.PAUSED and job.violation <= 0 and self._levels.index(job.level) == index:
                yield job

    def _chosen(self, index: int, arrived: SearchedJob | None = None) -> SearchedJob | None:
        """Return the job that goes on next from a rung: the best that waits there, if the rung may let one go on.

        A rung lets one of `eta` of its jobs go on, whenever they came. If it let all go on that are among the best when
        they come, a model whose suggestions get better and better would complete most of them.
        """
        rung = self._rungs[index]
        waiting, gone = set(), 0
        for number in rung.scores:
            job = self._jobs[number]
            if job is arrived or (job.state is State.PAUSED and self._levels.index(job.level) == index):
                waiting.add(number)
            else:
                gone += self._is_beyond(job, index)
        most = int(len(rung) / self._settings.eta)
        if not waiting or gone >= most:
            return None
        best = next((number for number in rung.best(most) if number in waiting), None)
        return None if best is None else self._jobs[best]

    def _is_beyond(self, job: SearchedJob, index: int) -> bool:
        """Return whether a job that stands at a rung was let go on from it, or had completed by itself."""
        if job.state is State.RUNNING and (job.until is None or job.until > self._levels.levels[index]):
            return True
        return job.state is State.COMPLETED or (self._levels.index(job.level) or 0) > index
