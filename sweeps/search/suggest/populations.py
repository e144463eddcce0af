"""Suggestions of Optuna's population samplers: CMA-ES and NSGA-II.

Such a sampler depends on the order in which it was asked and told, and on the trials that it was asked for itself. So a
study replays the history, and is asked for the point of the next job as soon as a job begins: at the same place of the
history whenever it is replayed.
"""

import random
from collections.abc import Callable, Sequence

import optuna
from optuna.samplers import BaseSampler, CmaEsSampler, NSGAIISampler
from optuna.trial import Trial, TrialState

from sweeps.search.dimensions import Coordinates
from sweeps.search.history import Asked, Entry, Told
from sweeps.search.searched_space import Placed, SearchedSpace
from sweeps.search.suggest.studies import chosen, distribution_of, quiet
from sweeps.settings.search_settings import Mode

FEW, MANY = 8, 50  # members of a population of NSGA-II
STEP = 0.1  # how much worse than the worst a job is that failed, as a share of the range of losses


class PopulationSuggester:
    """A study that hears the values of the first rung, which every job comes to."""

    def __init__(
        self, space: SearchedSpace, mode: Mode, objectives: int, seed: int, trials: int | None
    ) -> None:
        self._space = space
        self._objectives = objectives
        self._seed = seed
        members = min(max((trials or MANY) // 5, FEW), MANY)
        make: dict[Mode, Callable[[int], BaseSampler]] = {
            Mode.CMAES: lambda number: CmaEsSampler(
                seed=number, n_startup_trials=1, warn_independent_sampling=False
            ),
            Mode.NSGA2: lambda number: NSGAIISampler(seed=number, population_size=members),
        }
        self._sampler = make[mode]
        self._knows_bounds = mode is Mode.NSGA2
        self._read = 0
        self._asked = 0
        self._trials: dict[int, Trial] = {}
        self._told: set[int] = set()
        self._losses: list[tuple[float, ...]] = []
        with quiet():
            self._study = optuna.create_study(directions=["minimize"] * objectives)
            self._next, self._placed = self._ask()

    def suggest(self, entries: Sequence[Entry], number: int, source: random.Random) -> Placed | None:  # noqa: ARG002 - part of the contract
        """Return the point that the sampler has chosen for the next job."""
        with quiet():
            for entry in entries[self._read :]:
                self._hear(entry)
        self._read = len(entries)
        return self._placed

    def _hear(self, entry: Entry) -> None:
        if isinstance(entry, Asked) and entry.job not in self._trials:
            self._trials[entry.job] = self._begun(entry.coordinates)
            self._next, self._placed = self._ask()
        elif isinstance(entry, Told) and entry.rung == 0 and entry.job not in self._told:
            # What is told again is of a job that failed later on, or broke a constraint: the first value stays.
            self._told.add(entry.job)
            trial = self._trials[entry.job]
            if entry.violation > 0:
                trial.set_constraint("violation", entry.violation)
            has_failed = entry.losses is None or (entry.violation > 0 and not self._knows_bounds)
            losses = self._worst() if entry.losses is None or has_failed else entry.losses
            self._losses.append(losses)
            self._study.tell(trial.number, losses)

    def _worst(self) -> tuple[float, ...]:
        """Return losses for a job that failed: worse than the worst so far."""
        columns = list(zip(*self._losses, strict=True)) or [(0.0,)] * self._objectives
        return tuple(max(each) + STEP * (max(each) - min(each)) + STEP for each in columns)

    def _ask(self) -> tuple[Trial, Placed | None]:
        """Ask for the next point, by a source of its own."""
        self._study.sampler = self._sampler(random.Random(f"{self._seed}/{self._asked}").randrange(2**31))  # noqa: S311 - must be reproducible
        self._asked += 1
        if self._space.is_conditional:
            trial = self._study.ask()
        else:
            trial = self._study.ask({each.name: distribution_of(each) for each in self._space.dimensions})
        return trial, self._space.place(lambda dimension: chosen(trial, dimension))

    def _begun(self, coordinates: Coordinates) -> Trial:
        """Return the trial of a job: the one that was asked for, or one of a point that comes from elsewhere."""
        if self._placed is not None and self._placed.coordinates == coordinates:
            return self._next
        self._study.tell(self._next.number, state=TrialState.FAIL)
        known = {each.name: each for each in self._space.dimensions}
        fixed = {name: value for name, value in coordinates.items() if name in known}
        self._study.enqueue_trial(fixed)
        return self._study.ask({name: distribution_of(known[name]) for name in fixed})
