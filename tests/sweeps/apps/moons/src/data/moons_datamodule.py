from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset


class MoonsDataModule:
    """Two half moons, split into train, val and test; loaded by worker processes."""

    def __init__(
        self, cache_dir: str, rows: int, noise: float, batch_size: int, *, num_workers: int, pin_memory: bool
    ) -> None:
        self.cache_dir = Path(cache_dir)
        self.rows, self.noise = rows, noise
        self.loading = {"batch_size": batch_size, "num_workers": num_workers, "pin_memory": pin_memory}
        # Neither can be pickled: worker processes have to be forked.
        self.transform: Callable[[torch.Tensor], torch.Tensor] = lambda inputs: (inputs - 0.5) / 2.0
        self.dataset_class = _dataset_class()

    def prepare_data(self) -> None:
        self.cache_dir.mkdir(parents=True, exist_ok=True)

    def setup(self) -> None:
        generator = torch.Generator().manual_seed(0)
        angle = torch.rand(self.rows, generator=generator) * torch.pi
        labels = torch.arange(self.rows) % 2
        x = torch.where(labels == 0, angle.cos(), 1 - angle.cos())
        y = torch.where(labels == 0, angle.sin(), 0.5 - angle.sin())
        inputs = torch.stack([x, y], dim=1)
        inputs += self.noise * torch.randn(inputs.shape, generator=generator)
        cut, end = self.rows // 2, 3 * self.rows // 4
        self.splits = [
            self.dataset_class(inputs[part], labels[part], self.transform)
            for part in (slice(0, cut), slice(cut, end), slice(end, None))
        ]

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.splits[0], shuffle=True, **self.loading)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.splits[1], **self.loading)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.splits[2], **self.loading)


def _dataset_class() -> type:
    class Moons(Dataset):
        def __init__(self, inputs: torch.Tensor, labels: torch.Tensor, transform: Any) -> None:
            self.inputs, self.labels, self.transform = inputs, labels, transform

        def __len__(self) -> int:
            return len(self.inputs)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
            return self.transform(self.inputs[index]), self.labels[index]

    return Moons
