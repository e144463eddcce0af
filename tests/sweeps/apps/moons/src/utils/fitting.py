from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch


class Trainer:
    """Fit and test a model, with callbacks and loggers."""

    def __init__(
        self,
        default_root_dir: str,
        callbacks: Sequence[Any],
        logger: Sequence[Any],
        *,
        min_epochs: int,
        max_epochs: int,
        deterministic: bool,
    ) -> None:
        self.default_root_dir = Path(default_root_dir)
        self.callbacks = callbacks
        self.loggers = logger
        self.min_epochs, self.max_epochs = min_epochs, max_epochs
        self.callback_metrics: dict[str, float] = {}
        self.should_stop = False
        torch.use_deterministic_algorithms(deterministic)

    def fit(self, model: Any, datamodule: Any) -> None:
        datamodule.prepare_data()
        datamodule.setup()
        optimizer = model.configure_optimizer()
        for epoch in range(self.max_epochs):
            model.train()
            losses = []
            for batch in datamodule.train_dataloader():
                optimizer.zero_grad()
                loss = model.loss(batch)
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
            loss, accuracy = self._evaluate(model, datamodule.val_dataloader())
            self._log({"train/loss": sum(losses) / len(losses), "val/loss": loss, "val/acc": accuracy}, epoch)
            for callback in self.callbacks:
                callback.on_validation_end(self, model)
            if self.should_stop and epoch + 1 >= self.min_epochs:
                break

    def test(self, model: Any, datamodule: Any, checkpoint: Path | None) -> None:
        if checkpoint is not None:
            model = torch.load(checkpoint, weights_only=False)
        loss, accuracy = self._evaluate(model, datamodule.test_dataloader())
        self._log({"test/loss": loss, "test/acc": accuracy}, self.max_epochs)

    def _log(self, metrics: dict[str, float], step: int) -> None:
        self.callback_metrics.update(metrics)
        for logger in self.loggers:
            logger.log_metrics(metrics, step)

    @torch.no_grad()
    def _evaluate(self, model: Any, loader: Any) -> tuple[float, float]:
        model.eval()
        batches = [(model(inputs), labels) for inputs, labels in loader]
        outputs, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
        return float(model.criterion(outputs, labels)), float((outputs.argmax(1) == labels).double().mean())
