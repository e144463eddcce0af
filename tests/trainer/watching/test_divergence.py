"""A loss that is no finite number is told with its step, the gradients before it and the learning rate."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from trainer.watching.divergence import EVERY, Losses, NotFiniteError


def after(gradients: list[float], device: str = "cpu", batches: int = 50) -> tuple[Losses, Any]:
    """Losses of a model that took steps with gradients of these norms."""
    model = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    losses = Losses(model, optimizer)
    losses.begin(batches, torch.device(device))
    if device != "cpu":
        losses._losses = torch.zeros(batches)  # a device whose numbers can be read in a test
    for norm in gradients:
        losses.see(torch.tensor(1.0))
        model.weight.grad = torch.full((1, 1), norm)
        losses.stepped(None)
    return losses, model


def test_on_the_cpu_it_is_told_at_once_with_the_gradients_of_the_batch_before() -> None:
    losses, _ = after([1.0, 20.0])
    with pytest.raises(NotFiniteError):
        losses.see(torch.tensor(math.nan))
    assert losses.fault is not None
    assert losses.fault.where(epoch=3) == (
        "at batch 3 of 50 (step 103), with a gradient norm of 20 at the batch before and a learning rate of 0.5"
    )


def test_in_the_first_step_there_are_no_gradients_before_it() -> None:
    losses, _ = after([])
    with pytest.raises(NotFiniteError):
        losses.see(torch.tensor(math.inf))
    assert losses.fault is not None
    assert losses.fault.where(epoch=1) == "at batch 1 of 50 (step 1), with a learning rate of 0.5"


def test_elsewhere_it_is_found_once_the_epoch_is_over_with_the_last_norm_that_was_kept() -> None:
    losses, _ = after([float(step) for step in range(1, EVERY + 4)], device="meta")
    losses.see(torch.tensor(math.nan))
    assert losses.fault is None
    losses.end()
    assert losses.fault is not None
    assert (losses.fault.batch, losses.fault.norm, losses.fault.norm_batch) == (
        EVERY + 4,
        EVERY + 1.0,
        EVERY + 1,
    )
    assert "at 3 batches before" in losses.fault.where(1)


def test_a_clipped_gradient_counts_as_it_was() -> None:
    losses, _ = after([1.0])
    losses.stepped(torch.tensor(1e6))
    assert losses.norm() == 1e6


def test_for_a_loss_of_the_validation_the_last_batch_counts() -> None:
    losses, _ = after([1.0, 7.0], batches=2)
    assert losses.last(math.nan).where(epoch=2) == (
        "at batch 2 of 2 (step 4), with a gradient norm of 7 at that batch and a learning rate of 0.5"
    )


def test_an_epoch_without_a_fault_has_none() -> None:
    losses, _ = after([1.0, 2.0])
    losses.end()
    assert losses.fault is None


def test_sparse_gradients_have_no_norm() -> None:
    model = nn.Embedding(4, 2, sparse=True)
    losses = Losses(model, torch.optim.SGD(model.parameters(), 0.1))
    losses.begin(1, torch.device("cpu"))
    model(torch.tensor([1])).sum().backward()
    assert losses.norm() is None
