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
            count = settings.confirmations(settings.n_trials)
        elif settings.confirm >= 1:
            count = int(settings.confirm)
        elif settings.budget_epochs is not None and full:
            count = int(settings.confirm * settings.budget_epochs / full)
            count = count if count >= FEWEST else 0  # one alone tells of no difference
        else:  # a budget in time, or none: as many as there is time for
            count = settings.confirmations(self._jobs.begun)
        return count

    @property
    def points(self) -> int | None:
        """How many new points there are at most; None if their number is not limited."""
        settings = self._settings
        if settings.n_trials is None or settings.mode.is_listed:
            return settings.n_trials
        return settings.n_trials - self.count

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
        if not candidates or self._jobs.confirming >= self.count:
            return None
        done = [sum(job.repeats == number for job in self._jobs) for number in candidates]
        chosen = candidates[done.index(min(done))]
        return NewJob(self._jobs[chosen].point, None, repeats=chosen)
