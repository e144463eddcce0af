"""One epoch of training: a step per batch, with clipped gradients and averaged weights where asked for.

No number is read from the device before the epoch is over.
"""

import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel

from trainer.data.encoding.shuffled import Gathered
from trainer.data.target import TaskKind
from trainer.data.tensors import Dataset, Split
from trainer.errors import ConfigError, ModelError
from trainer.models.network import Network, adapt
from trainer.tasks.outputs import Task, task_of
from trainer.watching.divergence import Losses, NotFiniteError

WARM_UP = 9  # steps, times the average's memory, until it is as long as its decay says
Loss = Callable[..., torch.Tensor]  # of logits, targets and, where rows have any, their weights


@dataclass(frozen=True)
class StepOptions:
    """What may differ from a plain step per batch.

    `loss` takes logits and targets; None: that of the task. `clip` is the largest norm of all gradients together. With a
    decay `ema` the exponential moving average of the weights is scored and kept in their place. The scheduler steps once
    per `interval`, `epoch` or `batch`.
    """

    loss: Loss | None = None
    clip: float | None = None
    ema: float | None = None
    interval: str = "epoch"


@dataclass(frozen=True)
class Steps:
    """How batches become steps."""

    network: Network
    optimizer: Optimizer
    scheduler: LRScheduler | None
    task: Task
    batch_size: int
    options: StepOptions
    average: "Average | None"
    losses: Losses

    @classmethod
    def of(
        cls,
        model: nn.Module,
        data: Dataset,
        optimizer: Optimizer,
        scheduler: LRScheduler | None = None,
        *,
        batch_size: int,
        options: StepOptions | None = None,
    ) -> "Steps":
        """Return the steps that train a model; raise ModelError for a batch size that it cannot take."""
        _check_batch_size(model, batch_size)
        network = adapt(model, data.shape.cardinalities, data.labels.outputs)
        options = options or StepOptions()
        average = None if options.ema is None else Average(model, options.ema)
        losses = Losses(model, optimizer)
        return cls(network, optimizer, scheduler, task_of(data.labels), batch_size, options, average, losses)

    @property
    def parts(self) -> dict[str, Any]:
        """What has a state to save and load."""
        parts = {"model": self.network.module, "optimizer": self.optimizer, "scheduler": self.scheduler}
        return {**parts, "average": self.average}

    @property
    def scored(self) -> Network:
        """The network whose weights count: the average where there is one."""
        return self.network if self.average is None else replace(self.network, module=self.average.module)

    def advance(self, objective: float) -> None:
        """Step the scheduler after an epoch, unless it steps per batch; one that watches a plateau gets the objective."""
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(objective)
        elif self.scheduler is not None and self.options.interval == "epoch":
            try:
                self.scheduler.step()
            except (RuntimeError, TypeError, ValueError) as error:
                raise _refused("scheduler", self.scheduler, error) from error

    def epoch(
        self, rows: Split | Gathered, each_batch: Callable[[int], None] | None = None
    ) -> dict[str, float]:
        """Train once on all rows in the given order; return the means of the loss and the accuracy while training.

        `each_batch` is called with the rows of each batch. A loss that is not finite is the fault of `losses`; it ends
        the epoch where it is known at once.
        """
        self.network.module.train()
        has_accuracy = self.task.kind is not TaskKind.REGRESSION
        per_batch = self.scheduler if self.options.interval == "batch" else None
        step = self._step_by_closure if needs_closure(self.optimizer) else self._step
        loss_sum = torch.zeros((), device=rows.device)
        correct = torch.zeros((), device=rows.device)
        seen = 0
        count = batches(len(rows), self.batch_size)
        self.losses.begin(count, rows.device)
        for index in range(count):
            start = index * self.batch_size
            end = start + self.batch_size if index < count - 1 else len(rows)
            batch = rows.take(slice(start, end))
            try:
                logits, loss = step(batch)
            except NotFiniteError:
                break
            if per_batch is not None:
                per_batch.step()
            if self.average is not None:
                self.average.follow()
            loss_sum += loss * len(batch)
            if has_accuracy:
                right = self.task.correct(self.task.combined(logits), batch.target)
                correct += (right if batch.weight is None else right * batch.weight).sum()
            seen += len(batch)
            if each_batch is not None:
                each_batch(len(batch))
        # `item` waits for the device, hence only here.
        loss_mean = loss_sum.item() / max(seen, 1)
        if not math.isfinite(loss_mean):
            self.losses.end()
        if self.losses.fault is not None:
            loss_mean = self.losses.fault.loss
        counted = seen if rows.weight is None else rows.weight[:seen].sum().item()
        accuracy = {"train_acc": correct.item() / (counted or 1)} if has_accuracy else {}
        return {"train_loss": loss_mean, **accuracy}

    def _step(self, batch: Split) -> tuple[torch.Tensor, torch.Tensor]:
        """Take one step; return the logits and the loss before it."""
        logits, loss = self._backward(batch)
        try:
            self.optimizer.step()
        except (RuntimeError, TypeError, ValueError) as error:  # as of dense gradients for SparseAdam
            raise _refused("optimizer", self.optimizer, error) from error
        return logits, loss

    def _step_by_closure(self, batch: Split) -> tuple[torch.Tensor, torch.Tensor]:
        """Take one step of an optimizer that computes the loss as often as it needs; return the first logits and loss."""
        results: list[tuple[torch.Tensor, torch.Tensor]] = []

        def closure() -> Any:
            results.append(self._backward(batch, is_first=not results))
            return results[-1][1]

        self.optimizer.step(closure)
        return results[0]

    def _backward(self, batch: Split, *, is_first: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the gradients of a batch."""
        logits = self.network(batch.numeric, batch.categorical)
        loss = (self.options.loss or self.task.loss)(logits, batch.target, *batch.weights)
        if is_first:
            self.losses.see(loss)
        _clear(self.optimizer)  # not before: the gradients of the step before tell of a fault
        torch.autograd.backward(loss)  # as loss.backward(), which has no types
        clip = self.options.clip
        self.losses.stepped(
            None if clip is None else nn.utils.clip_grad_norm_(self.network.module.parameters(), clip)
        )
        return logits.detach(), loss.detach()


def _refused(section: str, made: object, error: Exception) -> Exception:
    """Return the error for a step that an optimizer or a scheduler cannot take."""
    if isinstance(error, torch.OutOfMemoryError):
        return error
    return ConfigError(
        f"{section} {type(made).__name__}: {error}; choose another {section}._target_, or other keys"
    )


def batches(rows: int, batch_size: int) -> int:
    """Return the number of batches of an epoch.

    A last batch of one row, which batch normalisation could not take, joins the batch before it.
    """
    count = math.ceil(rows / batch_size)
    return count - 1 if batch_size > 1 and count > 1 and rows % batch_size == 1 else count


def _clear(optimizer: Optimizer) -> None:
    """Remove all gradients, as `zero_grad` does, whose entry for the profiler takes as long as a small layer."""
    if type(optimizer).zero_grad is not Optimizer.zero_grad:
        optimizer.zero_grad()
        return
    for group in optimizer.param_groups:
        for each in group["params"]:
            each.grad = None


def needs_closure(optimizer: Optimizer) -> bool:
    """Whether an optimizer's step computes the loss itself, as that of LBFGS."""
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    return closure is not None and closure.default is closure.empty


Tensors = tuple[list[torch.Tensor], list[torch.Tensor]]  # of the average, and of the model


class Average(AveragedModel):
    """A copy of a model that follows its weights as an exponential moving average.

    The first averages are shorter, over a tenth of the steps so far, so that they do not hold the initial weights for long.
    The tensors are listed once, and their number is counted here: torch's `update_parameters` walks all modules in each step,
    and waits for the device.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model)
        self._decay = decay
        self._done: int | None = None  # averages so far; at first those of a checkpoint
        self._pairs: Tensors = [*self.module.parameters()], [*model.parameters()]
        self._kept: Tensors = [*self.module.buffers()], [*model.buffers()]

    def pair(self, own: Iterable[torch.Tensor], of_model: Iterable[torch.Tensor]) -> None:
        """Average other tensors from now on, which hold the parameters of the average and those of the model."""
        self._pairs = [*own], [*of_model]

    def count_anew(self) -> None:
        """Take the number of averages so far from the state, which was put back to an earlier one."""
        self._done = None

    def follow(self) -> None:
        """Average the present weights in; take the buffers as they are."""
        done = int(self.n_averaged) if self._done is None else self._done
        with torch.no_grad():
            if done:
                torch._foreach_lerp_(*self._pairs, max(1 - self._decay, WARM_UP / (WARM_UP + 1 + done)))
            else:
                torch._foreach_copy_(*self._pairs)
            if self._kept[0]:
                torch._foreach_copy_(*self._kept)
            self.n_averaged.add_(1)  # not +=, which assigns the buffer anew
        self._done = done + 1


def _check_batch_size(model: nn.Module, batch_size: int) -> None:
    """Raise ModelError for batches of one row and a model that normalises over the rows of a batch."""
    if batch_size == 1 and any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in model.modules()):
        raise ModelError(
            f"training.batch_size=1: {type(model).__name__} normalises over the rows of a batch; use 2 or more"
        )
