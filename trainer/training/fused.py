"""The epochs of a model: in a stack with the other models of this process where it can be, otherwise step by step.

A model alone is a stack of one, so that it gets the same numbers alone and beside others.
"""

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch

from tracking.process.turns import Raised, together
from trainer.data.encoding.shuffled import in_order
from trainer.data.tensors import Split
from trainer.device import cpu_threads
from trainer.seeding import Ambient
from trainer.training.epoch import Steps
from trainer.training.stack.lowered import NotLoweredError
from trainer.training.stack.stack import Stack, Turn, key, self_test

logger = logging.getLogger(__name__)

EachBatch = Callable[[int], None] | None
Logged = dict[str, float]


@dataclass(frozen=True, eq=False)
class Model:
    """A model in training, and its training rows; `kind` is equal for models that can share a stack, None for one in none."""

    steps: Steps
    rows: Split
    kind: Hashable = field(repr=False)


@dataclass(frozen=True)
class Asked:
    """An epoch of a model that waits for those of the others."""

    model: Model
    turn: Turn
    threads: int  # of the job, which the process has not where it computes for several

    @property
    def kind(self) -> Hashable:
        """What is equal for epochs that can be trained in a stack."""
        return self.model.kind, self.threads


class Epochs:
    """Trains the epochs of one model inside a `with`, after which the model has tensors of its own again.

    `foreign` replaces torch's global random state while the model's own code runs, which it does outside of a stack.
    """

    def __init__(self, steps: Steps, rows: Split, foreign: Ambient) -> None:
        self._foreign = foreign
        place = (rows.numeric.data_ptr(), rows.target.data_ptr(), len(rows))
        kind: Hashable = None
        try:
            kind = (place, key(steps, rows))
        except NotLoweredError as reason:
            logger.info("not fused: %s", reason)
        self._model = Model(steps, rows, kind)

    def epoch(self, order: torch.Tensor, each_batch: EachBatch = None) -> Logged:
        """Train once on the rows of an order; return what `Steps.epoch` does."""
        steps, rows = self._model.steps, self._model.rows
        if self._model.kind is not None:
            logged: Logged = together(train_each, self.asked(order, each_batch))
            return logged
        with self._foreign.lent():
            return steps.epoch(in_order(rows, order, rows.device), each_batch)

    def asked(self, order: torch.Tensor, each_batch: EachBatch = None) -> Asked:
        """Return an epoch for `train_each`."""
        return Asked(self._model, Turn(self._model.steps, order, each_batch), torch.get_num_threads())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _release([self._model])
        _apart.discard(self._model)


_stacks: dict[tuple[Model, ...], Stack] = {}  # those that wait for their next epoch, by the models in them
_apart: set[Model] = set()  # those of stacks that failed where none of the models fails by itself


def train_each(asked: Sequence[Asked]) -> Sequence[Any]:
    """Train an epoch of each model, those of one kind in a stack.

    Return for each what it logs, a `Logged`, or a `Raised`, in their order.
    """
    kinds: dict[Hashable, list[int]] = {}
    for place, each in enumerate(asked):
        kinds.setdefault(each.model if each.model in _apart else each.kind, []).append(place)
    if any(len(places) > 1 for places in kinds.values()) and (fault := _inexact(asked[0].threads)):
        logger.warning("each model trains alone, because stacks are not exact on this machine: %s", fault)
        kinds = {place: [place] for place in range(len(asked))}
    logged: dict[int, Logged | Raised] = {}
    for places in kinds.values():
        logged |= zip(places, _trained([asked[place] for place in places]), strict=True)
    return [logged[place] for place in range(len(asked))]


def _inexact(threads: int) -> str | None:
    with cpu_threads(threads):
        return self_test()


def _trained(asked: Sequence[Asked]) -> Sequence[Logged | Raised]:
    models = tuple(each.model for each in asked)
    try:
        with cpu_threads(asked[0].threads):
            if models not in _stacks:
                _release(models)
                _stacks[models] = Stack([each.steps for each in models], models[0].rows)
            logged = _stacks[models].epoch([each.turn for each in asked])
            if not _apart.isdisjoint(models):
                _release(models)  # memory may be short
            return logged
    except Exception as error:  # noqa: BLE001 - of these models alone: others of the process go on
        if len(models) == 1:
            return [Raised(error)]
        fault = repr(error)  # not the error itself, which holds the memory of the stack
    return _one_by_one(asked, fault)


def _one_by_one(asked: Sequence[Asked], fault: str) -> Sequence[Logged | Raised]:
    """Train an epoch that failed in a stack, which has left each model as it was before, with each model alone.

    Those that are well get the numbers that they would have got in the stack. If all of them are, as where there is no memory
    for a stack, they stay apart; else only those that fail are at fault, and end.
    """
    models = {each.model for each in asked}
    _apart.update(models)
    found = [_trained([each])[0] for each in asked]
    failed = sum(isinstance(each, Raised) for each in found)
    if failed:
        _apart.difference_update(models)
    result = f"{failed} failed again" if failed else "they go on alone"
    logger.warning(
        "%d models trained this epoch alone after it failed in a stack (%s); %s", len(asked), fault, result
    )
    return found


def _release(models: Sequence[Model]) -> None:
    """Give up the stacks that any of these models is in."""
    for members in [each for each in _stacks if any(model in each for model in models)]:
        _stacks.pop(members).release()
