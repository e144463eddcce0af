"""Of a training in several processes the first one logs, and all stop together."""

from pathlib import Path

import pytest
from trained import run_script

from tracking import ExperimentTracker
from tracking.files import read_json

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the frameworks warn of the machine

LIGHTNING = """
import sys, torch
family, strategy = sys.argv[1:]
if family == "lightning":
    import lightning.pytorch as pl
else:
    import pytorch_lightning as pl
from tracking.integrations.lightning import TrackingLogger
from torch.utils.data import DataLoader, TensorDataset

class Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(1, 1)
    def training_step(self, batch, index):
        loss = ((self.line(batch[0]) - batch[1]) ** 2).mean()
        self.log("train/loss", loss, on_step=False, on_epoch=True, sync_dist=True)
        return loss
    def on_train_epoch_end(self):
        if self.trainer.is_global_zero and self.current_epoch == 1:
            (self.logger.experiment.run_dir / "stop").touch()
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

if __name__ == "__main__":
    x = torch.linspace(-1, 1, 16)[:, None]
    several = {} if strategy == "auto" else {"devices": 2, "strategy": strategy}
    trainer = pl.Trainer(max_epochs=20, accelerator="cpu", logger=TrackingLogger("lines"), enable_progress_bar=False,
                         enable_model_summary=False, **several)
    trainer.fit(Line(), DataLoader(TensorDataset(x, 2 * x), batch_size=4))
    assert trainer.current_epoch <= 3, trainer.current_epoch
"""
HUGGING_FACE = """
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from tracking.integrations.huggingface import TrackingCallback

class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(1, 1)
    def forward(self, x, labels):
        return {"loss": ((self.line(x) - labels) ** 2).mean()}

class Asks(TrainerCallback):
    def on_epoch_begin(self, args, state, control, **given):
        if state.epoch >= 1 and state.is_world_process_zero:
            (logs.run.run_dir / "stop").touch()

class Told(Trainer):
    def compute_loss(self, *args, **given):
        if self.is_world_process_zero() and self.state.global_step == 1:
            self.log({"extra": 1.0})  # which the other processes do not
        return super().compute_loss(*args, **given)

logs = TrackingCallback("lines")
data = [{"x": torch.ones(1) * row, "labels": torch.ones(1)} for row in range(16)]
arguments = TrainingArguments("out", use_cpu=True, report_to="none", save_strategy="no", num_train_epochs=50, ddp_timeout=60,
                              per_device_train_batch_size=4, logging_strategy="epoch")
with logs:
    trainer = Told(Line(), arguments, train_dataset=data, callbacks=[logs, Asks()])
    trainer.train()
    assert trainer.state.epoch <= 3, trainer.state.epoch
"""


@pytest.mark.parametrize(
    ("family", "strategy", "status"),
    [
        ("pytorch_lightning", "auto", "completed"),
        ("lightning", "ddp", "completed"),
        ("lightning", "ddp_spawn", "ended"),  # the process that opened the run hears of no end
    ],
)
def test_several_processes_of_lightning_log_once_and_stop_together(
    tmp_path: Path, family: str, strategy: str, status: str
) -> None:
    pytest.importorskip(family)
    answer = run_script(LIGHTNING, tmp_path, family, strategy)
    assert answer.returncode == 0, answer.stderr
    (record,) = ExperimentTracker(tmp_path / "experiments").records()
    assert record.status.value == status
    assert record.summary["train/loss"].count in (2, 3)
    assert len(read_json(record.run_dir / "metrics.json")["train/loss"]) == record.summary["train/loss"].count


def test_several_processes_of_the_trainer_of_hugging_face_log_once_and_stop_together(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    pytest.importorskip("transformers")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    answer = run_script(HUGGING_FACE, tmp_path, launcher=launcher)
    assert answer.returncode == 0, answer.stderr
    (record,) = ExperimentTracker(tmp_path / "experiments").records()
    assert (record.status.value, record.summary["loss"].count in (1, 2, 3)) == ("completed", True)
    assert record.params["huggingface.model"] == "__main__.Line"
