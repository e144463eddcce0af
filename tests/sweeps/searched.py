"""Searches that tests make and drive: spaces in the override grammar, events that are kept, jobs that are simulated."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path

from sweeps.search.decisions import Arrival, Decision, EarlierJob, End, EndKind, NewJob, Search
from sweeps.search.searched_space import SearchedSpace, Trial
from sweeps.search.searching import make_search
from sweeps.settings.search_settings import Mode, Schedule, SearchSettings
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space import Point, Space, read_space, values_of
from tracking.objective import Objective

LOSS = Objective.of("loss", "min")
LINES = ("x=interval(-1.0,1.0)", "y=tag(log,interval(1e-3,1.0))")


def spaced(*lines: str, **settings: Any) -> tuple[Space, SpaceSettings]:
    """Return a space and its settings."""
    of_space = SpaceSettings(params={}, **settings)
    return read_space(of_space, lines, ConfigLoaderImpl(create_config_search_path(None))), of_space


def searched_space(*lines: str, **settings: Any) -> SearchedSpace:
    """Return the space that a search of these lines has."""
    return SearchedSpace(*spaced(*lines, **settings))


def make(
    *lines: str,
    first: Sequence[Point] = (),
    earlier: Sequence[EarlierJob] = (),
    space: Mapping[str, Any] | None = None,
    config: Any = None,
    config_of: Callable[[Point], Mapping[str, Any]] = lambda _: {},
    **settings: Any,
) -> Search:
    """Return the search of a space with settings, random points without a schedule by default."""
    given = settings_of(**settings)
    found, of_space = spaced(*(lines or LINES), **(space or {}))
    return make_search(found, given, of_space, config_of, first=first, earlier=earlier, config=config)


def settings_of(**settings: Any) -> SearchSettings:
    """Return the settings of a search, without a schedule and what confirms by default."""
    given = {
        "mode": Mode.RANDOM,
        "schedule": Schedule.NONE,
        "objectives": (LOSS,),
        "confirm": 0.0,
        **settings,
    }
    if given["schedule"] is not Schedule.NONE:
        given = {"max_epochs": 27, "min_epochs": 1, "eta": 3.0, "resumes": True, **given}
    return SearchSettings(**given)


def below(config: Any, trial: Trial) -> None:
    """Draw a point as a function of the user's does."""
    trial.suggest_float("x", 0.0, config["high"])


def failing(config: Any, trial: Trial) -> None:
    """Raise as a function of the user's may do."""
    raise ValueError("no such thing")


def idle(config: Any, trial: Trial) -> None:
    """Draw nothing."""


def numbers(point: Point) -> dict[str, float]:
    """Return the numbers that a point sets, by key."""
    return {name: float(value) for name, value in values_of(point).items() if not isinstance(value, str)}


def bowl(point: Point, epochs: int) -> float:
    """Return a loss that falls with the epochs towards one that is lowest at x=0.3, y=0.03."""
    at = numbers(point)
    bottom = (at["x"] - 0.3) ** 2 + (math.log10(at["y"]) + 1.5) ** 2 / 4
    return bottom + 1 / epochs


@dataclass
class Driver:
    """Run the jobs of a search one after the other, `slots` at a time, and keep what it heard."""

    search: Search
    loss: Callable[[Point, int], float | None] = bowl
    length: int = 27
    slots: int = 1
    violations: Callable[[Point], Mapping[str, float]] = lambda _: {}
    points: dict[int, Point] = field(default_factory=dict)
    repeats: dict[int, int] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)
    until: dict[int, int | None] = field(
        default_factory=dict
    )  # of those that run, in the order of their begin
    ends: dict[int, EndKind] = field(default_factory=dict)
    events: list[tuple[str, Any]] = field(default_factory=list)
    decisions: list[Decision | None] = field(default_factory=list)

    def run(self, steps: int = 10_000) -> "Driver":
        """Run until the search is over, or for so many steps."""
        for _ in range(steps):
            while len(self.until) < self.slots and self.begin():
                pass
            if not self.until:
                break
            self.finish(next(iter(self.until)))
        return self

    def begin(self) -> bool:
        """Do what the search decides for a free slot; return whether it had something."""
        decision = self.search.decide()
        self.decisions.append(decision)
        if decision is None:
            return False
        job = len(self.points) if isinstance(decision, NewJob) else decision.job
        if isinstance(decision, NewJob):
            self.points[job], self.epochs[job] = decision.point, 0
            if decision.repeats is not None:
                self.repeats[job] = decision.repeats
        self.hear("asked", job, decision)
        self.until[job] = decision.until
        return True

    def finish(self, job: int) -> None:
        """Let a job that runs come to its level or its end."""
        until = self.until.pop(job)
        level = self.length if until is None else min(until, self.length)
        self.epochs[job] = level
        value = self.loss(self.points[job], level)
        if value is None:
            self.end(job, End(EndKind.FAILED, (), level))
        elif until is None or until > self.length:
            self.end(job, End(EndKind.COMPLETED, (value,), level, self.violations(self.points[job])))
        else:
            violations = self.violations(self.points[job])
            goes_on = self.hear("reached", [Arrival(job, level, (value,), violations)])
            if job in goes_on:
                self.until[job] = goes_on[job]
            else:
                self.end(job, End(EndKind.PAUSED, (value,), level, violations))

    def end(self, job: int, end: End) -> None:
        """Let a job end."""
        self.until.pop(job, None)
        self.ends[job] = end.kind
        self.hear("ended", job, end)

    def hear(self, event: str, *what: Any) -> Any:
        """Tell the search of an event, and keep it."""
        self.events.append((event, what))
        return getattr(self.search, event)(*what)
