"""A task that a function of the user's does for several configs at once, such as a vectorised objective.

Each job still has its folder, its log, its runs and its outcome; jobs that share a process wait for each other and
compute together.
"""

import contextlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from hydra.types import TaskFunction
from omegaconf import DictConfig, OmegaConf

from sweeps.plan.grouping import MANY, function_named
from tracking.process.turns import computed, together


@cache
def with_others(dotted: str) -> TaskFunction:
    """Return the task of one job, which gives its config to the function with this dotted name together with others'.

    That function takes a list of configs and returns, for each, what the task would have returned, or an exception that
    its job then raises.
    """
    outcomes = _outcomes_of(dotted)

    def task(config: DictConfig) -> Any:
        return together(outcomes, _settled(config))

    return task


@cache
def _outcomes_of(dotted: str) -> Callable[[Sequence[DictConfig]], list[Any]]:
    function: Any = function_named(f"{MANY}={dotted}", dotted)
    return lambda configs: computed(function, configs)


def _settled(config: DictConfig) -> DictConfig:
    """Return a config whose interpolations are resolved where that is possible: outside of the job nothing else knows them."""
    settled: DictConfig = config.copy()
    with contextlib.suppress(Exception):  # of one that the function may never ask for; its error comes then
        OmegaConf.resolve(settled)
    return settled
