"""The training loop: what happens to a model between its first weights and its best checkpoint.

Read it top to bottom. The data already are tensors, a batch is a slice of a shuffled copy, and nothing asks
the device for a number before the epoch is over. Knows nothing of configs, files or the tracker: it logs
through `log(metrics, step)` and asks `should_stop()` once per epoch.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from trainer.checkpoint import State
from trainer.data.tensors import Dataset, Split
from trainer.errors import DivergedError
from trainer.models.network import Network, adapt, use_dropout_stream
from trainer.scoring import evaluate
from trainer.seeding import Ambient, generator

logger = logging.getLogger(__name__)


class Stop(StrEnum):
    """Why a training ended."""

    EPOCHS = "all epochs done"
    PATIENCE = "no better objective"
    ASKED = "asked to stop"


@dataclass(frozen=True)
class Objective:
    """What chooses the best epoch: a metric, `max` or `min`, and whether the `best` or `last` epoch counts."""

    metric: str = "val_auc"
    mode: str = "max"
    at: str = "best"

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether a value beats another one; NaN never does, and any other beats none at all."""
        if math.isnan(value):
            return False
        return than is None or (value > than if self.mode == "max" else value < than)


@dataclass(frozen=True)
class Fit:
    """A finished training: the objective's value, the epoch it is from, the epochs done, and why it ended."""

    value: float
    epoch: int
    epochs: int
    stop: Stop


def fit(
    model: nn.Module,
    data: Dataset,
    optimizer: Optimizer,
    *,
    epochs: int,
    batch_size: int,
    limit_batches: int | None = None,
    seed: int = 0,
    objective: Objective | None = None,
    scheduler: LRScheduler | None = None,
    patience: int | None = None,
    log: Callable[[dict[str, float], int], None] = lambda _metrics, _step: None,
    should_stop: Callable[[], bool] = lambda: False,
    begin: Callable[[State], None] = lambda _state: None,
    keep: Callable[[State], None] = lambda _state: None,
) -> Fit:
    """Train a model on the device it is on, and leave it with the weights of the epoch that counts.

    Per epoch (from 1) it logs train_loss, train_acc, val_loss, val_acc and val_auc. It ends after `epochs`,
    after `patience` epochs without a better objective, or at the end of an epoch in which `should_stop()`
    is true. `limit_batches` trains on so many batches of each epoch's shuffle and leaves the rest out. The order of the rows, our dropout layers, and whatever the model draws from torch's global
    state come from `seed` alone. `begin` may load an earlier state, whose epochs are then logged again and not
    trained; `keep` gets the state after each epoch. Raises DivergedError when a loss is not finite.
    """
    objective = objective or Objective()
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    network = adapt(model, data.shape.cardinalities)
    train, val = data.train.to(device), data.val.to(device)
    rows = None if limit_batches is None else limit_batches * batch_size
    order, dropout = generator(seed, "order"), generator(seed, "dropout", device)
    use_dropout_stream(model, dropout)
    foreign = Ambient(seed, "foreign", device)
    watch = Watch(objective)
    state = State(
        {"model": model, "optimizer": optimizer, "scheduler": scheduler, "watch": watch, "foreign": foreign},
        {"order": order, "dropout": dropout},
    )
    begin(state)
    for epoch, metrics in enumerate(state.history, start=1):
        log(metrics, epoch)
    stop = ended(state.epoch, epochs, watch.best_epoch, patience)
    while stop is None:
        shuffled = train.take(torch.randperm(len(train), generator=order)[:rows].to(device))
        with foreign.lent():
            metrics = train_epoch(network, shuffled, optimizer, batch_size)
            metrics |= validate(network, val)
        epoch = state.epoch + 1
        log(metrics, epoch)
        report(metrics, epoch, epochs)
        check_finite(metrics, epoch, optimizer)
        watch.see(metrics[objective.metric], epoch, model)
        advance(scheduler, metrics[objective.metric])
        state.history.append(metrics)
        keep(state)
        stop = Stop.ASKED if should_stop() else ended(epoch, epochs, watch.best_epoch, patience)
    model.load_state_dict(watch.weights)
    logger.info("%s: %s %.4f at epoch %d", stop, objective.metric, watch.value, watch.epoch)
    return Fit(watch.value, watch.epoch, state.epoch, stop)


def ended(epoch: int, epochs: int, best_epoch: int, patience: int | None) -> Stop | None:
    """Why there is nothing more to train after an epoch; None when there is."""
    if patience is not None and epoch - best_epoch >= patience:
        return Stop.PATIENCE
    return Stop.EPOCHS if epoch >= epochs else None


def validate(network: Network, rows: Split) -> dict[str, float]:
    """Score the validation rows, under the names these metrics are logged by."""
    scores = evaluate(network, rows)
    return {"val_loss": scores.loss, "val_acc": scores.accuracy, "val_auc": scores.auc}


def train_epoch(network: Network, rows: Split, optimizer: Optimizer, batch_size: int) -> dict[str, float]:
    """Go once over the rows in the order given; train_loss and train_acc are the means as seen while training.

    The device is asked for numbers once, at the end. A last batch of a single row is left out: batch
    normalisation cannot take it, and the next shuffle leaves out another row.
    """
    network.module.train()
    loss_sum = torch.zeros((), device=rows.target.device)
    correct = torch.zeros((), device=rows.target.device)
    seen = 0
    for start in range(0, len(rows), batch_size):
        batch = rows.take(slice(start, start + batch_size))
        if len(batch) == 1 and start > 0:
            break
        optimizer.zero_grad(set_to_none=True)
        logits = network(batch.numeric, batch.categorical)
        loss = binary_cross_entropy_with_logits(logits, batch.target)
        torch.autograd.backward(loss)
        optimizer.step()
        loss_sum += loss.detach() * len(batch)
        correct += ((logits.detach() > 0) == (batch.target > 0.5)).sum()
        seen += len(batch)
    return {"train_loss": loss_sum.item() / seen, "train_acc": correct.item() / seen}


def report(metrics: dict[str, float], epoch: int, epochs: int) -> None:
    """Write one line per epoch to the log."""
    values = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    logger.info("epoch %2d/%d  %s", epoch, epochs, values)


def check_finite(metrics: dict[str, float], epoch: int, optimizer: Optimizer) -> None:
    """Raise DivergedError when a loss is not a finite number; what was logged says when it began."""
    for name in ("train_loss", "val_loss"):
        if not math.isfinite(metrics[name]):
            raise DivergedError(
                f"{name} became {metrics[name]} in epoch {epoch}; try a smaller training.learning_rate "
                f"(now {optimizer.param_groups[0]['lr']:g}), or look for extreme values in the data"
            )


class Watch:
    """Follows the objective over the epochs and keeps the weights of the one that counts."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._best: float | None = None
        self.best_epoch = 0  # of the best value, which patience counts from
        self.value = math.nan  # of the epoch that counts, the best or the last
        self.epoch = 0
        self.weights: dict[str, torch.Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        """All it knows, as plain values and tensors."""
        return {
            "best": self._best, "best_epoch": self.best_epoch,
            "value": self.value, "epoch": self.epoch, "weights": self.weights,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Know what another one knew."""
        self._best, self.best_epoch = state["best"], state["best_epoch"]
        self.value, self.epoch, self.weights = state["value"], state["epoch"], dict(state["weights"])

    def see(self, value: float, epoch: int, model: nn.Module) -> None:
        """Take note of an epoch's value; copies the weights when this epoch counts."""
        improved = self._objective.is_better(value, self._best)
        if improved:
            self._best, self.best_epoch = value, epoch
        if improved or self._objective.at == "last" or not self.weights:
            self.value, self.epoch = value, epoch
            self.weights = {name: each.detach().clone() for name, each in model.state_dict().items()}


def advance(scheduler: LRScheduler | None, value: float) -> None:
    """Take the scheduler one epoch on; the one that waits for a plateau is told the objective."""
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(value)
    elif scheduler is not None:
        scheduler.step()
