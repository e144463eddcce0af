"""A job that was interrupted continues from its checkpoint and gives the same numbers as in one go."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from tracking import ExperimentTracker, Run, RunStatus, job_context
from trainer.checkpoint import CHECKPOINT, Checkpoints, State
from trainer.task import train

Compose = Callable[..., DictConfig]

SMALL = ("data.rows=2000", "model.hidden_dims=[16]", "device=cpu", "training.checkpoint_every_s=0")
RECIPES = {
    "dropout": ("training.epochs=6", "model.dropout=0.4"),
    "plateau": ("training.epochs=6", "scheduler=plateau", "training.learning_rate=0.05", "scheduler.patience=0"),
    "cosine_sgd": ("training.epochs=6", "scheduler=cosine", "optimizer=sgd"),
    "limited": ("training.epochs=6", "training.limit_batches=2"),
    "patience": ("training.epochs=40", "training.early_stopping_patience=4", "training.learning_rate=0.01"),
    "last_counts": ("training.epochs=5", "objective=val_loss", "objective.at=last"),
}  # fmt: skip


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Train until an epoch is about to be logged, then raise an error, such as that of a signal."""

    def cut(cfg: DictConfig, epoch: int, error: BaseException, *, previous: tuple[str, ...] = ()) -> None:
        log = Run.log

        def stumble(self: Run, metrics: dict[str, Any], step: int | None = None) -> None:
            if step == epoch:
                raise error
            log(self, metrics, step)

        with monkeypatch.context() as patch:
            patch.setattr(Run, "log", stumble)
            with pytest.raises(type(error)):
                attempt(cfg, previous)

    return cut


def attempt(cfg: DictConfig, previous: tuple[str, ...] = ()) -> float:
    with job_context(sweep="s", job=0, key="k", config_hash="h", previous=previous):
        return train(cfg)


def numbers(store: Path, run: str) -> dict[str, list[tuple[int | None, float]]]:
    found = ExperimentTracker(store).get_run(run)
    assert found is not None
    return {
        name: [(each["step"], each["value"]) for each in points] for name, points in found["metrics"].items()
    }


def epochs_trained(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.message.startswith("epoch ") for record in caplog.records)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_training_that_goes_on_gives_the_same_numbers_to_the_last_digit(
    composed: Compose,
    store: Path,
    cut_off: Callable[..., None],
    recipe: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cfg = composed(*SMALL, *RECIPES[recipe])
    whole = train(cfg)
    cut_off(cfg, 3, KeyboardInterrupt())
    cut_off(cfg, 5, SystemExit(143), previous=("run_002",))
    caplog.clear()  # an earlier test may have set the level of all loggers
    with caplog.at_level(logging.INFO, "trainer"):
        assert attempt(cfg, ("run_002", "run_003")) == whole
    assert numbers(store, "run_004") == numbers(store, "run_001")
    assert epochs_trained(caplog) == len(numbers(store, "run_001")["val_auc"]) - 4
    first, last = (
        torch.load(store / "runs" / run / "artifacts" / "model_best.pt", weights_only=True)
        for run in ("run_001", "run_004")
    )
    assert all(torch.equal(first[name], last[name]) for name in first)


def test_a_training_that_is_stopped_again_in_its_first_epoch_keeps_the_state_it_began_with(
    composed: Compose, store: Path, cut_off: Callable[..., None]
) -> None:
    cfg = composed(*SMALL, "training.epochs=6", "model.dropout=0.4")
    whole = train(cfg)
    cut_off(cfg, 4, SystemExit(143))
    for previous in (("run_002",), ("run_002", "run_003")):
        cut_off(cfg, 4, SystemExit(143), previous=previous)  # trained, but not saved
    assert attempt(cfg, ("run_002", "run_003", "run_004")) == whole
    assert numbers(store, "run_005") == numbers(store, "run_001")


def test_a_run_names_the_runs_of_the_earlier_attempts(
    composed: Compose, store: Path, cut_off: Callable[..., None]
) -> None:
    cfg = composed(*SMALL, "training.epochs=3")
    cut_off(cfg, 2, KeyboardInterrupt())
    attempt(cfg, ("run_001",))
    first, second = (ExperimentTracker(store).record(run) for run in ("run_001", "run_002"))
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (RunStatus.KILLED, RunStatus.COMPLETED)
    assert second.sweep is not None
    assert second.sweep["previous"] == ["run_001"]


def test_what_a_signal_stops_between_two_checkpoints_is_kept_too(
    composed: Compose, store: Path, cut_off: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    cfg = composed(*SMALL, "training.epochs=4", "training.checkpoint_every_s=3600")
    cut_off(cfg, 4, SystemExit(143))
    caplog.clear()  # an earlier test may have set the level of all loggers
    with caplog.at_level(logging.INFO, "trainer"):
        attempt(cfg, ("run_001",))
    assert epochs_trained(caplog) == 1


def test_a_training_that_never_saw_its_end_coming_goes_on_from_its_last_checkpoint(
    composed: Compose, store: Path, cut_off: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    cfg = composed(*SMALL, "training.epochs=4")
    cut_off(cfg, 3, RuntimeError("the machine is gone"))
    caplog.clear()  # an earlier test may have set the level of all loggers
    with caplog.at_level(logging.INFO, "trainer"):
        attempt(cfg, ("run_001",))
    assert epochs_trained(caplog) == 2


def test_checkpoints_are_gone_once_the_run_is_completed(
    composed: Compose, store: Path, cut_off: Callable[..., None]
) -> None:
    cfg = composed(*SMALL, "training.epochs=3")
    cut_off(cfg, 2, KeyboardInterrupt())
    assert (store / "runs" / "run_001" / "artifacts" / CHECKPOINT).is_file()
    attempt(cfg, ("run_001",))
    assert not list(store.rglob(CHECKPOINT))


@pytest.mark.parametrize("damage", ["torn", "rubbish", "empty"])
def test_a_damaged_checkpoint_is_said_to_be_and_the_training_starts_anew(
    composed: Compose,
    store: Path,
    cut_off: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    cfg = composed(*SMALL, "training.epochs=3")
    whole = train(cfg)
    cut_off(cfg, 3, KeyboardInterrupt())
    file = store / "runs" / "run_002" / "artifacts" / CHECKPOINT
    content = file.read_bytes()
    file.write_bytes({"torn": content[: len(content) // 2], "rubbish": b"rubbish", "empty": b""}[damage])
    assert attempt(cfg, ("run_002",)) == whole
    assert "is damaged, training starts again" in caplog.text
    assert numbers(store, "run_003") == numbers(store, "run_001")


def test_a_checkpoint_of_another_config_is_not_used(
    composed: Compose, store: Path, cut_off: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    cut_off(composed(*SMALL, "training.epochs=3"), 3, KeyboardInterrupt())
    other = composed(*SMALL, "training.epochs=3", "training.learning_rate=0.01")
    whole = train(other)
    assert attempt(other, ("run_001",)) == whole
    assert "is of another config" in caplog.text


def test_without_the_setting_nothing_is_kept(
    composed: Compose, store: Path, cut_off: Callable[..., None]
) -> None:
    cut_off(composed(*SMALL, "training.checkpoint_every_s=null"), 3, KeyboardInterrupt())
    assert not list(store.rglob(CHECKPOINT))


def test_a_checkpoint_is_written_when_its_time_has_come(tmp_path: Path) -> None:
    times = iter([0.0, 4.0, 11.0, 11.0, 15.0])
    checkpoints = Checkpoints(tmp_path, [], recipe="r", every_s=10, clock=lambda: next(times))
    state = State({"model": torch.nn.Linear(1, 1)}, {})
    written = []
    for _ in range(3):
        state.history.append({"val_auc": 0.5})
        checkpoints.keep(state)
        written.append((tmp_path / CHECKPOINT).exists())
        (tmp_path / CHECKPOINT).unlink(missing_ok=True)
    assert written == [False, True, False]


def test_a_state_that_does_not_fit_leaves_the_training_as_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Checkpoints(tmp_path, [], recipe="r", every_s=0)
    first.keep(State({"model": torch.nn.Linear(3, 1)}, {}))
    model = torch.nn.Linear(2, 1)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    state = State({"model": model}, {})
    Checkpoints(tmp_path / "next", [tmp_path], recipe="r", every_s=0).restore(state)
    assert state.epoch == 0
    assert all(torch.equal(before[name], each) for name, each in model.state_dict().items())
    assert "does not fit, training starts again" in caplog.text
