"""Workers with a clock of their own, which run the jobs of a search: an epoch of any job takes one unit of time.

What counts is the best value among the first so many epochs of all jobs together, in the order in which they end.
"""

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path

from benchmarks.searches.problems import Curve, Problem
from sweeps.search.decisions import Arrival, End, EndKind, GoOn, NewJob, Search
from sweeps.search.searching import make_search
from sweeps.settings.search_settings import Mode, Schedule, SearchSettings
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space import Space, read_space
from tracking.objective import Objective

VALUE = Objective.of("value", "max")


@dataclass
class Trace:
    """The value of each epoch that was run, what its point is worth, and the moment at which it ended."""

    moments: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    worth: list[float] = field(default_factory=list)

    def run(self, begin: float, values: Sequence[float] | Curve, truth: float | None = None) -> float:
        """Note epochs that follow each other from a moment on; return the moment of the last one's end.

        `truth` is what their point is worth, where that is not the value itself.
        """
        for count, value in enumerate(values, start=1):
            self.moments.append(begin + count)
            self.values.append(float(value))
            self.worth.append(float(value) if truth is None else truth)
        return begin + len(values)

    def best(self, epochs: int) -> float:
        """Return what the point with the best value of the first so many epochs is worth."""
        order = np.argsort(np.asarray(self.moments), kind="stable")[:epochs]
        return self.worth[int(order[np.argmax(np.asarray(self.values)[order])])]


def space_of(problem: Problem) -> Space:
    """Return the space of a problem."""
    loader = ConfigLoaderImpl(create_config_search_path(None))
    return read_space(SpaceSettings(params={}), list(problem.space), loader)


def ours(problem: Problem, seed: int, mode: Mode, schedule: Schedule, **more: Any) -> Search:
    """Return podium's search of a problem, without an end and without repeats: the surrogates have no noise."""
    settings = SearchSettings(
        mode=mode,
        schedule=schedule,
        objectives=(VALUE,),
        seed=seed,
        **{"max_epochs": problem.epochs, "resumes": True, "confirm": 0.0, **more},
    )
    return make_search(space_of(problem), settings, SpaceSettings(params={}), lambda _point: {})


def simulate(search: Search, problem: Problem, workers: int, epochs: int) -> Trace:
    """Let workers run the jobs of a search until so many epochs are used."""
    trace = Trace()
    curves: dict[int, Curve] = {}
    truths: dict[int, float | None] = {}
    until: dict[int, int] = {}
    at: dict[int, int] = {}
    events: list[tuple[float, int, int]] = []  # when a job has come to its level
    ticket = itertools.count()
    free, now, numbers = workers, 0.0, itertools.count()

    def run(job: int, to: int | None) -> None:
        until[job] = problem.epochs if to is None else to
        end = trace.run(now, curves[job][at[job] : until[job]], truths[job])
        at[job] = until[job]
        heapq.heappush(events, (end, next(ticket), job))

    while len(trace.values) < epochs + workers * problem.epochs:
        while free and (decision := search.decide()) is not None:
            if isinstance(decision, NewJob):
                job = next(numbers)
                point = dict(line.split("=") for line in decision.point)
                curves[job], at[job] = problem.curve(point), 0
                truths[job] = None if problem.truth is None else problem.truth(point)
            else:
                job = decision.job
            search.asked(job, decision)
            run(job, decision.until)
            free -= 1
        if not events:
            break
        now, _, job = heapq.heappop(events)
        value = (float(curves[job][at[job] - 1]),)
        if at[job] >= problem.epochs:
            search.ended(job, End(EndKind.COMPLETED, value, at[job]))
        else:
            goes_on = search.reached([Arrival(job, at[job], value)])
            if job in goes_on:
                run(job, goes_on[job])
                continue
            search.ended(job, End(EndKind.PAUSED, value, at[job]))
        free += 1
    return trace


Method = Callable[[Problem, int, int, int], Trace]  # problem, seed, workers, epochs


def method(mode: Mode, schedule: Schedule, **more: Any) -> Method:
    """Return podium's search as a method."""
    return lambda problem, seed, workers, epochs: simulate(
        ours(problem, seed, mode, schedule, **more), problem, workers, epochs
    )


__all__ = ["GoOn", "Method", "Trace", "method", "ours", "simulate", "space_of"]
