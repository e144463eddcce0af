"""The finals of a search: the best jobs repeated with other seeds, because one seed may have been a lucky one."""

from sweeps.search.decisions import NewJob
from sweeps.search.searched_jobs import SearchedJobs
from sweeps.settings.search_settings import FEWEST, SearchSettings


class Finals:
    """Which jobs are repeated, how often, and what is kept back for it."""

    def __init__(self, settings: SearchSettings, jobs: SearchedJobs) -> None:
        self._settings = settings
        self._jobs = jobs

    @property
    def share(self) -> float:
        """The share of a budget in time that is kept back."""
        return self._settings.confirm if self._settings.confirm < 1 else 0.0

    @property
    def count(self) -> int:
        """How many jobs repeat others."""
        settings, full = self._settings, self._settings.max_epochs or self._jobs.longest
        if settings.mode.is_listed:  # all of its points are wanted, and its jobs are these
            count = int(settings.confirm) if settings.confirm >= 1 else 0
        elif settings.n_trials is not None:
            extended_at = self._jobs.extended_at
            count = (
                self._of_room(settings.n_trials - extended_at)
                if extended_at
                else settings.confirmations(settings.n_trials)
            )
        elif settings.confirm >= 1:
            count = int(settings.confirm)
        elif settings.budget_epochs is not None and full:
            count = int(settings.confirm * settings.budget_epochs / full)
            count = count if count >= FEWEST else 0  # one alone tells of no difference
        else:  # a budget in time, or none: as many as there is time for
            count = settings.confirmations(self._jobs.begun)
        return count

    @property
    def points_are_spent(self) -> bool:
        """Whether no new point may begin: as many jobs have begun as there may be, less those that are kept back."""
        n_trials, jobs = self._settings.n_trials, self._jobs
        if n_trials is None:
            return False
        if self._settings.mode.is_listed:
            return jobs.begun >= n_trials
        room, kept = n_trials - jobs.begun - jobs.confirming, self.count - jobs.repeated
        if jobs.repeated and room > kept:  # the search was extended after its finals
            kept = self._of_room(room)
        return room <= kept

    def _of_room(self, room: int) -> int:
        """Return how many of the jobs that a search was extended by repeat the best again."""
        return min(self._settings.confirmations(self._settings.n_trials or 0), room // 2)

    @property
    def reserved(self) -> int:
        """The epochs of a budget that are kept back."""
        full = self._settings.max_epochs or self._jobs.longest or 0
        return self.count * full

    @property
    def repeats(self) -> int:
        """How many further seeds each candidate gets: the more jobs there are, the more."""
        return 1 if self.count < 4 else 2 if self.count < 9 else 3

    @property
    def candidates(self) -> int:
        """How many jobs are candidates, and complete for that; at least the best one, which every search completes."""
        return max(1, self.count // self.repeats)

    def next(self, best: list[int]) -> NewJob | None:
        """Return the next job that confirms, given the completed ones from the best on; None when all have begun.

        Every candidate is repeated once before one is repeated twice, so that a search that is stopped compares fairly.
        """
        candidates = best[: self.candidates]
        if not candidates or self._jobs.repeated >= self.count:
            return None
        done = [sum(job.repeats == number for job in self._jobs) for number in candidates]
        chosen = candidates[done.index(min(done))]
        return NewJob(self._jobs[chosen].point, None, repeats=chosen)
