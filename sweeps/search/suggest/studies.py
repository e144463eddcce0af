"""Suggestions of Optuna's TPE. One of two modules that import Optuna, when the first suggestion is asked for.

Optuna is given points and values, and asked for points; it stores nothing and judges no job. A study holds the values of
one rung, all told as those of completed trials: its own rules take any trial that completed for a better one than any
that was pruned. A job without a value there is a running trial, which keeps further points away from its own.
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
from optuna.trial import Trial, TrialState, create_trial

from sweeps.search.dimensions import Coordinates, Dimension, Number, Value
from sweeps.search.history import Asked, Entry, Told
from sweeps.search.searched_space import Placed, SearchedSpace

ENOUGH = 8  # values at a rung before points are chosen by them
UNINFORMED = 0.15  # the share of points that are drawn all the same
WORST = 1e100  # the loss of a job that failed; TPE asks for the order of losses alone


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
    """Tree-structured Parzen estimators over the values of the highest rung that has enough of them."""

    def __init__(self, space: SearchedSpace, rungs: int, objectives: int) -> None:
        self._space = space
        self._rungs = [_Rung(space, index, objectives) for index in range(rungs)]
        self._read = 0

    def suggest(self, entries: Sequence[Entry], number: int, source: random.Random) -> Placed | None:  # noqa: ARG002 - part of the contract
        """Return the point that TPE suggests, a random one while no rung has enough values."""
        for entry in entries[self._read :]:
            for rung in self._rungs:
                rung.hear(entry)
        self._read = len(entries)
        informed = next((rung for rung in reversed(self._rungs) if len(rung.told) >= ENOUGH), None)
        if informed is None or source.random() < UNINFORMED:
            return self._space.draw(source)
        with quiet():
            return informed.suggest(source.randrange(2**31))


class _Rung:
    """What was heard of one rung, and the study of it, which is brought up to date when it is asked."""

    def __init__(self, space: SearchedSpace, index: int, objectives: int) -> None:
        self._space = space
        self._index = index
        self._objectives = objectives
        self._asked: dict[int, Coordinates] = {}
        self.told: dict[int, Told] = {}
        self._log: list[Entry] = []
        self._brought = 0  # entries of the log that the study has
        self._study: optuna.Study | None = None
        self._running: dict[int, int] = {}  # the trials of jobs without a value
        self._valued: set[int] = set()  # jobs whose value the study has

    def hear(self, entry: Entry) -> None:
        """Note an entry, if it is about this rung."""
        if isinstance(entry, Asked):
            self._asked[entry.job] = entry.coordinates
        if isinstance(entry, Told):
            if entry.rung != self._index:
                return
            is_known, self.told[entry.job] = entry.job in self.told, entry
            if is_known:
                self._study = None  # a study keeps what it was told, so another one is told all of it
                return
        self._log.append(entry)

    def suggest(self, seed: int) -> Placed | None:
        """Return a point by the values so far."""
        if self._study is None:
            self._study = optuna.create_study(directions=["minimize"] * self._objectives)
            self._running, self._valued, self._brought = {}, set(), 0
        for entry in self._log[self._brought :]:
            self._bring(self._study, entry)
        self._brought = len(self._log)
        self._study.sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=0, group=self._space.is_conditional
        )
        distributions = {each.name: distribution_of(each) for each in self._space.dimensions}
        trial = self._study.ask(None if self._space.is_conditional else distributions)
        try:
            return self._space.place(lambda dimension: chosen(trial, dimension))
        finally:
            self._study.tell(trial, state=TrialState.FAIL)  # which TPE forgets

    def _bring(self, study: optuna.Study, entry: Entry) -> None:
        if not isinstance(entry, Asked):
            number = self._running.pop(entry.job, None)
            if number is not None:
                study.tell(number, state=TrialState.FAIL)
        elif entry.job not in self._running and entry.job not in self._valued:
            self._running[entry.job] = len(study.get_trials(deepcopy=False))
            params, distributions = self._params(entry.job)
            study.add_trial(
                create_trial(state=TrialState.RUNNING, params=params, distributions=distributions)
            )
        if isinstance(entry, Told):
            told = self.told[entry.job]
            losses = [WORST] * self._objectives if told.losses is None else list(told.losses)
            params, distributions = self._params(entry.job)
            constraints = {"violation": told.violation} if told.violation > 0 else None
            study.add_trial(
                create_trial(
                    values=losses, params=params, distributions=distributions, constraints=constraints
                )
            )
            self._valued.add(entry.job)

    def _params(self, job: int) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        known = {each.name: each for each in self._space.dimensions}
        coordinates = {name: value for name, value in self._asked[job].items() if name in known}
        return coordinates, {name: distribution_of(known[name]) for name in coordinates}
