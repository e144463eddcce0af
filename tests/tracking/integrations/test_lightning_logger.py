"""Lightning logs into the run of the job, else into one of its own, and stops once that was asked to."""

import copy
import functools
import math
import pickle
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trained import JOB, only, points

from tracking import ExperimentTracker, InvalidValueError, job_context
from tracking.process.job_gate import Gate, Verdict

# Lightning warns of the machine, and of itself
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("default_sigterm")]


@pytest.fixture(scope="module")
def lightning() -> Any:
    return pytest.importorskip("lightning")


@pytest.fixture(scope="module")
def module(lightning: Any) -> type:
    import torch

    class Line(lightning.LightningModule):
        """Fits a line in 4 steps an epoch; `events` are called with the module, by the name of its hook."""

        def __init__(self, lr: float = 0.1, **events: Any) -> None:
            super().__init__()
            self.save_hyperparameters(ignore=list(events))
            self.line = torch.nn.Linear(1, 1)
            self.events = events
            x = torch.linspace(-1, 1, 16)[:, None]
            self.batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, 2 * x), batch_size=4)

        def loss(self, batch: Any) -> Any:
            return ((self.line(batch[0]) - batch[1]) ** 2).mean()

        def training_step(self, batch: Any, index: int) -> Any:
            loss = self.loss(batch)
            self.log("train/loss", loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val/loss", self.loss(batch))

        def test_step(self, batch: Any, index: int) -> None:
            self.log("test/loss", self.loss(batch))

        def on_validation_end(self) -> None:
            self.events.get("validated", lambda _module: None)(self)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), self.hparams.lr)

        def train_dataloader(self) -> Any:
            return self.batches

        val_dataloader = test_dataloader = train_dataloader

    return Line


@pytest.fixture
def trainer(lightning: Any, tmp_path: Path) -> Any:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 1}
    return functools.partial(
        lightning.Trainer,
        max_epochs=3,
        accelerator="cpu",
        log_every_n_steps=2,
        default_root_dir=tmp_path,
        enable_checkpointing=False,
        **quiet,
    )


@pytest.fixture
def logger(lightning: Any, base: Path) -> Any:
    from tracking.integrations.lightning import TrackingLogger

    return functools.partial(TrackingLogger, "lines", store=base)


@pytest.fixture
def further_rank(lightning: Any) -> Iterator[None]:
    from lightning_utilities.core.rank_zero import rank_zero_only

    before, rank_zero_only.rank = rank_zero_only.rank, 1
    yield
    rank_zero_only.rank = before


def test_a_training_logs_into_the_run_that_is_open_which_goes_on(
    tracker: ExperimentTracker, module: Any, trainer: Any, logger: Any
) -> None:
    with tracker.start_run("ctr", params={"lr": 1}) as run:
        mine = logger()
        trainer(logger=mine).fit(module(0.2))
        assert (mine.name, mine.version, mine.experiment.run_id) == ("ctr", run.run_id, run.run_id)
        assert only(tracker).status == "running"
    record = only(tracker)
    assert {"train/loss_step", "train/loss_epoch", "val/loss", "epoch"} == set(record.summary)
    assert record.params == {"lr": 1}
    assert [step for step, _ in points(tracker, "train/loss_step")] == [1, 3, 5, 7, 9, 11]
    assert [step for step, _ in points(tracker, "val/loss")] == [3, 7, 11]


def test_alone_it_makes_one_run_which_a_test_after_the_training_goes_on_with(
    tracker: ExperimentTracker, module: Any, trainer: Any, logger: Any
) -> None:
    fitting, line = trainer(logger=logger()), module()
    assert tracker.records() == []
    fitting.fit(line)
    assert only(tracker).status == "completed"
    fitting.test(line, verbose=False)
    record = only(tracker)
    assert (record.experiment_name, record.status.value) == ("lines", "completed")
    assert record.summary["test/loss"].count == 1


@pytest.mark.parametrize(
    ("error", "raised", "status"),
    [(ValueError("no"), ValueError, "failed"), (KeyboardInterrupt(), SystemExit, "killed")],
)
def test_a_training_that_raises_ends_its_run_so(
    tracker: ExperimentTracker,
    module: Any,
    trainer: Any,
    logger: Any,
    error: BaseException,
    raised: type[BaseException],
    status: str,
) -> None:
    def validated(_module: Any) -> None:
        raise error

    with pytest.raises(raised):
        trainer(logger=logger(), num_sanity_val_steps=0).fit(module(validated=validated))
    record = only(tracker)
    assert (record.status.value, record.summary["val/loss"].count) == (status, 1)
    assert record.error is not None
    assert record.error.startswith(type(error).__name__)


def test_a_run_that_is_asked_to_stop_stops_its_training(
    tracker: ExperimentTracker, module: Any, trainer: Any, logger: Any
) -> None:
    mine = logger()

    def validated(_module: Any) -> None:
        if not _module.trainer.sanity_checking:
            (mine.experiment.run_dir / "stop").touch()

    fitting = trainer(logger=mine, max_epochs=50)
    fitting.fit(module(validated=validated))
    assert fitting.global_step == 4  # an epoch
    assert only(tracker).status == "completed"


@pytest.mark.parametrize("metric", ["val/loss", "train/loss_epoch"])
def test_a_job_that_its_sweep_stops_ends_as_pruned_after_the_value_it_is_judged_by(
    tracker: ExperimentTracker, module: Any, trainer: Any, logger: Any, metric: str
) -> None:
    with job_context(**JOB, gate=Gate((metric,), 2, lambda _run, _level: Verdict(False))):
        fitting, line = trainer(logger=logger(), max_epochs=50), module()
        fitting.fit(line)
        fitting.test(line, verbose=False)
    record = only(tracker)
    assert fitting.global_step == 8
    assert (record.status.value, record.summary[metric].count) == ("pruned", 2)
    assert record.summary["test/loss"].count == 1


def test_the_callback_alone_stops_a_training_that_logs_by_itself(
    lightning: Any, tracker: ExperimentTracker, module: Any, trainer: Any
) -> None:
    from tracking.integrations.lightning import StopWhenAsked

    with tracker.start_run("ctr") as run:
        fitting = trainer(logger=False, callbacks=[StopWhenAsked()], max_epochs=50, num_sanity_val_steps=0)

        def validated(_module: Any) -> None:
            (run.run_dir / "stop").touch()

        fitting.fit(module(validated=validated))
    assert fitting.global_step == 4


def test_a_second_logger_asks_its_own_run(
    tracker: ExperimentTracker, module: Any, trainer: Any, logger: Any
) -> None:
    fitting = trainer(logger=logger(), max_epochs=1)
    fitting.fit(module())
    (only(tracker).run_dir / "stop").touch()
    fitting.logger = logger()
    fitting.fit_loop.max_epochs = 3
    fitting.fit(module())
    assert fitting.global_step == 12  # the first was asked to stop, the second was not


def test_checkpoints_become_artifacts_the_best_and_the_last_or_all(
    lightning: Any, tracker: ExperimentTracker, tmp_path: Path, module: Any, trainer: Any, logger: Any
) -> None:
    def saving(choice: object) -> Any:
        return lightning.pytorch.callbacks.ModelCheckpoint(
            tmp_path / str(choice), filename="{epoch}", monitor="val/loss", save_last=True
        )

    kept = {}
    for choice in (False, True, "all"):
        fitting = trainer(
            logger=logger(log_checkpoints=choice), callbacks=[saving(choice)], enable_checkpointing=True
        )
        fitting.fit(module())
        folder = tracker.records()[-1].run_dir / "artifacts" / "checkpoints"
        kept[choice] = sorted(file.name for file in folder.glob("*"))
    assert kept == {
        False: [],
        True: ["best.ckpt", "last.ckpt"],
        "all": ["epoch=0.ckpt", "epoch=1.ckpt", "epoch=2.ckpt", "last.ckpt"],
    }


def test_without_a_place_of_their_own_checkpoints_are_artifacts(
    tracker: ExperimentTracker, module: Any, trainer: Any, logger: Any
) -> None:
    trainer(logger=logger(), enable_checkpointing=True).fit(module())
    assert [*only(tracker).run_dir.glob("artifacts/lines/run_001/checkpoints/*.ckpt")]


def test_hyper_parameters_of_any_kind_become_flat_parameters(
    lightning: Any, tracker: ExperimentTracker, logger: Any
) -> None:
    import torch
    from omegaconf import OmegaConf

    mine = logger()
    mine.log_hyperparams(Namespace(depth=3, dropout=None))
    mine.log_hyperparams(
        {
            "net": torch.nn.Linear(1, 1),
            "optimizer": functools.partial(torch.optim.SGD, lr=0.1),
            "cfg": OmegaConf.create({"a": {"b": 1}, "twice": "${.a.b}"}),
            "weights": torch.zeros(2000),
            "where": "${paths.data}",
            "api_key": "s3cret",
        },
        {"hp_metric": 0.5},
    )
    mine.finalize("success")
    assert only(tracker).params == {
        "depth": 3,
        "dropout": None,
        "net": "torch.nn.modules.linear.Linear",
        "optimizer._target_": "torch.optim.sgd.SGD",
        "optimizer._partial_": True,
        "optimizer.lr": 0.1,
        "cfg.a.b": 1,
        "cfg.twice": 1,
        "weights": "Tensor of shape (2000,)",
        "where": "${paths.data}",
        "api_key": "***",
    }
    assert only(tracker).summary["hp_metric"].last == 0.5


def test_what_a_config_leaves_to_hydra_does_not_replace_the_parameters_of_a_job(
    tracker: ExperimentTracker, logger: Any
) -> None:
    with tracker.start_run("ctr", params={"data.folder": "/data"}):
        logger().log_hyperparams({"data": {"folder": "${paths.data}", "rows": 10}})
    assert only(tracker).params == {"data.folder": "/data", "data.rows": 10}


def test_names_get_a_prefix_and_values_may_be_tensors_or_no_number(
    lightning: Any, tracker: ExperimentTracker, logger: Any
) -> None:
    import torch

    mine = logger(prefix="teacher")
    mine.log_metrics({"loss": torch.tensor(0.5), "acc": math.nan})
    mine.finalize("success")
    summary = only(tracker).summary
    assert set(summary) == {"teacher/loss", "teacher/acc"}
    assert (summary["teacher/loss"].last, summary["teacher/loss"].last_step) == (0.5, None)
    assert math.isnan(summary["teacher/acc"].last)


def test_a_further_process_logs_nothing(tracker: ExperimentTracker, logger: Any, further_rank: None) -> None:
    mine = logger()
    mine.log_metrics({"loss": 1.0}, 0)
    mine.log_hyperparams({"lr": 0.1})
    mine.experiment.log({"loss": 2.0})
    mine.finalize("success")
    assert (mine.name, mine.version, mine.save_dir) == ("lines", None, None)
    assert tracker.records() == []


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda logger: pickle.loads(pickle.dumps(logger))])
def test_a_copy_logs_into_the_same_run(tracker: ExperimentTracker, logger: Any, copied: Any) -> None:
    mine = logger()
    mine.log_metrics({"loss": 1.0}, 0)
    copied(mine).log_metrics({"loss": 0.5}, 1)
    mine.finalize("success")
    assert (only(tracker).status.value, only(tracker).summary["loss"].count) == ("completed", 2)


def test_a_logger_that_is_pickled_before_it_logs_opens_no_run(
    tracker: ExperimentTracker, logger: Any
) -> None:
    copied = pickle.loads(pickle.dumps(logger()))
    assert tracker.records() == []
    copied.log_metrics({"loss": 1.0}, 0)
    copied.finalize("success")
    assert only(tracker).status.value == "completed"


def test_another_choice_of_checkpoints_is_refused(logger: Any) -> None:
    with pytest.raises(InvalidValueError, match="log_checkpoints is 'best'; give True, False or 'all'"):
        logger(log_checkpoints="best")
