"""Dropout masks: the share they drop, their expectation, and the independence of neighbours."""

import pytest
import torch

from trainer.models.dropout import mask
from trainer.seeding import generator


@pytest.mark.parametrize("p", [0.0, 0.001, 0.3, 0.5, 0.999])
def test_a_dropout_mask_drops_its_share_and_keeps_the_expectation(p: float) -> None:
    drawn = mask(torch.Size([1001, 999]), p, device=torch.device("cpu"), generator=generator(0, "dropout"))
    assert (drawn == 0).float().mean().item() == pytest.approx(p, abs=0.002)
    assert drawn.mean().item() == pytest.approx(1, abs=0.05)


def test_a_dropout_mask_is_independent_between_neighbours() -> None:
    shape = torch.Size([400_000])
    drawn = mask(shape, 0.5, device=torch.device("cpu"), generator=generator(0, "dropout")) > 0
    for lag in (1, 2, 3, 4, 8):
        both = (drawn[lag:] & drawn[:-lag]).float().mean().item()
        assert both == pytest.approx(0.25, abs=0.005)
