"""Scores a network on the validation rows after each epoch.

One that starts from a linear model counts beyond it by as much as it is sure to be better than that model alone. Its two
parts are computed apart, so that a share of the second costs no second pass over the rows.
"""

from typing import Self

import torch

from trainer.data.target import TaskKind
from trainer.data.tensors import Split
from trainer.models.linear_start import start_of
from trainer.models.network import Network
from trainer.scoring import Scores, evaluate, infer, scored
from trainer.tasks.outputs import Task

RANKED = ("val_auc", "val_average_precision")  # objectives that are of the order of two classes


class Validation:
    """The validation rows, and the linear model alone where a network starts from one."""

    def __init__(self, val: Split, task: Task, objective: str, linear: torch.Tensor | None = None) -> None:
        self._val = val
        self._task = task
        self._is_ranked = task.kind is TaskKind.BINARY and objective in RANKED
        self._linear = linear
        self._alone = None if linear is None else scored(linear, val, task)

    @classmethod
    def of(cls, network: Network, val: Split, task: Task, objective: str, *, has_start: bool) -> Self:
        """Return the validation of a network; `has_start` says whether its linear start is fitted."""
        start = start_of(network.module)
        if start is None or not has_start:
            return cls(val, task, objective)
        with start.showing("linear"):
            return cls(val, task, objective, infer(network, val.numeric, val.categorical, mapped=val.mapped))

    def scores(self, network: Network) -> Scores:
        """Score a network, and let the share of it that is sure to help count from now on."""
        start = start_of(network.module)
        if start is None or self._linear is None or self._alone is None:
            return evaluate(network, self._val, task=self._task)
        with start.showing("rest"):
            rest = infer(network, self._val.numeric, self._val.categorical, mapped=self._val.mapped)
        whole = scored(start.summed(self._linear, rest, torch.ones_like(start.share)), self._val, self._task)
        start.share.fill_(self._share(whole, self._alone))
        return scored(start.summed(self._linear, rest, start.share), self._val, self._task)

    def _share(self, whole: Scores, alone: Scores) -> float:
        """Return the share; where ranks are the objective, the mean of what the loss and the ranks say."""
        in_loss = whole.gain_over(alone)
        return (in_loss + whole.gain_over(alone, in_ranks=True)) / 2 if self._is_ranked else in_loss
