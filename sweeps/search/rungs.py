"""Rungs: the levels at which jobs are judged, and how the jobs stand that have come to one."""

import math
import random
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cache

from sweeps.search.history import Losses
from sweeps.settings.search_settings import Schedule, SearchSettings

SHORTEST = 20  # the full length is about so many times the first rung, if the settings name none
EARLIEST = 3  # epochs; after one or two, many trainings are where they began
NEAR = 1.5  # a rung whose next level is nearer to the full length than this is the last one
LONGEST = 1_000_000  # epochs, where the length is not known
FINE = 3  # so many rungs of a median rule lie between two of asha
FAILED = (math.inf, math.inf, math.inf)

Score = tuple[
    float, float, float
]  # the lower the better: violation, jobs that are better in all respects, first loss


def levels_of(settings: SearchSettings) -> tuple[int, ...]:
    """Return the levels at which jobs are judged, in rising order; the end of a job is none of them.

    They grow by `eta` from `min_epochs`, which is about a twentieth of the full length by default, and 3
    at least. A median rule judges at three
    times as many, since it costs nothing to ask it.
    """
    if settings.schedule is Schedule.NONE:
        return ()
    longest = settings.max_epochs or LONGEST
    steps = round(math.log(SHORTEST) / math.log(settings.eta))
    first = settings.min_epochs or max(EARLIEST, round((settings.max_epochs or 1) / settings.eta**steps))
    growth = settings.eta if settings.schedule is Schedule.ASHA else settings.eta ** (1 / FINE)
    levels: dict[int, None] = {}
    level = float(first)
    while round(level) < longest and level * min(growth, NEAR) <= longest:
        levels[round(level)] = None
        level *= growth
    return tuple(levels)


@dataclass
class Rung:
    """The jobs that have come to a level, with their scores."""

    scores: dict[int, Score] = field(default_factory=dict)
    losses: dict[int, Losses] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.scores)

    def add(self, job: int, losses: Losses | None, violation: float = 0.0) -> None:
        """Note what a job came to, None if it failed; one that is noted again keeps its losses, not its violation."""
        if losses is None:
            self.scores.setdefault(job, FAILED)
            return
        violation = max(violation, 0.0)
        if job in self.scores:
            _, better, loss = self.scores[job]
            self.scores[job] = (violation, better, loss)
            return
        better = 0
        if len(losses) > 1:
            for other, theirs in self.losses.items():
                if _dominates(theirs, losses):
                    better += 1
                elif _dominates(losses, theirs):
                    broken, count, loss = self.scores[other]
                    self.scores[other] = (broken, count + 1, loss)
        self.losses[job] = losses
        self.scores[job] = (violation, better, losses[0])

    def best(self, count: int | None = None) -> list[int]:
        """Return the jobs from the best to the worst, those that failed excluded, at most `count`.

        Chance decides between equal ones, not who came first; it decides the same whenever it is asked.
        """
        ranked = sorted((score, _lot(job), job) for job, score in self.scores.items() if score != FAILED)
        return [job for *_, job in ranked[:count]]

    def is_in_better_half(self, job: int) -> bool:
        """Return whether a job is at least as good as the median of the others, by violation and then by its first loss.

        A job that failed counts as infinitely bad.
        """
        marks = {each: (violation, loss) for each, (violation, _, loss) in self.scores.items()}
        own = marks.pop(job)
        others = sorted(marks.values())
        return not others or own <= others[(len(others) - 1) // 2]


@cache
def _lot(job: int) -> float:
    return random.Random(job).random()  # noqa: S311 - must be reproducible


def _dominates(one: Losses, other: Losses) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


@dataclass(frozen=True)
class Levels:
    """The levels of a search, looked up by the number of epochs that a job has had."""

    levels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.levels)

    def index(self, epochs: int) -> int | None:
        """Return the index of the last level that is reached after so many epochs; None before the first one."""
        found = bisect_right(self.levels, epochs) - 1
        return found if found >= 0 else None

    def after(self, epochs: int) -> int | None:
        """Return the next level that is not reached after so many epochs; None if the end of the job is next."""
        found = bisect_right(self.levels, epochs)
        return self.levels[found] if found < len(self.levels) else None

    def index_after(self, epochs: int) -> int:
        """Return the index of the first level that is not passed before so many epochs."""
        return bisect_left(self.levels, epochs)
