"""Prepares the search of a sweep: the points that it begins with, what it knows of earlier sweeps, and its seeds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

from sweeps.driving.driver import Guide
from sweeps.driving.first_points import first_points, is_in
from sweeps.driving.replaying import replay_search
from sweeps.driving.warm_start import earlier_jobs
from sweeps.errors import SettingsError
from sweeps.plan.compose import Composer
from sweeps.search.decisions import Decision, EarlierJob, NewJob, Search
from sweeps.search.rungs import levels_of
from sweeps.search.searching import make_search, own_points
from sweeps.settings.search_settings import Mode, Schedule, SearchSettings
from sweeps.settings.sweeper_settings import SpaceSettings, SweeperSettings
from sweeps.space import Point, Space, expand, parsed, values_of
from sweeps.space.axes import Axis, Interval
from sweeps.space.expand import seed_lines
from tracking.values.units import counted, format_duration

DRAWS = 64  # that tell which keys a function draws
JUDGES_NOBODY = (
    "its schedule judges no job: the first judgement would be at the end, see min_epochs and max_epochs"
)
LEVELS = 4  # judgements that are named
LONG = 500  # letters of an axis that the plan keeps


def with_seeds(
    settings: SweeperSettings, space: Space
) -> tuple[SweeperSettings, Callable[[int], str] | None, list[str]]:
    """Return the settings, the override of the n-th seed of a job, and why no job can have another seed, if so.

    Without seeds the override is None, and the search confirms nothing. It has them without a job that confirms, too:
    a search that is resumed may get some.
    """
    search = settings.search
    if search is None:
        return settings, None, []
    try:
        return settings, seed_lines(space, settings.space, f"confirm={search.confirm:g}"), []
    except SettingsError as error:
        notes = [f"{error}. So no job confirms the best ones."] if search.confirm else []
        return replace(settings, search=replace(search, confirm=0.0)), None, notes


@dataclass(frozen=True)
class PreparedSearch:
    """A search before its first job, the points that it was given to begin with, and remarks for the user.

    `drawn` are the keys that a function of the user's draws, as far as some draws tell.
    """

    search: Search
    settings: SearchSettings
    first: Sequence[Point]
    notes: Sequence[str]
    drawn: tuple[str, ...] = ()
    no_point: str = "the space has no point to begin with"

    def guide(
        self,
        sweep_dir: Path,
        points: Mapping[int, Point],
        seed_line: Callable[[int], str] | None,
        spent_s: float,
    ) -> Guide:
        """Return what a session is guided by, after the search has heard what the sessions before have recorded."""
        heard = replay_search(sweep_dir / "jobs.jsonl", self.search, points, self.settings.budget_s)
        return Guide(self.search, self.settings, seed_line, heard, spent_s, self.first)

    def begin(self) -> Decision:
        """Return what the search decides first.

        Raise `SettingsError` if it can begin with nothing, or if a library that it needs cannot be loaded.
        """
        try:
            decision = self.search.decide()
        except ImportError as error:
            raise SettingsError(f"mode={self.settings.mode}: {error}") from error
        if decision is None:
            raise SettingsError(_too_small(self.settings) or self.no_point)
        return decision

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
    _require_a_space(search, space)
    config = composer.task_config() if search.space_function else None
    first, notes = _first(settings, search, space, composer)
    if not search.mode.is_listed:
        first = own_points(first, space, search, settings.space, composer.plain, config)
        notes += _left_out(search, len(first)) if settings.resume is None else []
    if search.schedule is not Schedule.NONE and not levels_of(search):
        notes = [*notes, JUDGES_NOBODY]
    earlier = earlier_jobs(settings, sweep_dir)
    if search.warm_start is not None:
        notes = [*notes, _of_earlier(search, earlier, settings.space, space)]
    if search.mode.is_listed:
        search = replace(search, n_trials=len(first), enqueue_defaults=False)
    made = make_search(
        space,
        search,
        settings.space,
        composer.plain,
        first=first,
        earlier=earlier,
        config=config,
    )
    condition = f", filter: {settings.space.filter}" if settings.space.filter else ""
    no_point = f"mode={search.mode}: the space has no point to begin with{condition}"
    drawn = _drawn(search, settings.space, space, composer, config) if search.space_function else ()
    return PreparedSearch(made, search, first, notes, drawn, no_point)


def _of_earlier(
    search: SearchSettings, earlier: Sequence[EarlierJob], of_space: SpaceSettings, space: Space
) -> str:
    """Return how many jobs of an earlier sweep are learned from; raise `SettingsError` if all of them lack an objective."""
    known = [job for job in earlier if job.history or job.failed]
    lacking, name = len(earlier) - len(known), search.warm_start
    logged = " and ".join(each.label for each in search.objectives)
    if not known:
        raise SettingsError(f"warm_start={name}: none of its {counted(lacking, 'job')} has {logged}")
    taken = sum(is_in(space, job.point, of_space.when) for job in known)
    rest = f"; {lacking} have no {logged} and are left out" if lacking else ""
    return f"warm_start: {taken} of {counted(len(earlier), 'job')} of {name} fit into the space{rest}"


def _drawn(
    search: SearchSettings, of_space: SpaceSettings, space: Space, composer: Composer, config: Any
) -> tuple[str, ...]:
    """Return the keys that a function draws, as far as some draws tell; raise `SettingsError` if there are none."""
    random = SearchSettings(
        Mode.RANDOM,
        Schedule.NONE,
        search.objectives,
        seed=search.seed,
        n_trials=DRAWS,
        confirm=0.0,
        space_function=search.space_function,
    )
    drawing = PreparedSearch(
        make_search(space, random, of_space, composer.plain, config=config), random, (), ()
    )
    keys = dict.fromkeys(chain.from_iterable(map(values_of, drawing.next_points(DRAWS))))
    if not keys:
        raise SettingsError(
            f"space_function={search.space_function}: draws nothing; call trial.suggest_float(key, low, high)"
        )
    return tuple(key for key in keys if key not in space.swept)


def _too_small(search: SearchSettings) -> str | None:
    """Return why a budget of epochs has no room for a first job; None if it has."""
    budget, levels = search.budget_epochs, levels_of(search)
    if budget is None:
        return None
    epochs = levels[0] if levels else search.max_epochs or 1
    needed = f"one job needs {counted(epochs, 'epoch')} to its {'first judgement' if levels else 'end'}"
    kept = int(search.confirm) * (search.max_epochs or 0)
    if epochs > budget:
        return f"budget={budget}: {needed}"
    if epochs + kept > budget:
        return (
            f"budget={budget}: {needed}, and confirm={search.confirm:g} keeps {kept} for those that confirm"
        )
    return None


def _require_a_space(search: SearchSettings, space: Space) -> None:
    """Raise `SettingsError` if a search has nothing to choose from."""
    has_choice = any(
        isinstance(axis, Interval) or len(axis.choices) > 1 for part in space.parts for axis in part.axes
    )
    if not (has_choice or len(space.parts) > 1 or search.space_function or search.mode.is_listed):
        raise SettingsError(
            f"mode={search.mode}: no key has more than one value, so there is nothing to search; sweep one: KEY=interval(0,1)"
        )


def _first(
    settings: SweeperSettings, search: SearchSettings, space: Space, composer: Composer
) -> tuple[Sequence[Point], list[str]]:
    if search.mode.is_listed:
        expansion = expand(space, settings.space, composer.plain)
        return expansion.points, list(expansion.notes)
    return first_points(space, search, settings.space, composer.plain, composer.choices)


def _left_out(search: SearchSettings, points: int) -> list[str]:
    """Return a remark if there are more points to begin with than new jobs."""
    if search.n_trials is None:
        return []
    confirming = search.confirmations(search.n_trials)
    room = search.n_trials - confirming
    if points <= room:
        return []
    less = f", less the {confirming} that confirm," if confirming else ""
    return [f"n_trials={search.n_trials}{less} has room for {room} of the {points} points to begin with"]


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
        parts.append(
            f"{search.schedule} judges jobs after {shown} epoch{'' if levels == (1,) else 's'}; those behind {stops}"
        )
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
