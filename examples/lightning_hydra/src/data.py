"""Points of two spirals, drawn from a seed."""

import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset


class Spirals(lightning.LightningDataModule):
    """Two spirals, one per class, in three parts of the same size."""

    def __init__(self, points: int, noise: float, batch_size: int, seed: int) -> None:
        super().__init__()
        self.points, self.noise, self.batch_size, self.seed = points, noise, batch_size, seed

    def setup(self, stage: str) -> None:  # noqa: ARG002 - Lightning's signature
        """Draw the points."""
        draw = torch.Generator().manual_seed(self.seed)
        target = torch.arange(self.points) % 2
        angle = torch.rand(self.points, generator=draw) * 6 + 1
        turned = angle + torch.pi * target
        x = torch.stack([turned.cos(), turned.sin()], 1) * angle[:, None] / 7
        x += self.noise * torch.randn(x.shape, generator=draw)
        self.parts = torch.utils.data.random_split(
            TensorDataset(x, target.float()), [1 / 3] * 3, generator=draw
        )

    def train_dataloader(self) -> DataLoader:
        """Return the batches to train on, in a new order each epoch."""
        return DataLoader(self.parts[0], self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        """Return the batches to validate on."""
        return DataLoader(self.parts[1], self.batch_size)

    def test_dataloader(self) -> DataLoader:
        """Return the batches to test on."""
        return DataLoader(self.parts[2], self.batch_size)
