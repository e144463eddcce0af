"""Prepares the search of a sweep: the points that it begins with, what it knows of earlier sweeps, and its seeds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from sweeps.driving.driver import Guide
from sweeps.driving.first_points import first_points
from sweeps.driving.replaying import replay_search
from sweeps.driving.warm_start import earlier_jobs
from sweeps.errors import SettingsError
from sweeps.plan.compose import Composer
from sweeps.search.decisions import NewJob, Search
from sweeps.search.rungs import levels_of
from sweeps.search.searching import make_search
from sweeps.settings.search_settings import Schedule, SearchSettings
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.space import Point, Space, expand, parsed
from sweeps.space.axes import Axis, Interval
from sweeps.space.expand import seed_lines
from tracking.values.units import counted, format_duration

LEVELS = 4  # judgements that are named
LONG = 500  # letters of an axis that the plan keeps


def with_seeds(
    settings: SweeperSettings, space: Space
) -> tuple[SweeperSettings, Callable[[int], str], list[str]]:
    """Return the settings, the override of the n-th seed of a job, and why no job can have another seed, if so.

    Without seeds the search confirms nothing.
    """
    search = settings.search
    if search is None or not search.confirm:
        return settings, _no_seed, []
    try:
        return settings, seed_lines(space, settings.space, f"confirm={search.confirm:g}"), []
    except SettingsError as error:
        note = f"{error}. So no job confirms the best ones."
        return replace(settings, search=replace(search, confirm=0.0)), _no_seed, [note]


def _no_seed(number: int) -> str:
    raise ValueError(f"no job has another seed, and none is the repeat {number} of one")


@dataclass(frozen=True)
class PreparedSearch:
    """A search before its first job, the points that it was given to begin with, and remarks for the user."""

    search: Search
    settings: SearchSettings
    first: Sequence[Point]
    notes: Sequence[str]

    def guide(
        self, sweep_dir: Path, points: Mapping[int, Point], seed_line: Callable[[int], str], spent_s: float
    ) -> Guide:
        """Return what a session is guided by, after the search has heard what the sessions before have recorded."""
        repeats = replay_search(sweep_dir / "jobs.jsonl", self.search, points)
        return Guide(self.search, self.settings, seed_line, repeats, spent_s)

    def next_points(self, count: int) -> Iterator[Point]:
        """Yield what the search would begin with, at most `count` points, as if their jobs ran side by side; it is of no use afterwards."""
        for number in range(count):
            decision = self.search.decide()
            if not isinstance(decision, NewJob):
                return
            self.search.asked(number, decision)
            yield decision.point


def prepared_search(
    settings: SweeperSettings, space: Space, composer: Composer, sweep_dir: Path | None
) -> PreparedSearch:
    """Return the search that the settings ask for.

    `sweep_dir` keeps what it knows of earlier sweeps, so that it knows the same when it is resumed; None keeps nothing.
    Raise `SettingsError` for a space that does not fit.
    """
    search = settings.search
    assert search is not None  # noqa: S101 - the caller has seen it
    first, notes = _first(settings, search, space, composer)
    if search.mode.is_listed:
        search = replace(search, n_trials=len(first), enqueue_defaults=False)
    made = make_search(
        space,
        search,
        settings.space,
        composer.plain,
        first=first,
        earlier=earlier_jobs(settings, sweep_dir),
        config=composer.task_config() if search.space_function else None,
    )
    return PreparedSearch(made, search, first, notes)


def _first(
    settings: SweeperSettings, search: SearchSettings, space: Space, composer: Composer
) -> tuple[Sequence[Point], list[str]]:
    if search.mode.is_listed:
        expansion = expand(space, settings.space, composer.plain)
        return expansion.points, list(expansion.notes)
    return first_points(space, search, settings.space, composer.plain, composer.choices)


def outlook(search: SearchSettings, jobs: int) -> str:
    """Return in words what a search of so many known jobs will do."""
    parts = []
    if not search.mode.is_listed:
        ends = {
            "n_trials": search.n_trials and counted(search.n_trials, "job"),
            "budget": search.budget_epochs and counted(search.budget_epochs, "epoch"),
            "time": search.budget_s and format_duration(search.budget_s),
            "patience": search.patience and f"{counted(search.patience, 'job')} without a better one",
            "target": None if search.target is None else f"{search.objectives[0].label} at {search.target:g}",
        }
        over = " or ".join(str(end) for end in ends.values() if end)
        parts.append(f"the search ({search.mode}) goes on from these {counted(jobs, 'job')}, until {over}")
    confirming = search.confirmations(search.n_trials) if search.n_trials else 0
    if confirming:
        parts.append(f"the last {counted(confirming, 'job')} repeat the best with other seeds")
    levels = levels_of(search)
    if levels:
        shown = ", ".join(map(str, levels[:LEVELS])) + (", ..." if len(levels) > LEVELS else "")
        stops = "pause and may go on later" if search.resumes and search.schedule is Schedule.ASHA else "end"
        parts.append(f"{search.schedule} judges jobs after {shown} epochs; those behind {stops}")
    return "; ".join(parts)


def described(search: SearchSettings, space: Space) -> dict[str, Any]:
    """Return the settings of a search and its space as plain data, for the plan of its sweep."""
    settings = {name: _plain(value) for name, value in asdict(search).items()}
    axes: dict[str, str] = {}
    for number, part in enumerate(space.parts):
        place = f"{number}." if len(space.parts) > 1 else ""
        axes |= {f"{place}{'+'.join(axis.names)}": _text(axis) for axis in part.axes}
        axes |= {f"{place}{line.partition('=')[0]}": line.partition("=")[2] for line in part.fixed}
    return {**settings, "space": axes}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _text(axis: Axis | Interval) -> str:
    if isinstance(axis, Interval):
        tags = ("log, " if axis.is_log else "") + ("whole, " if axis.is_whole else "")
        return f"{tags}{axis.start:g} to {axis.end:g}"
    if len(axis.names) == 1:
        text = ", ".join(str(parsed(line).value()) for point in axis.choices for line in point)
    else:
        text = ", ".join(" ".join(point) for point in axis.choices)
    digest = sha256(text.encode()).hexdigest()[:16]
    return text if len(text) <= LONG else f"{text[: LONG - 40]}... ({len(axis.choices)} values, {digest})"
