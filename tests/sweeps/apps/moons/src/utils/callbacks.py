from pathlib import Path
from typing import Any

import torch


class ModelCheckpoint:
    """Save the whole model whenever the metric is the best so far."""

    def __init__(self, dirpath: str, monitor: str) -> None:
        self.dirpath = Path(dirpath)
        self.monitor = monitor
        self.best: float | None = None
        self.best_model_path: Path | None = None

    def on_validation_end(self, trainer: Any, model: torch.nn.Module) -> None:
        value = trainer.callback_metrics[self.monitor]
        if self.best is None or value > self.best:
            self.dirpath.mkdir(parents=True, exist_ok=True)
            self.best, self.best_model_path = value, self.dirpath / "best.ckpt"
            torch.save(model, self.best_model_path)


class EarlyStopping:
    """Stop when the metric has not improved for some epochs."""

    def __init__(self, monitor: str, patience: int) -> None:
        self.monitor = monitor
        self.patience = patience
        self.best = float("-inf")
        self.waited = 0

    def on_validation_end(self, trainer: Any, model: torch.nn.Module) -> None:
        value = trainer.callback_metrics[self.monitor]
        self.waited = 0 if value > self.best else self.waited + 1
        self.best = max(self.best, value)
        trainer.should_stop = self.waited >= self.patience
