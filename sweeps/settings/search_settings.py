"""The settings of a sweep that learns from its jobs as frozen values. `search_reading` reads and checks them."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tracking import InvalidValueError
from tracking.objective import Objective


class Mode(StrEnum):
    """How the points of a sweep are chosen."""

    GRID = "grid"  # every value with every other
    ZIP = "zip"  # the first values together, then the second ones, ...
    RANDOM = "random"  # drawn
    LIST = "list"  # the given points alone
    TPE = "tpe"  # learned from the jobs so far: tree-structured Parzen estimators
    GP = "gp"  # a Gaussian process over points and epochs
    CMAES = "cmaes"  # an evolution strategy that adapts its covariance
    NSGA2 = "nsga2"  # a genetic algorithm for several objectives
    QMC = "qmc"  # a Sobol sequence, which fills the space evenly

    @property
    def is_listed(self) -> bool:
        """Whether the settings alone say all points: every combination, aligned values or a list."""
        return self in {Mode.GRID, Mode.ZIP, Mode.LIST}

    @property
    def learns(self) -> bool:
        """Whether only a search knows its points, one after the other."""
        return not self.is_listed and self is not Mode.RANDOM


class Schedule(StrEnum):
    """Which jobs stop before their end."""

    NONE = "none"  # none of them
    ASHA = "asha"  # those that are not among the best at a rung pause, and go on when they are
    MEDIAN = "median"  # those that are worse than the median of the others at the same epoch end


FEWEST = 2  # jobs that confirm: one has no other beside it
ENOUGH = 10  # jobs of a search, of which so many may repeat others

_CONSTRAINT = re.compile(r"\s*(?P<metric>.+?)\s*(?P<sign><=|>=)\s*(?P<bound>[-+.\w]+)\s*")


@dataclass(frozen=True)
class Constraint:
    """A bound that the last value of a metric must keep."""

    metric: str
    sign: str  # <= or >=
    bound: float

    @classmethod
    def parse(cls, text: str) -> "Constraint":
        """Read ``val_latency_ms <= 5``; raise InvalidValueError for anything else."""
        found = _CONSTRAINT.fullmatch(text)
        try:
            bound = float(found["bound"]) if found else math.nan
        except ValueError:
            bound = math.nan
        if found is None or not math.isfinite(bound):
            raise InvalidValueError(
                f"{text}: allowed is a metric, <= or >=, and a number: val_latency_ms <= 5"
            )
        return cls(found["metric"], found["sign"], bound)

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {self.bound:g}"

    def violation(self, value: float | None) -> float:
        """Return by how much a value breaks the bound, 0 or less if it keeps it; infinity without a finite value."""
        if value is None or not math.isfinite(value):
            return math.inf
        return value - self.bound if self.sign == "<=" else self.bound - value


@dataclass(frozen=True)
class SearchSettings:
    """How a search chooses points, which jobs it stops early, and when it is over.

    `mode` is random too, and a listed mode when a schedule stops the jobs of given points: these are then all
    enqueued. At least one of `n_trials`, `budget_epochs`, `budget_s` and `patience` is set.
    Epochs stand for values of the objective that a run has logged.
    """

    mode: Mode
    schedule: Schedule
    objectives: tuple[Objective, ...]
    seed: int = 0
    n_trials: int | None = None  # jobs in all, those that confirm included
    budget_epochs: int | None = None  # of all jobs together
    budget_s: float | None = None  # of all sessions together; the session watches the clock
    target: float | None = None  # over as soon as the first objective reaches it
    patience: int | None = None  # over after so many jobs without a better one
    min_epochs: int | None = None  # the first rung; None for a share of `max_epochs`
    max_epochs: int | None = None  # the length of a job; None if it is not known
    eta: float = 2.0  # each rung keeps one of so many
    resumes: bool = False  # whether a job that is started again goes on from a checkpoint of its own
    confirm: float = (
        0.1  # how many jobs repeat the best with new seeds: a count, or a share of all when below 1
    )
    constraints: tuple[Constraint, ...] = ()
    enqueue: str | tuple[Mapping[str, Any], ...] = ()  # points to begin with, or a file of them
    enqueue_defaults: bool = True  # whether the values of the config file are the very first point
    warm_start: str | None = None  # a sweep whose jobs count as if they were of this one, where they fit
    space_function: str | None = None  # dotted f(cfg, trial), which draws a point

    def confirmations(self, total: int) -> int:
        """Return how many of `total` jobs repeat the best: at most half, and of a share at least two, of ten or more."""
        if self.confirm >= 1:
            return min(int(self.confirm), total // 2)
        count = int(self.confirm * total)
        return count if count >= FEWEST or not self.confirm else FEWEST if total >= ENOUGH else 0
