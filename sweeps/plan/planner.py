"""Makes the jobs of a sweep from its points: checks them before the first one starts, builds each when its turn comes.

Building a config takes a few milliseconds, too long to build thousands before a sweep starts. So up to `CHECKED_FIRST`
jobs are checked first, chosen so that each override of each axis is among them. A job whose combination turns out to be
impossible later fails alone.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig

from sweeps.errors import SettingsError
from sweeps.jobs import Job, PlannedJob
from sweeps.plan.compose import Composer
from sweeps.plan.grouping import GroupOf, function_named, in_no_group
from sweeps.plan.packing import task_view
from sweeps.plan.plan import NOTHING_RECORDED, Recorded
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.space import Point, name_of, parsed, values_of
from tracking.values.jsontext import encode, readable
from tracking.values.secrets import masked_command, masked_text
from tracking.values.units import counted

CHECKED_FIRST = 200
MOST_NOTES = 100


class Planner:
    """The jobs of one sweep by number. Builds each once and keeps it only until `job` returns it.

    A point that is `recorded` keeps its number, and new points get the next ones. Recorded jobs whose points are not
    asked for stay in the sweep and are `left` as they are.
    """

    def __init__(
        self,
        composer: Composer,
        fixed: Point,
        settings: SweeperSettings,
        recorded: Recorded = NOTHING_RECORDED,
        *,
        group_of: GroupOf = in_no_group,
    ) -> None:
        self._composer = composer
        self._fixed = fixed
        self._settings = settings
        self._check = _checker(settings.check)
        self._group_of = group_of
        self._notes: dict[str, bool] = {}  # what checks have noted, and whether `new_notes` has returned it
        self._ready: dict[int, Job] = {}
        self.left = dict(sorted(recorded.jobs.items()))
        self._any_will_do = recorded.any_will_do
        self._lost = sorted(recorded.lost)
        self._next = max((*recorded.jobs, *recorded.lost), default=-1) + 1
        self._numbers: dict[bytes, list[int]] = {}
        for number, job in self.left.items():
            self._numbers.setdefault(_identity(job.point), []).append(number)
        self.points: dict[int, Point] = {}

    def __len__(self) -> int:
        """Return the number of all jobs, with those that are left."""
        return len(self.points) + len(self.left)

    @property
    def total(self) -> int:
        """The number after the highest one that a job of the sweep has."""
        return self._next

    def add(self, points: Sequence[Point]) -> list[int]:
        """Add points, compose each structure that they choose, and return the numbers of their jobs in order."""
        added = sorted(self._placed(points))
        self.points.update(added)
        for number, point in added:
            try:
                self._composer.prepare([point])
            except HydraException as error:
                raise SettingsError(
                    f"job {number} ({self._shown(number)}) cannot run, so no job was started: {_why(error)}"
                ) from error
        return [number for number, _ in added]

    def _placed(self, points: Sequence[Point]) -> Iterator[tuple[int, Point]]:
        fresh = []
        for point in points:
            numbers = self._numbers.get(_identity(values_of(point))) if self._numbers else None
            if numbers:
                del self.left[numbers[0]]
                yield numbers.pop(0), point
            else:
                fresh.append(point)
        for point in fresh:
            if self._any_will_do and self.left:
                number, job = next(iter(self.left.items()))
                del self.left[number]
                yield number, _point_of(job)
            elif self._lost:
                yield self._lost.pop(0), point
            else:
                self._next += 1
                yield self._next - 1, point

    def place(self, point: Point) -> PlannedJob:
        """Add a point that a search has chosen, and return its job, with a number that no job had before."""
        number = self._next
        self._next += 1
        self.points[number] = point
        return self._as_planned(number, point)

    def try_out(self, point: Point, *, is_given: bool) -> None:
        """Raise `SettingsError` if a job at the first point of a search cannot run.

        What the check refuses of a point that is not given counts against that point alone.
        """
        number = self.place(point).number
        try:
            self._build(number)
        except (ValueError, HydraException) as error:
            if is_given or isinstance(error, HydraException):
                raise SettingsError(self._refusal({_why(error): [number]})) from error
        finally:
            del self.points[number]
            self._next -= 1

    def restore(self) -> Sequence[int]:
        """Add every recorded point as it is recorded, for a search that has chosen it, and return their numbers."""
        fixed = {name_of(parsed(line)) for line in self._fixed}
        for number, job in self.left.items():
            self.points[number] = tuple(_own_lines(job, fixed))
        self.left, self._numbers = {}, {}
        return sorted(self.points)

    def check(self) -> None:
        """Build and check the first jobs; raise `SettingsError` that names each job that cannot run."""
        refused: dict[str, list[int]] = {}
        for number in self._first():
            try:
                self._ready[number] = self._build(number)
            except (ValueError, HydraException) as error:
                refused.setdefault(_why(error), []).append(number)
        if refused:
            raise SettingsError(self._refusal(refused))

    def new_notes(self) -> list[str]:
        """Return what the check has noted of jobs, in words for the user: each note once."""
        found = [note for note, is_known in self._notes.items() if not is_known]
        self._notes.update(dict.fromkeys(found, True))
        return found

    def job(self, number: int) -> Job:
        """Return a job; raise ValueError if its config cannot work."""
        return self._ready.pop(number, None) or self._build(number)

    def planned(self, first: int = 0) -> list[PlannedJob]:
        """Return each job from number `first` on as the ledger records it; hashes of jobs not built yet are None."""
        jobs = {number: job for number, job in self.left.items() if number >= first}
        for number, point in self.points.items():
            if number >= first:
                jobs[number] = self._as_planned(number, point)
        return [jobs[number] for number in sorted(jobs)]

    def _as_planned(self, number: int, point: Point) -> PlannedJob:
        built = self._ready.get(number)
        hashes = (built.key, built.config_hash, built.written) if built else ()
        return PlannedJob(number, (*self._fixed, *point), values_of(point), *hashes)

    def _build(self, number: int) -> Job:
        point = self.points[number]
        config = self._composer.job_config(number, point)
        self._composer.require_same_sweep(config)
        with task_view(config.whole) as task:
            self._take_notes(self._check(task))
            group = self._group_of(task)
        return replace(config.job(values_of(point), self._settings.key_ignores), group=group)

    def _take_notes(self, found: object) -> None:
        """Keep the notes that a check has returned: a list of texts; a check may return anything else."""
        notes = found if isinstance(found, list) else []
        for note in notes:
            if isinstance(note, str) and len(self._notes) < MOST_NOTES:
                self._notes.setdefault(note, False)

    def _first(self) -> list[int]:
        """Return the jobs to check first: those with an override that no earlier one has, then the others in order."""
        seen: set[str] = set()
        fresh: list[int] = []
        others: list[int] = []
        for number, point in self.points.items():
            (others if seen.issuperset(point) else fresh).append(number)
            seen.update(point)
        return sorted([*fresh, *others][:CHECKED_FIRST])

    def _refusal(self, refused: Mapping[str, Sequence[int]]) -> str:
        failing, all_of = sum(map(len, refused.values())), len(self.points)
        share = counted(all_of, "job") if failing == all_of else f"{failing} of {all_of} jobs"
        lines = [f"{share} cannot run, so no job was started:"]
        for error, numbers in refused.items():
            first = self._shown(numbers[0])
            more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
            lines.append(f"job {numbers[0]} ({first}){more}: {error}")
        return "\n".join(lines)

    def _shown(self, number: int) -> str:
        lines = masked_command((*self._fixed, *self.points[number]))
        return " ".join(line.lstrip("+") for line in lines)


def _why(error: Exception) -> str:
    """Return the text of an error, an error of Hydra's on one line with the first line of its cause."""
    if not isinstance(error, HydraException):
        return masked_text(str(error))
    cause = str(error.__cause__ or "").partition("\n")[0]
    return masked_text(": ".join(filter(None, [" ".join(str(error).split()), cause])))


def _identity(point: Mapping[str, Any]) -> bytes:
    """Return what equals in two points of the same values, also when one was read from a ledger."""
    return encode(readable(dict(sorted(point.items()))))


def _own_lines(job: PlannedJob, fixed: Collection[str]) -> Iterator[str]:
    """Yield the overrides of a recorded job that its sweep does not share."""
    for line in job.overrides:
        name = name_of(parsed(line))
        if name in job.point or (name.startswith("~") and name not in fixed):
            yield line


def _point_of(job: PlannedJob) -> Point:
    """Return the overrides of a recorded job without those that its sweep shares."""
    lines = {name_of(parsed(line)): line for line in job.overrides}
    return tuple(line for name, line in lines.items() if name in job.point)


@cache
def _checker(dotted: str | None) -> Callable[[DictConfig], object]:
    return (lambda _task: None) if dotted is None else function_named(f"hydra.sweeper.check={dotted}", dotted)
