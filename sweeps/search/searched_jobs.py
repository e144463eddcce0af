"""The jobs of a search as it knows them: where each one stands, how far it may go, and what all of them have cost."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from sweeps.search.dimensions import Coordinates
from sweeps.search.history import Losses
from sweeps.space.axes import Point

TOO_OFTEN = 3  # a job that was lost so many times is taken for one that failed


class State(Enum):
    """Where a job stands."""

    RUNNING = auto()
    ENDING = auto()  # it was told to pause, its end was not heard yet
    PAUSED = auto()
    STOPPED = auto()  # it ended early and cannot go on
    COMPLETED = auto()
    FAILED = auto()
    LOST = auto()  # it is to begin again


@dataclass
class SearchedJob:
    """A job: its point, how far it may go (`until`, None for its end), how far it came, and what to."""

    number: int
    point: Point
    until: int | None
    repeats: int | None = None
    coordinates: Coordinates | None = (
        None  # None where models do not hear of it: its point is not of the space
    )
    state: State = State.RUNNING
    level: int = 0  # epochs at its last judgement
    epochs: int = 0  # epochs that it has cost
    losses: Losses | None = None  # the last ones that it came to
    violation: float = 0.0
    lost: int = 0
    has_counted: bool = False  # whether it has come to its first result

    @property
    def is_running(self) -> bool:
        """Whether its process may be at work."""
        return self.state in {State.RUNNING, State.ENDING}


@dataclass
class SearchedJobs:
    """The jobs of a search by number."""

    by_number: dict[int, SearchedJob] = field(default_factory=dict)
    points: set[Point] = field(default_factory=set)  # those of new jobs
    begun: int = 0  # new jobs, those that confirm excluded
    confirming: int = 0
    extended_at: int = 0  # jobs that had begun when a search went on after it had repeated its best
    settled: int = 0  # those that had confirmed by then

    def __getitem__(self, number: int) -> SearchedJob:
        return self.by_number[number]

    def __iter__(self) -> Iterator[SearchedJob]:
        return iter(self.by_number.values())

    def add(self, job: SearchedJob) -> None:
        """Add a new job."""
        self.by_number[job.number] = job
        if job.repeats is None:
            if self.repeated:
                self.extended_at, self.settled = self.begun + self.confirming, self.confirming
            self.begun += 1
            self.points.add(job.point)
        else:
            self.confirming += 1

    @property
    def repeated(self) -> int:
        """How many jobs confirm since the last new job began."""
        return self.confirming - self.settled

    def among(self, *states: State) -> list[SearchedJob]:
        """Return the jobs in some states, by number; those that confirm excluded."""
        return [job for job in self if job.state in states and job.repeats is None]

    @property
    def are_running(self) -> bool:
        """Whether a job runs that is to be judged or to complete, those that confirm excluded."""
        return any(job.is_running and job.repeats is None for job in self)

    def committed(self, full: int | None) -> int:
        """Return the epochs that the jobs have cost, with those that the running ones may still take."""
        return sum(max(job.epochs, job.until or full or 0) if job.is_running else job.epochs for job in self)

    @property
    def longest(self) -> int | None:
        """How many epochs a completed job took at most; None before one has."""
        return max((job.epochs for job in self if job.state is State.COMPLETED and job.epochs), default=None)
