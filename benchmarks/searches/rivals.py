"""What a search is measured against: random points, one epoch for all and then the best, Optuna with its own pruners."""

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner, MedianPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import Trial, TrialState

from benchmarks.searches.problems import Problem
from benchmarks.searches.simulation import Method, Trace, space_of
from sweeps.search.searched_space import SearchedSpace
from sweeps.search.suggest.studies import chosen, quiet
from sweeps.settings.sweeper_settings import SpaceSettings


def one_epoch_first(problem: Problem, seed: int, workers: int, epochs: int) -> Trace:
    """Train random points for one epoch with half of the budget, then the best of them in full (Egele et al. 2023)."""
    space, source = SearchedSpace(space_of(problem), SpaceSettings(params={})), random.Random(seed)
    placed = [space.draw(source) for _ in range(epochs // 2)]
    curves = [problem.curve(dict(line.split("=") for line in each.point)) for each in placed if each]
    trace, free = Trace(), [0.0] * workers
    for curve in curves:
        heapq.heappush(free, trace.run(heapq.heappop(free), curve[:1]))
    best = sorted(range(len(curves)), key=lambda i: -curves[i][0])
    for index in best[: epochs // 2 // problem.epochs + workers]:
        heapq.heappush(free, trace.run(heapq.heappop(free), curves[index][1:]))
    return trace


def stock(sampler: Callable[[int], BaseSampler], pruner: Callable[[], BasePruner] | None) -> Method:
    """Return Optuna as its users run it: each epoch reported, its pruner asked, its storage in memory."""

    def method(problem: Problem, seed: int, workers: int, epochs: int) -> Trace:
        with quiet():
            given = optuna.pruners.NopPruner() if pruner is None else pruner()
            study = optuna.create_study(direction="maximize", sampler=sampler(seed), pruner=given)
            return _run(study, problem, workers, epochs)

    return method


def _run(study: optuna.Study, problem: Problem, workers: int, epochs: int) -> Trace:
    space, trace = SearchedSpace(space_of(problem), SpaceSettings(params={})), Trace()
    events: list[tuple[float, int, Trial, Any, int]] = []
    ticket = itertools.count()

    def begin(now: float) -> None:
        trial = study.ask()
        placed = space.place(lambda dimension: chosen(trial, dimension))
        values = dict(line.split("=") for line in placed.point) if placed else {}
        truth = None if problem.truth is None else problem.truth(values)
        end = trace.run(now, (curve := problem.curve(values))[:1], truth)
        heapq.heappush(events, (end, next(ticket), trial, curve, 1))

    for _ in range(workers):
        begin(0.0)
    while len(trace.values) < epochs + workers:
        now, _, trial, curve, count = heapq.heappop(events)
        value = float(curve[count - 1])
        trial.report(value, count)
        if count == problem.epochs:
            study.tell(trial, value)
            begin(now)
        elif trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            begin(now)
        else:
            end = trace.run(now, np.asarray(curve[count : count + 1]))
            heapq.heappush(events, (end, next(ticket), trial, curve, count + 1))
    return trace


BY_BUDGET = "one epoch, then the best in full"  # which is told its budget, so it runs once for each
RIVALS: dict[str, Method] = {
    "random, all in full": stock(lambda seed: RandomSampler(seed=seed), None),
    BY_BUDGET: one_epoch_first,
    "Optuna's TPE, all in full": stock(lambda seed: TPESampler(seed=seed), None),
    "Optuna's TPE + median pruning": stock(lambda seed: TPESampler(seed=seed), lambda: MedianPruner(5, 3)),
    "Optuna's TPE + SuccessiveHalving": stock(
        lambda seed: TPESampler(seed=seed), lambda: SuccessiveHalvingPruner(reduction_factor=3)
    ),
}
