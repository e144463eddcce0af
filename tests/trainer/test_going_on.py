"""A training that its sweep has paused goes on in its run and gives the same numbers as in one go."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from tracking import ExperimentTracker, RunStatus, job_context
from tracking.process.job_gate import Ask, Gate, Verdict
from trainer import load_model
from trainer.checkpoint import CHECKPOINT
from trainer.task import train

Compose = Callable[..., DictConfig]

SMALL = ("data.rows=2000", "model.hidden_dims=[16]", "device=cpu", "training.checkpoint_every_s=null")
RECIPES = {
    "dropout": ("training.epochs=5", "model.dropout=0.4"),
    "plateau": ("training.epochs=5", "scheduler=plateau", "training.learning_rate=0.05", "scheduler.patience=0"),
    "cosine_sgd": ("training.epochs=5", "scheduler=cosine", "optimizer=sgd"),
    "average": ("training.epochs=5", "training.ema=0.99", "training.limit_batches=3"),
    "patience": ("training.epochs=40", "training.early_stopping_patience=3", "training.learning_rate=0.01"),
    "last_counts": ("training.epochs=5", "objective=val_loss", "objective.at=last"),
    "own_model": ("training.epochs=5", "model._target_=own_models.Noisy"),
    "each_epoch": ("training.epochs=4", "model.dropout=0.4", "training.checkpoint_every_s=0"),
    "now_and_then": ("training.epochs=4", "model.dropout=0.4", "training.checkpoint_every_s=10"),
}  # fmt: skip


def pause(_run: Path, _level: int) -> Verdict:
    return Verdict(False)


def attempt(
    cfg: DictConfig, until: int | None, number: int, runs: Sequence[str], ask: Ask = pause
) -> float | None:
    """Train until a judgement, which says to pause."""
    gate = Gate((cfg.objective.metric,), until, ask)
    with job_context(sweep="s", job=0, key="k", config_hash="h", attempt=number, previous=runs, gate=gate):
        return train(cfg)


def points(store: Path, run: str) -> dict[str, list[tuple[int | None, float]]]:
    """Return the points of a run, of those without a step the last one."""
    found = ExperimentTracker(store).get_run(run)
    assert found is not None
    return {
        name: [
            (each["step"], each["value"]) for each in every if each["step"] is not None or each is every[-1]
        ]
        for name, every in found["metrics"].items()
    }


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_training_paused_after_each_epoch_gives_the_numbers_of_one_in_one_go(
    composed: Compose, store: Path, recipe: str
) -> None:
    cfg = composed(*SMALL, *RECIPES[recipe])
    whole = train(cfg)
    tracker, runs, value = ExperimentTracker(store), list[str](), None
    for number in range(1, 60):
        value = attempt(cfg, number, number, runs)
        record = tracker.record("run_002")
        assert record is not None
        assert len(tracker.list_runs()) == 2
        if record.status is RunStatus.COMPLETED:
            break
        assert record.status is RunStatus.PRUNED
        assert record.summary["val_auc"].count == number
        runs = ["run_002"]
    assert value == whole
    assert points(store, "run_002") == points(store, "run_001")
    first, last = (
        torch.load(store / "runs" / run / "artifacts" / "model_best.pt", weights_only=True)
        for run in ("run_001", "run_002")
    )
    assert all(torch.equal(first[name], last[name]) for name in first)
    assert not (store / "runs" / "run_002" / "artifacts" / CHECKPOINT).exists()


def test_a_paused_run_holds_the_model_of_its_best_epoch_with_its_metrics(
    composed: Compose, store: Path
) -> None:
    cfg = composed(*SMALL, "training.epochs=6")
    whole = composed(*SMALL, "training.epochs=3")
    train(whole)
    attempt(cfg, 3, 1, [])
    first, paused = (ExperimentTracker(store).record(run) for run in ("run_001", "run_002"))
    assert first is not None
    assert paused is not None
    assert paused.last_values == first.last_values
    assert paused.status is RunStatus.PRUNED
    assert load_model(paused.run_dir) is not None


def test_a_training_is_known_to_ask_before_it_logs_a_value_by_which_it_could_be_judged(
    composed: Compose, store: Path
) -> None:
    known: list[int] = []

    def tell(run: Path) -> None:
        record = ExperimentTracker(store).record(run.name)
        assert record is not None
        known.append(record.summary["val_auc"].count if "val_auc" in record.summary else 0)

    gate = Gate(("val_auc",), 1, pause, tell)
    with job_context(sweep="s", job=0, key="k", config_hash="h", attempt=1, previous=(), gate=gate):
        train(composed(*SMALL, *RECIPES["dropout"]))
    assert known == [0]


def test_a_training_that_has_ended_by_itself_waits_for_no_judgement(composed: Compose, store: Path) -> None:
    cfg = composed(*SMALL, "training.epochs=3")
    attempt(cfg, 3, 1, [])
    record = ExperimentTracker(store).record("run_001")
    assert record is not None
    assert record.status is RunStatus.COMPLETED


def test_a_training_whose_checkpoint_is_gone_begins_again_and_logs_nothing_twice(
    composed: Compose, store: Path
) -> None:
    cfg = composed(*SMALL, "training.epochs=4")
    whole = train(cfg)
    attempt(cfg, 2, 1, [])
    (store / "runs" / "run_002" / "artifacts" / CHECKPOINT).unlink()
    assert attempt(cfg, None, 2, ["run_002"]) == whole
    assert points(store, "run_002") == points(store, "run_001")


def test_a_training_that_died_while_it_waited_asks_again_before_it_trains(
    composed: Compose, store: Path
) -> None:
    cfg = composed(*SMALL[:-1], "training.epochs=4", "training.checkpoint_every_s=3600")
    levels: list[int] = []

    def die(_run: Path, _level: int) -> Verdict:
        raise KeyboardInterrupt

    def ask(_run: Path, level: int) -> Verdict:
        levels.append(level)
        return Verdict(False)

    with pytest.raises(KeyboardInterrupt):
        attempt(cfg, 2, 1, [], die)
    attempt(cfg, 2, 2, ["run_001"], ask)
    assert levels == [2]
    assert len(points(store, "run_002")["val_auc"]) == 2
    statuses = [run["status"] for run in ExperimentTracker(store).list_runs()]
    assert statuses == ["killed", "pruned"]
