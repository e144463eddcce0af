"""Suggestions of Optuna's TPE. One of two modules that import Optuna, when the first suggestion is asked for.

Optuna is given points and values, and asked for points; it stores nothing and judges no job. Each suggestion is that of a
new study, so it follows from what was heard alone. All values are told as those of completed trials: Optuna's own rules
take any trial that completed for a better one than any that was pruned. A job that runs without a value is a running
trial, which keeps further points away from its own.

TPE asks for the order of values. Jobs that came further are before those that were left behind, which they were better
than; at the same rung the lower loss is before the higher one. A study of the last rung alone would hold good points
only, the worst of them for bad ones, and would flee from where they are.
"""

import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import TPESampler
from optuna.trial import Trial, TrialState, create_trial

from sweeps.search.dimensions import Coordinates, Dimension, Number, Value
from sweeps.search.history import Entry, Heard, Told
from sweeps.search.searched_space import Placed, SearchedSpace

UNINFORMED = 0.15  # the share of points that are drawn all the same
MOST = 150  # jobs that a suggestion is made from: the best and the latest ones
WORSE = (
    2.0  # by how much a job that was left behind is worse, in ranges of losses: more than any loss of its own
)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep remarks of Optuna, such as on what is experimental, from the user and from tests."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def distribution_of(dimension: Dimension) -> BaseDistribution:
    """Return a dimension as Optuna's distribution; ordered choices are whole numbers, which have neighbours."""
    if isinstance(dimension, Number):
        within = dimension.interval
        if within.is_whole:
            return IntDistribution(int(within.start), int(within.end), log=within.is_log)
        return FloatDistribution(within.start, within.end, log=within.is_log)
    if dimension.is_ordered:
        return IntDistribution(0, dimension.size - 1)
    return CategoricalDistribution(tuple(range(dimension.size)))


def chosen(trial: Trial, dimension: Dimension) -> Value:
    """Return the value that a trial suggests for a dimension."""
    distribution = distribution_of(dimension)
    match distribution:
        case FloatDistribution():
            return trial.suggest_float(
                dimension.name, distribution.low, distribution.high, log=distribution.log
            )
        case IntDistribution():
            return trial.suggest_int(
                dimension.name, distribution.low, distribution.high, log=distribution.log
            )
    return int(trial.suggest_categorical(dimension.name, tuple(range(dimension.size or 0))))


class TpeSuggester:
    """Tree-structured Parzen estimators over all jobs, those that were left behind included."""

    def __init__(self, space: SearchedSpace, objectives: int) -> None:
        self._space = space
        self._objectives = objectives
        self._heard = Heard()
        self._distributions: dict[str, BaseDistribution] = {}

    def suggest(self, entries: Sequence[Entry], number: int, source: random.Random) -> Placed | None:  # noqa: ARG002 - part of the contract
        """Return the point that TPE suggests."""
        self._heard.read(entries)
        if not self._heard.told or source.random() < UNINFORMED:
            return self._space.draw(source)
        with quiet():
            return self._of_study(source.randrange(2**31))

    def _of_study(self, seed: int) -> Placed | None:
        conditional = self._space.is_conditional
        sampler = TPESampler(seed=seed, n_startup_trials=0, group=conditional)
        study = optuna.create_study(directions=["minimize"] * self._objectives, sampler=sampler)
        self._distributions = {each.name: distribution_of(each) for each in self._space.dimensions}
        for told, losses in zip(*self._ranked(), strict=True):
            params, distributions = self._params(self._heard.asked[told.job])
            constraints = {"violation": told.violation} if told.violation > 0 else None
            study.add_trial(
                create_trial(
                    values=losses, params=params, distributions=distributions, constraints=constraints
                )
            )
        for coordinates in self._heard.running(without_value=True):
            params, distributions = self._params(coordinates)
            study.add_trial(
                create_trial(state=TrialState.RUNNING, params=params, distributions=distributions)
            )
        trial = study.ask(None if conditional else self._distributions)
        return self._space.place(lambda dimension: chosen(trial, dimension))

    def _ranked(self) -> tuple[list[Told], list[list[float]]]:
        """Return the value of each job at the last rung that it came to, and losses that are in order over all rungs."""
        told = self._heard.last()
        fine = [each.losses for each in told if each.losses is not None]
        columns = list(zip(*fine, strict=True)) or [(0.0,)] * self._objectives
        top = max(each.rung for each in told)
        step = [WORSE * max(max(column) - min(column), 1.0) for column in columns]
        losses = [
            [
                max(column) + size * (top + 1)
                if each.losses is None
                else each.losses[index] + size * (top - each.rung)
                for index, (column, size) in enumerate(zip(columns, step, strict=True))
            ]
            for each in told
        ]
        if len(told) > MOST:
            order = sorted(range(len(told)), key=lambda i: losses[i])
            kept = {*order[: MOST // 3], *range(len(told) - (MOST - MOST // 3), len(told))}
            told = [each for index, each in enumerate(told) if index in kept]
            losses = [each for index, each in enumerate(losses) if index in kept]
        return told, losses

    def _params(self, coordinates: Coordinates) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        known = {name: value for name, value in coordinates.items() if name in self._distributions}
        return known, {name: self._distributions[name] for name in known}
