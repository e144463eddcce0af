"""What a model of a stack was when its epoch began, so that the epoch can begin again.

Keeping it copies the numbers of the model and of its optimizer once, which takes about as long as one step of the optimizer.
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch

from trainer.models.dropout import Dropout
from trainer.training.epoch import Steps
from trainer.training.stack.flat_storage import Home
from trainer.training.stack.fused_steps import Stepper


class EpochStart:
    """Keeps all that an epoch changes of a model whose parameters are at `home`, and of its average, if that has a home."""

    def __init__(self, steps: Steps, home: Home, stepper: Stepper, averaged: Home | None) -> None:
        self._steps, self._parameters, self._stepper = steps, home.parameters, stepper
        module = steps.network.module
        self._own = [home.values.whole, home.gradients.whole, *module.buffers()]
        if steps.average is not None and averaged is not None:
            self._own += [averaged.values.whole, *steps.average.buffers()]
        drawing = (each.generator for each in module.modules() if isinstance(each, Dropout))
        self._stream = next((each for each in drawing if each is not None), None)
        self._per_batch = steps.scheduler if steps.options.interval == "batch" else None
        self._tensors: Sequence[torch.Tensor] = ()
        self._copies: list[torch.Tensor] = []
        self._schedule: Any = None

    def keep(self) -> None:
        """Keep the model as it is, in place of what was kept before."""
        self._tensors = [*self._own, *self._stepper.memory]
        if [each.shape for each in self._tensors] != [each.shape for each in self._copies]:
            self._copies = [torch.empty_like(each) for each in self._tensors]
        _copy(self._tensors, self._copies)
        # Tensors that begin or end to be a state or a gradient; those that stay are among the copies.
        self._states = {each: state.copy() for each, state in self._steps.optimizer.state.items()}
        self._gradients = [each.grad for each in self._parameters]
        self._losses = vars(self._steps.losses).copy()
        self._drawn = None if self._stream is None else self._stream.get_state()
        if self._per_batch is not None:
            self._schedule = copy.deepcopy((self._per_batch.state_dict(), self._rates()))

    def restore(self) -> None:
        """Make the model what it was when it was kept; this needs no memory."""
        _copy(self._copies, self._tensors)
        self._steps.optimizer.state.clear()
        self._steps.optimizer.state.update(self._states)
        for each, gradient in zip(self._parameters, self._gradients, strict=True):
            each.grad = gradient
        vars(self._steps.losses).update(self._losses)
        if self._stream is not None and self._drawn is not None:
            self._stream.set_state(self._drawn)
        if self._steps.average is not None:
            self._steps.average.count_anew()
        if self._per_batch is not None:
            state, rates = self._schedule
            self._per_batch.load_state_dict(state)
            for group, known in zip(self._steps.optimizer.param_groups, rates, strict=True):
                group.update(known)

    def _rates(self) -> list[dict[str, Any]]:
        """Return what a scheduler may change of each group of the optimizer."""
        groups = self._steps.optimizer.param_groups
        return [{name: value for name, value in group.items() if name != "params"} for group in groups]


def _copy(sources: Sequence[torch.Tensor], targets: Sequence[torch.Tensor]) -> None:
    with torch.no_grad():
        for source, target in zip(sources, targets, strict=True):
            target.copy_(source)
