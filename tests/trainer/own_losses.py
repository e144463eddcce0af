"""Losses and optimizers of a user."""

from typing import Any

import torch


def margin(logits: torch.Tensor, target: torch.Tensor, *, width: float) -> torch.Tensor:
    return torch.relu(width - logits * (2 * target - 1))


def of_logits(logits: torch.Tensor) -> torch.Tensor:
    return logits.mean()


def two_numbers(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return torch.stack([logits.mean(), target.mean()])


def constant(_logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return target.mean()


class Takes3(torch.nn.Module):
    def forward(self, logits: torch.Tensor, target: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return (logits - target - other).mean()


class ByRow(torch.nn.Module):
    """Holds a weight per class, which moves with the module."""

    def __init__(self, positive: float = 2.0) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor([1.0, positive]))

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return losses * self.weights[target.long()]


class TakesAll(torch.optim.SGD):
    def __init__(self, params: Any, **others: Any) -> None:
        super().__init__(params, **others)


class Cautious(torch.optim.Optimizer):
    """Needs a closure, as LBFGS."""

    def __init__(self, params: Any, lr: float = 1e-2) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any) -> Any:  # type: ignore[override]
        with torch.enable_grad():
            loss = closure()
        for group in self.param_groups:
            for each in group["params"]:
                each -= group["lr"] * each.grad
        return loss
