"""Jobs of a search that a test decides."""

from collections.abc import Iterable, Iterator

from sweeps.jobs import Job


class WaitingJobs:
    """Jobs that wait to begin or to go on, two of them at once in one process, which further ones join."""

    together = 2

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.waiting = list(jobs)

    def __iter__(self) -> Iterator[Job]:
        return self

    def __next__(self) -> Job:
        if not self.waiting:
            raise StopIteration
        return self.waiting.pop(0)

    def ready(self) -> bool:
        return bool(self.waiting)
