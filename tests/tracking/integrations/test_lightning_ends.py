"""A run of Lightning's logger ends with its training; without a Trainer, which tells of the end, when the next begins."""

from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, active_run
from tracking.integrations.lightning import Logging
from tracking.integrations.live import log
from tracking.integrations.training import Training

pl = pytest.importorskip("lightning.pytorch")

# Lightning warns of the machine, and of itself
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("default_sigterm")]


def logger(experiment: str, base: Path) -> Any:
    from tracking.integrations.lightning import TrackingLogger

    return TrackingLogger(experiment, store=base)


def trainer(mine: Any) -> Any:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    few = {"max_epochs": 1, "limit_train_batches": 2, "limit_val_batches": 1, "limit_test_batches": 1}
    return pl.Trainer(
        accelerator="cpu", logger=mine, log_every_n_steps=1, num_sanity_val_steps=0, **few, **quiet
    )


def module(in_step: Any = lambda: None, in_test: Any = lambda: None) -> Any:
    from lightning.pytorch.demos.boring_classes import BoringModel

    class Told(BoringModel):
        def training_step(self, batch: Any, index: int) -> Any:
            in_step()
            self.log("loss", 0.5)
            return super().training_step(batch, index)

        def test_step(self, batch: Any, index: int) -> Any:
            in_test()
            return super().test_step(batch, index)

    return Told()


def recorded(tracker: ExperimentTracker) -> list[tuple[str, str, list[str]]]:
    """Return the experiment, the status and the metrics of each run."""
    return [(each.experiment_name, each.status.value, sorted(each.summary)) for each in tracker.records()]


def test_a_fold_of_fabric_has_a_run_of_its_own_which_finalize_completes(
    tracker: ExperimentTracker, base: Path
) -> None:
    from lightning.fabric import Fabric

    folds = []
    for number in range(3):
        folds.append(logger(f"fold{number}", base))
        fabric = Fabric(accelerator="cpu", loggers=folds[-1])
        fabric.logger.experiment.set_tags({"fold": number})
        for step in range(2):
            fabric.log("loss", 0.5, step)
        if number == 1:
            fabric.logger.finalize("success")
    folds[-1].finalize("success")
    assert recorded(tracker) == [
        ("fold0", "ended", ["loss"]),
        ("fold1", "completed", ["loss"]),
        ("fold2", "completed", ["loss"]),
    ]


def test_what_was_logged_before_a_training_that_never_began_is_not_in_the_next_one(
    tracker: ExperimentTracker, base: Path
) -> None:
    logger("first", base).log_hyperparams({"lr": 0.1})  # and an error in the preparation of the data
    trainer(logger("second", base)).fit(module())
    assert recorded(tracker) == [("first", "ended", []), ("second", "completed", ["epoch", "loss"])]
    assert [each.params for each in tracker.records()] == [{"lr": 0.1}, {}]


def test_what_is_logged_before_the_training_and_trains_within_it_is_in_its_run(
    tracker: ExperimentTracker, base: Path
) -> None:
    def inner() -> None:
        training = Training("inner", store=base)
        training.begin({"depth": 3})
        training.log({"auc": 0.7}, 0)
        training.end()

    mine = logger("outer", base)
    mine.log_hyperparams({"lr": 0.1})
    trainer(mine).fit(module(in_step=inner))
    assert recorded(tracker) == [("outer", "completed", ["auc", "epoch", "loss"])]
    assert [each.params for each in tracker.records()] == [{"lr": 0.1, "depth": 3}]


def test_after_an_evaluation_the_run_of_the_training_is_the_open_one_again(
    tracker: ExperimentTracker, base: Path
) -> None:
    mine = logger("ctr", base)
    for begins in (
        lambda it: trainer(mine).validate(it, verbose=False),
        lambda it: trainer(mine).fit(it),
    ) * 2:
        begins(module(in_step=lambda: log({"more": 1.0})))
        assert active_run() is None
    assert [each[:2] for each in recorded(tracker)] == [("ctr", "completed")]
    assert tracker.records()[0].summary["more"].count == 4


def test_a_test_that_raises_fails_the_run_of_the_training(tracker: ExperimentTracker, base: Path) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    fitting, line = trainer(logger("ctr", base)), module(in_test=broken)
    fitting.fit(line)
    with pytest.raises(ZeroDivisionError):
        fitting.test(line, verbose=False)
    assert [each[1] for each in recorded(tracker)] == ["failed"]


def test_a_further_process_opens_no_run_as_a_training_begins(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning_utilities.core.rank_zero import rank_zero_only

    monkeypatch.setattr(rank_zero_only, "rank", 1, raising=False)
    line = module()
    line.trainer = trainer(False)
    Logging("ctr", store=base).log_graph(line)
    assert not base.exists()
