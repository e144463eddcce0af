"""Makes the jobs of a sweep from its points: checks them before the first one starts, builds each when its turn comes.

Building a config takes a few milliseconds, too long to build thousands before a sweep starts. So up to `CHECKED_FIRST`
jobs are checked first, chosen so that each override of each axis is among them. A job whose combination turns out to be
impossible later fails alone.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from hydra.utils import get_method
from omegaconf import DictConfig

from sweeps.errors import SettingsError
from sweeps.jobs import Job, PlannedJob
from sweeps.plan.compose import Composer
from sweeps.plan.packing import task_view
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.space import Point, values_of
from tracking.values.units import counted

CHECKED_FIRST = 200


class Planner:
    """The jobs of one sweep by number. Builds each once and keeps it only until `job` returns it."""

    def __init__(self, composer: Composer, fixed: Point, settings: SweeperSettings) -> None:
        self._composer = composer
        self._fixed = fixed
        self._settings = settings
        self._check = _checker(settings.check)
        self._ready: dict[int, Job] = {}
        self.points: list[Point] = []

    def __len__(self) -> int:
        return len(self.points)

    def add(self, points: Sequence[Point]) -> range:
        """Add points, compose each structure that they choose, and return the numbers of their jobs."""
        self._composer.prepare(points)
        self.points += points
        return range(len(self.points) - len(points), len(self.points))

    def check(self) -> None:
        """Build and check the first jobs; raise `SettingsError` that names each job that cannot run."""
        refused: dict[str, list[int]] = {}
        for number in self._first():
            try:
                self._ready[number] = self._build(number)
            except ValueError as error:
                refused.setdefault(str(error), []).append(number)
        if refused:
            raise SettingsError(self._refusal(refused))

    def job(self, number: int) -> Job:
        """Return a job; raise ValueError if its config cannot work."""
        return self._ready.pop(number, None) or self._build(number)

    def planned(self, first: int = 0) -> list[PlannedJob]:
        """Return each job from number `first` on as the ledger records it; hashes of jobs not built yet are None."""
        jobs = []
        for number, point in enumerate(self.points[first:], start=first):
            built = self._ready.get(number)
            hashes = (built.key, built.config_hash, built.written) if built else ()
            jobs.append(PlannedJob(number, (*self._fixed, *point), values_of(point), *hashes))
        return jobs

    def _build(self, number: int) -> Job:
        point = self.points[number]
        config = self._composer.job_config(number, point)
        self._composer.require_same_sweep(config)
        with task_view(config.whole) as task:
            self._check(task)
        return config.job(values_of(point), self._settings.key_ignores)

    def _first(self) -> list[int]:
        """Return the jobs to check first: those with an override that no earlier one has, then the others in order."""
        seen: set[str] = set()
        fresh: list[int] = []
        others: list[int] = []
        for number, point in enumerate(self.points):
            (others if seen.issuperset(point) else fresh).append(number)
            seen.update(point)
        return sorted([*fresh, *others][:CHECKED_FIRST])

    def _refusal(self, refused: Mapping[str, Sequence[int]]) -> str:
        failing = sum(map(len, refused.values()))
        share = counted(len(self), "job") if failing == len(self) else f"{failing} of {len(self)} jobs"
        lines = [f"{share} cannot run, so no job was started:"]
        for error, numbers in refused.items():
            first = " ".join(line.lstrip("+") for line in (*self._fixed, *self.points[numbers[0]]))
            more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
            lines.append(f"job {numbers[0]} ({first}){more}: {error}")
        return "\n".join(lines)


@cache
def _checker(dotted: str | None) -> Callable[[DictConfig], object]:
    if dotted is None:
        return lambda _task: None
    try:
        check: Callable[[DictConfig], object] = get_method(dotted)
    except Exception as error:  # a user's module may raise anything while it is imported
        raise SettingsError(f"hydra.sweeper.check={dotted}: {error}") from error
    return check
