"""A Lightning module, trained by Lightning itself."""

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainer import Checkpoint, build_model, evaluate, load_data, save_model
from trainer.models.network import flatten


class Classifier(lightning.LightningModule):
    """A perceptron for two classes. `input_dim` is given by podium, the other arguments are keys of the config."""

    def __init__(self, input_dim: int, width: int = 32, learning_rate: float = 1e-3) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(input_dim, width), nn.ReLU(), nn.Linear(width, 1))
        self.learning_rate = learning_rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a logit per row."""
        return self.net(x).squeeze(1)

    def training_step(self, batch: list[torch.Tensor], _index: int) -> torch.Tensor:
        """Return the loss of a batch."""
        x, target = batch
        return nn.functional.binary_cross_entropy_with_logits(self(x), target)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), self.learning_rate)


class Follow(lightning.Callback):
    """Logs the validation AUC of each epoch, and stops when the run is asked to."""

    def __init__(self, run, data) -> None:
        self.run, self.data = run, data

    def on_train_epoch_end(self, trainer, model) -> None:
        """Score the model after an epoch."""
        self.run.log(
            {"val_auc": evaluate(model, self.data.val, data=self.data).auc}, trainer.current_epoch + 1
        )
        trainer.should_stop |= self.run.should_stop()


def train(config, run):
    """Train the model of the config with Lightning, and save it as any other model."""
    data = load_data(config, run)
    model = build_model(config, data)
    saved = Checkpoint.of(config, run)  # its folder is there again after a kill
    last = saved.folder / "last.ckpt"
    rows = flatten(data.train.numeric, data.train.categorical, data.shape.cardinalities)
    batches = DataLoader(
        TensorDataset(rows, data.train.target), batch_size=config.task.batch_size, shuffle=True
    )
    lightning.Trainer(
        max_epochs=config.task.epochs,
        accelerator="cpu",
        callbacks=[Follow(run, data), ModelCheckpoint(saved.folder, save_last=True)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(model, batches, ckpt_path=last if last.exists() else None)
    run.log(evaluate(model, data.test, data=data).named())
    save_model(run, model, config, data)
