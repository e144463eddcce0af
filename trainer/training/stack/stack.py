"""Trains epochs of several models together, with the numbers that each gets alone.

The models share what they have in common: batches gathered once, bits of dropout drawn once, and one call for all of them where no
result depends on its place in memory. Products of matrices and steps of the optimizer are computed for one model at a time.
"""

from collections.abc import Callable, Hashable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from trainer.data.target import TaskKind
from trainer.data.tensors import Split
from trainer.models.mlp import TabularClassifier
from trainer.models.network import adapt, use_dropout_stream
from trainer.seeding import generator
from trainer.tasks.outputs import task_of
from trainer.training.epoch import StepOptions, Steps
from trainer.training.optim import build_optimizer
from trainer.training.stack.admission import admitted
from trainer.training.stack.block import Member
from trainer.training.stack.feeding import Sources
from trainer.training.stack.lowered import NotLoweredError
from trainer.training.stack.products import one_thread
from trainer.training.stack.rounds import Group
from trainer.watching.divergence import Losses

SEEDS, SIZE = (0, 1), 2 * 37 + 11  # of the models of the self-test, and its rows


@dataclass(frozen=True)
class Turn:
    """One model's epoch: the numbers of its rows in their order, and who is told the rows of each batch."""

    steps: Steps
    order: torch.Tensor
    each_batch: Callable[[int], None] | None = None


def not_stackable(steps: Steps, rows: Split) -> str | None:
    """Return why a model cannot be trained in a stack, in words for a user; None when it can."""
    try:
        admitted(steps, rows)
    except NotLoweredError as reason:
        return str(reason)
    return None


def key(steps: Steps, rows: Split) -> Hashable:
    """Return what is equal for models that can share a stack; raise NotLoweredError for one that cannot be in any."""
    return admitted(steps, rows).key


class Stack:
    """Models that train together until `release`; meanwhile their parameters are views of the stack's memory."""

    def __init__(self, models: Sequence[Steps], rows: Split) -> None:
        self._rows = rows
        self._graph = admitted(models[0], rows).graph
        self._sources = Sources(rows, self._graph)
        self._members = [Member.of(each) for each in models]
        self._groups: dict[tuple[int, ...], Group] = {}

    def epoch(self, turns: Sequence[Turn]) -> list[dict[str, float]]:
        """Train each model once on the rows of its turn; return what `Steps.epoch` returns for each.

        A model whose loss is not finite leaves the epoch, as it would alone, and the others go on. Where the epoch of several
        models raises, each of them is left as it was before, and can train it again in another stack; the batches of that are
        told anew. What a model alone is left as is undefined, as in the loop.
        """
        with ExitStack() as unless_done:
            for each in self._members if len(self._members) > 1 else ():
                each.start.keep()
                unless_done.callback(each.start.restore)
            self._train(turns)
            unless_done.pop_all()
        return [self._logged(member, turn) for member, turn in zip(self._members, turns, strict=True)]

    def _train(self, turns: Sequence[Turn]) -> None:
        lengths: dict[int, list[int]] = {}
        for place, turn in enumerate(turns):
            lengths.setdefault(len(turn.order), []).append(place)
        with torch.no_grad(), np.errstate(all="ignore"), one_thread():
            for places in lengths.values():
                group = self._groups.setdefault(tuple(places), Group(self._graph, self._rows, self._sources))
                group.epoch([self._members[place] for place in places], [turns[place] for place in places])

    def release(self) -> None:
        """Give each model, its gradients and its optimizer memory of their own."""
        for each in self._members:
            each.leave()

    def _logged(self, member: Member, turn: Turn) -> dict[str, float]:
        steps, seen = member.steps, member.seen
        fault = steps.losses.fault
        loss = member.loss_sum / max(seen, 1) if fault is None else fault.loss
        if steps.task.kind is TaskKind.REGRESSION:
            return {"train_loss": loss}
        weight = self._rows.weight
        counted = seen if weight is None else weight[turn.order[:seen]].sum().item()
        return {"train_loss": loss, "train_acc": member.right / (counted or 1)}


@cache
def self_test() -> str | None:
    """Return how models of a stack differ from the same models alone on this machine, or None; found out once per process."""
    rows = _rows()
    together, apart = [_steps(seed) for seed in SEEDS], [_steps(seed) for seed in SEEDS]
    order = torch.arange(len(rows))
    logged = Stack(together, rows).epoch([Turn(each, order) for each in together])
    for number, (first, second) in enumerate(zip(together, apart, strict=True)):
        alone = Stack([second], rows).epoch([Turn(second, order)])[0]
        if alone != logged[number]:
            return f"the losses of a model in a stack differ from those alone: {logged[number]} and {alone}"
        states = [each.network.module.state_dict() for each in (first, second)]
        for name, value in states[0].items():
            if not torch.equal(value, states[1][name]):
                return f"{name} of a model in a stack differs from that alone"
    return None


def _rows() -> Split:
    drawn = generator(0, "self test")
    numeric = torch.randn(SIZE, 5, generator=drawn)
    codes = torch.randint(7, (SIZE, 2), generator=drawn)
    return Split(numeric, codes, (numeric.sum(dim=1) > 0).float())


def _steps(seed: int) -> Steps:
    drawn = generator(seed, "init")
    model = TabularClassifier(5, (24, 17), 0.1 * (seed + 1), cardinalities=(7, 7), generator=drawn)
    use_dropout_stream(model, generator(seed, "dropout"))
    adam = {"_target_": "torch.optim.Adam"}
    optimizer = build_optimizer(adam, model, learning_rate=0.01 * (seed + 1), weight_decay=0.0)
    network = adapt(model, (7, 7))
    return Steps(network, optimizer, None, task_of(), 37, StepOptions(), None, Losses(model, optimizer))


__all__ = ["Stack", "Turn", "key", "not_stackable", "self_test"]
