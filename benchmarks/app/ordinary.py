"""The script that anybody would write: a dataset with an item per row, a loader, Adam, a loop that reads each loss.

A column of text is a category with an embedding of its own, any other one is a number.
"""

from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pandas as pd
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.utils.data import DataLoader, Dataset

Item = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class Rows(Dataset[Item]):
    """Rows of a table, one item each."""

    def __init__(self, numeric: Any, categorical: Any, target: Any) -> None:
        self.numeric = torch.tensor(numeric, dtype=torch.float32)
        self.categorical = torch.tensor(categorical, dtype=torch.int64)
        self.target = torch.tensor(target, dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, index: int) -> Item:
        return self.numeric[index], self.categorical[index], self.target[index]


class Net(nn.Module):
    """A perceptron of numbers and of an embedding for each category."""

    def __init__(
        self, numbers: int, sizes: list[int], hidden: list[int], dropout: float, embedding_dim: int = 8
    ) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(size, embedding_dim) for size in sizes)
        layers: list[nn.Module] = []
        width = numbers + embedding_dim * len(sizes)
        for each in hidden:
            layers += [nn.Linear(width, each), nn.ReLU(), nn.Dropout(dropout)]
            width = each
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return a logit for each row."""
        columns = [each(categorical[:, index]) for index, each in enumerate(self.embeddings)]
        logits: torch.Tensor = self.layers(torch.cat([numeric, *columns], dim=1)).squeeze(1)
        return logits


def train_epoch(model: nn.Module, loader: DataLoader[Item], optimizer: torch.optim.Optimizer) -> float:
    """Train once on all rows; return the mean loss."""
    model.train()
    criterion = nn.BCEWithLogitsLoss()
    total, seen = 0.0, 0
    for numeric, categorical, target in loader:
        optimizer.zero_grad()
        loss = criterion(model(numeric, categorical), target)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(target)
        seen += len(target)
    return total / seen


def validate(model: nn.Module, loader: DataLoader[Item]) -> float:
    """Return the area under the ROC curve."""
    model.eval()
    logits, targets = [], []
    with torch.no_grad():
        for numeric, categorical, target in loader:
            logits += model(numeric, categorical).tolist()
            targets += target.tolist()
    return float(roc_auc_score(targets, logits))


def read(table: str, target: str) -> tuple[Any, Any, list[int], Any]:
    """Return the scaled numbers, the codes of the categories, their number per column, and the target."""
    frame = pd.read_csv(table)
    goal = frame.pop(target).to_numpy()
    text = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    codes = [pd.factorize(frame[name])[0] for name in text]
    numeric = frame.drop(columns=text).to_numpy(dtype=np.float32)
    numeric = (numeric - numeric.mean(axis=0)) / numeric.std(axis=0)
    categorical = np.stack(codes, axis=1) if codes else np.zeros((len(frame), 0), dtype=np.int64)
    return numeric, categorical, [int(each.max()) + 1 for each in codes], goal


@hydra.main(config_path=".", config_name="ordinary", version_base="1.3")
def main(cfg: DictConfig) -> float:
    """Train, validate after each epoch, save the best model, and return its area under the ROC curve."""
    torch.manual_seed(cfg.seed)
    numeric, categorical, sizes, target = read(cfg.table, cfg.target)
    rows = np.random.default_rng(cfg.seed).permutation(len(target))
    train, val = rows[: int(0.7 * len(rows))], rows[int(0.7 * len(rows)) : int(0.85 * len(rows))]
    loader, held_out = (
        DataLoader(
            Rows(numeric[part], categorical[part], target[part]), cfg.batch_size, shuffle=part is train
        )
        for part in (train, val)
    )
    model = Net(numeric.shape[1], sizes, list(cfg.hidden), cfg.dropout, cfg.embedding_dim)
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg.learning_rate)
    best = 0.0
    for epoch in range(cfg.epochs):
        loss, auc = train_epoch(model, loader, optimizer), validate(model, held_out)
        print(f"epoch {epoch} loss {loss:.4f} val_auc {auc:.4f}")
        if auc > best:
            best = auc
            folder = HydraConfig.get().runtime.output_dir
            torch.save(model.state_dict(), Path(folder) / "best.pt")
    return best


if __name__ == "__main__":
    main()
