"""The training loop.

The data are tensors, a batch is a slice of a shuffled copy, of the whole or of a block of rows, and no number is read from the device before the
epoch is over. The loop does not know configs, files or the tracker: it logs through `log(metrics, step)`
and calls `should_stop()` once per epoch.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainer.checkpoint import State
from trainer.data.tensors import Dataset, Split
from trainer.errors import DivergedError
from trainer.models.linear_start import start_of
from trainer.models.network import observe, use_dropout_stream
from trainer.schema import OBJECTIVES
from trainer.scoring import Scores
from trainer.seeding import Ambient, generator
from trainer.tasks.outputs import Task, task_of
from trainer.tasks.own_metrics import OwnMetric
from trainer.training.epoch import StepOptions, Steps
from trainer.training.fused import Epochs
from trainer.training.validation import Validation
from trainer.watching.divergence import Losses
from trainer.watching.progress import shown_number

logger = logging.getLogger(__name__)


class Stop(StrEnum):
    """The reason why a training ended."""

    EPOCHS = "all epochs done"
    PATIENCE = "no better objective"
    ASKED = "asked to stop"


@dataclass(frozen=True)
class Objective:
    """The metric that chooses the epoch: its mode (`max` or `min`), and whether the `best` or `last` epoch counts."""

    metric: str = "val_auc"
    mode: str = "max"
    at: str = "best"

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether a value is better than another one; NaN never is, and any number is better than None."""
        if math.isnan(value):
            return False
        return than is None or (value > than if self.mode == "max" else value < than)


@dataclass(frozen=True)
class Fit:
    """A finished training: the objective's value, its epoch, the number of epochs, why it ended, all metrics."""

    value: float
    epoch: int
    epochs: int
    stop: Stop
    history: list[dict[str, float]] = field(repr=False)  # the metrics of each epoch


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
    options: StepOptions | None = None,
    patience: int | None = None,
    metrics: Sequence[OwnMetric] = (),
    log: Callable[[dict[str, float], int], None] = lambda _metrics, _step: None,
    should_stop: Callable[[], bool] = lambda: False,
    begin: Callable[[State], None] = lambda _state: None,
    keep: Callable[[State], None] = lambda _state: None,
    each_batch: Callable[[int], None] | None = None,
) -> Fit:
    """Train a model on the device it is on, and load the weights of the epoch that counts into it.

    Each epoch (from 1) logs train_loss, train_acc (not for a regression), and what `validated` returns. Training ends after
    `epochs`, after `patience` epochs without a better objective, or once `should_stop()` is true after an epoch. All that
    is random depends on `seed` alone. `begin` may load an earlier state, whose epochs are logged again but not trained;
    `keep` gets each epoch's state, `each_batch` the rows of each batch. Raise DivergedError for a loss not finite.
    """
    task = task_of(data.labels)
    objective = objective or Objective(OBJECTIVES[task.kind])
    device, train, val = placed(model, data)
    has_start = started(model, train, options, task)
    steps = Steps.of(model, data, optimizer, scheduler, batch_size=batch_size, options=options)
    rows = None if limit_batches is None else limit_batches * batch_size
    order, dropout = generator(seed, "order"), generator(seed, "dropout", device)
    use_dropout_stream(model, dropout)
    watch, foreign = Watch(objective), Ambient(seed, "foreign", device)  # the latter for torch's global state
    state = State({**steps.parts, "watch": watch, "foreign": foreign}, {"order": order, "dropout": dropout})
    begin(state)
    validation = Validation.of(steps.scored, val, task, objective.metric, has_start=has_start)
    course = _Course(steps, validation, watch, state, objective, metrics, epochs, patience)
    for epoch, known in enumerate(state.history, start=1):
        log(known, epoch)
    # A training that was ended before it could ask, after an epoch that counts, asks now.
    stop = course.ended() or (Stop.ASKED if state.history and should_stop() else None)
    with Epochs(steps, train, foreign) as training:
        while stop is None:
            drawn = torch.randperm(len(train), generator=order)[:rows]
            trained = training.epoch(drawn, each_batch)
            with foreign.lent():
                logged = course.validated(trained)
            log(logged, state.epoch + 1)
            course.record(logged)
            keep(state)
            # In this order: what has ended by itself waits for no judgement of its sweep.
            stop = course.ended() or (Stop.ASKED if should_stop() else None)
    model.load_state_dict(watch.weights)
    logger.info("%s: %s %s at epoch %d", stop, objective.metric, shown_number(watch.value), watch.epoch)
    return Fit(watch.value, watch.epoch, state.epoch, stop, state.history)


@dataclass
class _Course:
    """A training between its epochs: how good the model is, which epoch counts, when it ends."""

    steps: Steps
    validation: Validation
    watch: "Watch"
    state: State
    objective: Objective
    metrics: Sequence[OwnMetric]
    epochs: int
    patience: int | None
    widths: dict[str, int] = field(default_factory=dict)  # of the numbers in the log

    def validated(self, logged: dict[str, float]) -> dict[str, float]:
        """Return what an epoch logs, with the metrics of the validation rows."""
        steps = self.steps
        scores = self.validation.scores(steps.scored)
        return logged | validated(scores, steps.task, self.objective, self.metrics)

    def record(self, logged: dict[str, float]) -> None:
        """Take note of an epoch, and step the scheduler; raise DivergedError for a loss that is not finite."""
        epoch, steps, value = self.state.epoch + 1, self.steps, logged[self.objective.metric]
        check_finite(logged, epoch, steps.losses)
        counted = f"{epoch:{len(str(self.epochs))}d}/{self.epochs}"
        logger.info("epoch %s  %s", counted, shown(logged, self.widths))
        self.watch.see(value, epoch, steps.scored.module, loss=logged["val_loss"])
        steps.advance(value)
        self.state.history.append(logged)

    def ended(self) -> Stop | None:
        """Return why the training ends after the last epoch, or None when it continues."""
        return ended(self.state.epoch, self.epochs, self.watch.best_epoch, self.patience)


def placed(model: nn.Module, data: Dataset) -> tuple[torch.device, Split, Split]:
    """Return the device of a model, with the rows to train and to validate on it; rows in files stay there."""
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    return device, data.train if data.train.mapped else data.train.to(device), data.val.to(device)


def started(model: nn.Module, train: Split, options: StepOptions | None, task: Task) -> bool:
    """Show a model the training rows, and fit its linear start; return whether there is one.

    What the rest gains is measured by the loss of the task, which a training with another loss may not lower; so with
    another loss the start stays zero.
    """
    observe(model, train.numeric)
    loss, start = options.loss if options else None, start_of(model)
    if start is None or loss is not None:
        return False
    start.fit(train, task.loss)
    return True


def validated(scores: Scores, task: Task, objective: Objective, own: Sequence[OwnMetric]) -> dict[str, float]:
    """Return the validation metrics that an epoch logs: those of the task, the objective and the user."""
    found = {f"val_{each.name}": scores.own(each) for each in own}
    names = task.per_epoch if objective.metric in found else task.logged(objective.metric)
    return {f"val_{name}": scores.metric(name) for name in names} | found


def ended(epoch: int, epochs: int, best_epoch: int, patience: int | None) -> Stop | None:
    """Return why the training ends after an epoch, or None when it continues."""
    if patience is not None and epoch - best_epoch >= patience:
        return Stop.PATIENCE
    return Stop.EPOCHS if epoch >= epochs else None


def shown(metrics: dict[str, float], widths: dict[str, int] | None = None) -> str:
    """Return metrics as one line of a log; `widths` are those of the values before, so that the lines of epochs align."""
    widths = {} if widths is None else widths
    for name, value in metrics.items():
        widths[name] = max(widths.get(name, 0), len(shown_number(value)))
    return "  ".join(f"{name} {shown_number(value):>{widths[name]}}" for name, value in metrics.items())


def check_finite(metrics: dict[str, float], epoch: int, losses: Losses) -> None:
    """Raise DivergedError when a loss is not a finite number, with the step and what came before it."""
    for name in ("train_loss", "val_loss"):
        if not math.isfinite(metrics[name]):
            fault = losses.fault or losses.last(metrics[name])
            raise DivergedError(
                f"{name} became {metrics[name]} in epoch {epoch} {fault.where(epoch)}; try a smaller "
                "training.learning_rate, or training.gradient_clip=1, or look for extreme values in the data"
            )


class Watch:
    """The objective over the epochs, and the weights of the epoch that counts."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self.best: float | None = None
        self.best_epoch = 0  # patience counts from here
        self.loss = math.inf  # of that epoch; of two equal values the smaller loss is better
        self.value = math.nan  # of the epoch that counts: the best or the last
        self.epoch = 0
        self.weights: dict[str, torch.Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain values and tensors."""
        return {name: value for name, value in vars(self).items() if name != "_objective"}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        vars(self).update(state)

    def see(self, value: float, epoch: int, model: nn.Module, *, loss: float) -> None:
        """Record an epoch's value, and copy the weights when this epoch counts.

        Ranks of few rows, such as an AUC, stay the same for many epochs while the model still learns, so the validation
        loss decides between equal values.
        """
        improved = self._objective.is_better(value, self.best) or (value == self.best and loss < self.loss)
        if improved:
            self.best, self.best_epoch, self.loss = value, epoch, loss
        # NaN never improves, so that without weights any epoch counts.
        if improved or self._objective.at == "last" or not self.weights:
            self.value, self.epoch = value, epoch
            self.weights = {name: each.detach().clone() for name, each in model.state_dict().items()}
