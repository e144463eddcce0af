"""Makes a sweep's jobs out of its points: checked before the first one starts, composed when their turn comes.

A config costs a few milliseconds to build, so a sweep of thousands cannot build them all before it begins. What
is checked first is every job of a sweep of up to `CHECKED_FIRST`, and of a larger one as many jobs, chosen so that
each override of each axis is among them; a combination that turns out to be impossible later fails alone.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from hydra.utils import get_method
from omegaconf import DictConfig

from sweeps.errors import SettingsError
from sweeps.jobs import Job, PlannedJob
from sweeps.plan.compose import Composer
from sweeps.plan.packing import hash_configs, task_view
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.space import Point, values_of
from tracking.values.units import counted

CHECKED_FIRST = 200


class Planner:
    """The jobs of one sweep by number; builds each once, and forgets it when it was asked for."""

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
        """Take further points, and compose every config that a group of theirs needs; return their numbers."""
        self._composer.prepare(points)
        self.points += points
        return range(len(self.points) - len(points), len(self.points))

    def check(self) -> None:
        """Build and check the jobs that are checked first; raises `SettingsError` naming each that cannot work."""
        refused: dict[str, list[int]] = {}
        for number in self._first():
            try:
                self._ready[number] = self._build(number)
            except ValueError as error:
                refused.setdefault(str(error), []).append(number)
        if refused:
            raise SettingsError(self._refusal(refused))

    def job(self, number: int) -> Job:
        """Return a job; raises ValueError when its config cannot work."""
        return self._ready.pop(number, None) or self._build(number)

    def planned(self, first: int = 0) -> list[PlannedJob]:
        """Return each job from number `first` on as the ledger records it; hashes of jobs not built yet are None."""
        return [self._planned(number) for number in range(first, len(self.points))]

    def _planned(self, number: int) -> PlannedJob:
        point, job = self.points[number], self._ready.get(number)
        return PlannedJob(
            number,
            (*self._fixed, *point),
            values_of(point),
            job.key if job else None,
            job.config_hash if job else None,
        )

    def _build(self, number: int) -> Job:
        point = self.points[number]
        config = self._composer.job_config(number, point)
        self._composer.require_same_sweep(config)
        with task_view(config.whole) as task:
            self._check(task)
            key, digest = hash_configs(task, self._settings.key_ignores, values_of(point))
        return Job(
            number=number,
            key=key,
            config_hash=digest,
            overrides=(*self._fixed, *point),
            point=values_of(point),
            folder=config.folder,
            config=config.packed(),
        )

    def _first(self) -> list[int]:
        """The jobs to check first: those that bring an override no earlier one had, then the others in order."""
        seen: set[str] = set()
        chosen = []
        for number, point in enumerate(self.points):
            if not seen.issuperset(point):
                seen.update(point)
                chosen.append(number)
            if len(chosen) == CHECKED_FIRST:
                break
        already = set(chosen)
        others = (number for number in range(len(self.points)) if number not in already)
        chosen += [number for number, _ in zip(others, range(CHECKED_FIRST - len(chosen)), strict=False)]
        return sorted(chosen)

    def _refusal(self, refused: Mapping[str, Sequence[int]]) -> str:
        count = sum(len(numbers) for numbers in refused.values())
        lines = [f"{count} of {counted(len(self), 'job')} cannot run, so none was started:"]
        for error, numbers in refused.items():
            first = " ".join((*self._fixed, *self.points[numbers[0]]))
            more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
            lines.append(f"job {numbers[0]} ({first}){more}: {error}")
        return "\n".join(lines)


@cache
def _checker(dotted: str | None) -> Callable[[DictConfig], object]:
    if dotted is None:
        return lambda _task: None
    try:
        check: Callable[[DictConfig], object] = get_method(dotted)
    except Exception as error:  # whatever a user's module raises on import
        raise SettingsError(f"hydra.sweeper.check={dotted}: {error}") from error
    return check
