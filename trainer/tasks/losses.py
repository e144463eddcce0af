"""The loss of a training: that of the task or the user's own, with weights of classes and smoothed labels.

Only training sees it. `val_loss` and `test_loss` are always the plain loss of the task, so that runs compare.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from trainer.data.target import Target, TaskKind
from trainer.errors import ConfigError
from trainer.targets import bound
from trainer.tasks.outputs import Task, weighted

Loss = Callable[..., torch.Tensor]  # of logits, targets and, where rows have any, their weights


def build_loss(
    section: Mapping[str, Any] | None, settings: Mapping[str, Any], task: Task, target: torch.Tensor
) -> Loss | None:
    """Return the loss that a config asks for; None for the plain loss of the task.

    `section` names a loss by `_target_`, `settings` are those of the training, `target` holds the training rows' targets.
    Raise ConfigError for settings that the task does not have, and classes that are not there.
    """
    smoothing = settings.get("label_smoothing") or 0.0
    weights = _weights(settings, task.labels, target)
    if section and section.get("_target_"):
        if smoothing or weights is not None:
            raise ConfigError(
                f"loss._target_={section['_target_']}: cannot be combined with training.class_weight, "
                "training.pos_weight and training.label_smoothing; give them to the loss itself"
            )
        return _own(section, task, target.device)
    if task.kind is TaskKind.REGRESSION and smoothing:
        raise ConfigError(f"training.label_smoothing={smoothing}: a regression has no classes")
    if not smoothing and weights is None:
        return None
    return ClassLoss(task, smoothing, weights)


class ClassLoss:
    """The loss of a task with classes, whose labels are smoothed, and whose classes have `weights` where any are given."""

    def __init__(self, task: Task, smoothing: float, weights: torch.Tensor | None) -> None:
        self._task = task
        self.smoothing, self.weights = smoothing, weights

    def __call__(
        self, logits: torch.Tensor, goal: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the mean loss over rows and members; see `weighted`."""
        each = _of_classes if self._task.kind is TaskKind.MULTICLASS else _of_two
        logits, goal = self._task.per_member(logits, goal)
        losses = each(logits, goal, self.smoothing)
        losses = losses if self.weights is None else losses * self.weights[goal.long()]
        return losses.mean() if weight is None else weighted(losses, weight)


def _of_two(logits: torch.Tensor, goal: torch.Tensor, smoothing: float) -> torch.Tensor:
    smoothed = goal * (1 - smoothing) + smoothing / 2
    return functional.binary_cross_entropy_with_logits(logits, smoothed, reduction="none")


def _of_classes(logits: torch.Tensor, goal: torch.Tensor, smoothing: float) -> torch.Tensor:
    return functional.cross_entropy(logits, goal, reduction="none", label_smoothing=smoothing)


def _weights(settings: Mapping[str, Any], labels: Target, target: torch.Tensor) -> torch.Tensor | None:
    """Return a weight per class; None when all rows count the same."""
    given: Any = settings.get("class_weight")
    positive = settings.get("pos_weight")
    if given is None and positive is None:
        return None
    key = "class_weight" if positive is None else "pos_weight"
    if given is not None and positive is not None:
        raise ConfigError("training.class_weight and training.pos_weight: set one of them")
    if labels.task is TaskKind.REGRESSION or (positive is not None and labels.task is not TaskKind.BINARY):
        classes = "two classes" if positive is not None else "classes"
        raise ConfigError(f"training.{key}={settings[key]}: is for {classes}; the task is {labels.task}")
    if positive is not None:
        weights = [1.0, float(positive)]
    elif (
        given == "balanced"
    ):  # as in scikit-learn: inverse to the rows of a class, 1 on average over the rows
        counts = torch.bincount(target.long(), minlength=len(labels.classes))
        weights = (len(target) / (len(labels.classes) * counts)).tolist()
    else:
        by_name = {str(name): float(weight) for name, weight in given.items()}
        if strangers := [name for name in by_name if name not in labels.classes]:
            raise ConfigError(
                f"training.class_weight: {strangers[0]!r} is no class of {labels.name!r}; "
                f"allowed are {', '.join(map(repr, labels.classes))}"
            )
        weights = [by_name.get(name, 1.0) for name in labels.classes]
    return torch.tensor(weights, device=target.device)


def _own(section: Mapping[str, Any], task: Task, device: torch.device) -> Loss:
    """Return a user's loss: an object of a class, or a function with its arguments; one value per row is averaged."""
    factory = bound("loss", section)
    name = f"loss._target_={section['_target_']}"
    try:
        made = factory() if inspect.isclass(factory.func) else factory
    except (TypeError, ValueError) as error:
        lists = [key for key, value in section.items() if isinstance(value, list)]
        hint = f"; a tensor is written {lists[0]}={{_target_: torch.tensor, data: [...]}}" if lists else ""
        raise ConfigError(f"{name}: {error}{hint}") from error
    if isinstance(made, nn.Module):
        made = made.to(device)
    _check_call(name, made)

    def loss(logits: torch.Tensor, goal: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        logits, goal = task.per_member(logits, goal)
        found = made(logits, goal)
        if not isinstance(found, torch.Tensor):
            raise ConfigError(
                f"{name} returned {type(found).__name__}; allowed is a tensor: one loss, or one per row"
            )
        if found.ndim and found.shape[:1] != goal.shape[:1]:
            raise ConfigError(
                f"{name} returned a tensor of shape {tuple(found.shape)} for {len(goal)} rows; allowed is one loss, or one "
                "per row"
            )
        if logits.requires_grad and not found.requires_grad:
            raise ConfigError(
                f"{name} returned a loss that does not depend on the logits, so no model can learn by it"
            )
        if weight is None:
            return found.mean()
        if not found.ndim:
            raise ConfigError(
                f"{name} returned one loss for {len(goal)} rows; with data.weight_column it "
                "returns one per row, as losses of torch do with +loss.reduction=none"
            )
        return weighted(found, weight)

    return loss


def _check_call(name: str, made: Any) -> None:
    """Raise ConfigError for what cannot be called with logits and targets."""
    if not callable(made):
        raise ConfigError(f"{name}: cannot be called with logits and target")
    called = made.forward if isinstance(made, nn.Module) else made
    given = called.keywords if isinstance(called, partial) else {}
    try:
        signature = inspect.signature(called.func if isinstance(called, partial) else called)
    except (TypeError, ValueError):  # of a compiled function, which does not tell
        return
    try:
        signature.bind(None, None, **given)
    except TypeError as error:
        raise ConfigError(
            f"{name}: {error}; a loss is called with logits and target, and a function also with the other keys of its "
            "section"
        ) from error
