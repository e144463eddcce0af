"""What `auto` stands for: batch size, epochs and patience from the number of training rows."""

import logging
import math
from typing import Any

import pytest
from omegaconf import DictConfig

from tracking import ExperimentTracker
from trainer.errors import ConfigError
from trainer.job.auto import STEPS, chosen, doubts
from trainer.task import train

AUTO = {"batch_size": "auto", "epochs": "auto", "early_stopping_patience": "auto"}  # of numbers of rows


@pytest.mark.parametrize(
    ("rows", "batch_size", "epochs", "patience"),
    [
        (1, 32, 500, 125),
        (100, 32, 500, 125),
        (200, 32, 286, 72),
        (650, 32, 96, 24),
        (1500, 64, 84, 21),
        (3000, 128, 84, 21),
        (5000, 128, 50, 13),
        (8000, 256, 63, 16),
        (25_000, 256, 21, 6),
        (39_000, 256, 15, 5),
        (10_000_000, 256, 15, 5),
    ],
)
def test_few_rows_get_small_batches_and_many_epochs(
    rows: int, batch_size: int, epochs: int, patience: int
) -> None:
    assert chosen(AUTO, rows) == {
        "batch_size": batch_size,
        "epochs": epochs,
        "early_stopping_patience": patience,
    }


@pytest.mark.parametrize("rows", [150, 300, 1000, 4000, 20_000, 300_000])
def test_every_table_gets_a_fair_number_of_steps(rows: int) -> None:
    numbers = chosen(AUTO, rows)
    assert numbers["epochs"] * -(-rows // numbers["batch_size"]) >= STEPS


def test_the_weights_of_a_small_table_are_averaged() -> None:
    assert [chosen({**AUTO, "ema": "auto"}, rows)["ema"] for rows in (300, 4999, 5000)] == [0.98, 0.98, None]
    assert chosen({**AUTO, "ema": "auto", "epochs": 3}, 300)["ema"] is None  # too few steps for an average


def test_given_values_are_taken_as_given_and_the_others_follow_them() -> None:
    assert chosen({**AUTO, "batch_size": 10}, 100) == {"epochs": 200, "early_stopping_patience": 50}
    assert chosen({**AUTO, "epochs": 8}, 100) == {"batch_size": 32, "early_stopping_patience": 5}
    assert chosen({**AUTO, "epochs": 2}, 100) == {"batch_size": 32, "early_stopping_patience": 2}
    assert chosen({**AUTO, "early_stopping_patience": None}, 10**6) == {"batch_size": 256, "epochs": 15}
    assert chosen({"batch_size": 7, "epochs": 3, "early_stopping_patience": None}, 100) == {}


def test_limited_epochs_are_short_so_that_there_are_more_of_them() -> None:
    assert chosen({**AUTO, "limit_batches": 10}, 10**6)["epochs"] == 200


UP = [0.5 + n / 100 for n in range(40)]


@pytest.mark.parametrize(
    ("values", "mode", "planned", "steps", "words"),
    [
        (UP[:5], "max", 5, 15, "took 15 steps in all"),
        (UP, "max", 40, 800, "still improving in the last of 40 epochs: training.epochs=80"),
        (UP[::-1], "min", 40, 800, "still improving in the last of 40 epochs"),
        (UP[::-1], "max", 40, 800, None),
        ([*UP[:38], 0.95, 0.95], "max", 40, 800, None),  # the same value with a smaller loss
        ([*[0.99] * 38, 0.9901, 0.9902], "max", 40, 800, None),  # hardly more
        ([math.nan, *UP], "max", 41, 800, "still improving"),
        ([math.nan] * 40, "max", 40, 800, None),
        (UP, "max", 60, 800, None),  # it was asked to stop
        (UP[:1], "max", 1, 800, None),  # one epoch has nothing to improve upon
        (UP[:3], "max", 3, 30, None),  # so few are a trial
    ],
)
def test_a_training_that_was_too_short_is_told(
    values: list[float], mode: str, planned: int, steps: int, words: str | None
) -> None:
    found = list(doubts("val_auc", values, mode=mode, planned=planned, steps=steps))
    assert [words in each for each in found if words] == ([True] if words else [])
    assert len(found) == (words is not None)


def test_a_run_has_the_chosen_numbers_and_says_them(
    composed: Any, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cfg: DictConfig = composed(
        "data.rows=400", "model=logistic", "scheduler=cosine", "training.epochs=4", "device=cpu"
    )
    with caplog.at_level(logging.INFO):
        train(cfg)
    assert "260 training rows: batch_size=32, early_stopping_patience=4" in caplog.text
    assert "took 36 steps in all" in caplog.text
    run = ExperimentTracker(store).get_run("run_001")
    known = {"batch_size": 32, "epochs": 4, "early_stopping_patience": 4, "T_max": 4}
    assert known.items() <= run["params"].items()


@pytest.mark.parametrize(("interval", "steps"), [("epoch", 2), ("batch", 18)])
def test_a_scheduler_whose_length_is_auto_lasts_the_whole_training(
    composed: Any, store: Any, interval: str, steps: int
) -> None:
    train(composed(
        "data.rows=400", "model=logistic", "scheduler=cosine", "scheduler.T_max=auto", "training.epochs=2",
        f"+scheduler.interval={interval}",
    ))  # fmt: skip
    assert ExperimentTracker(store).get_run("run_001")["params"]["T_max"] == steps


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "scheduler.step_size",
            r"scheduler\.step_size=auto: auto is for T_max, total_iters, total_steps; give",
        ),
        ("optimizer.lr", r"optimizer\.lr=auto: give a value, or leave it out with ~optimizer\.lr"),
    ],
)
def test_auto_for_any_other_key_of_torch_is_refused(composed: Any, key: str, message: str) -> None:
    step = "scheduler._target_=torch.optim.lr_scheduler.StepLR"
    with pytest.raises(ConfigError, match=message):
        train(composed(step, "optimizer._target_=torch.optim.RMSprop", f"++{key}=auto"))


def test_what_refers_to_a_chosen_number_gets_it(composed: Any, store: Any) -> None:
    train(
        composed("data.rows=1000", "model=logistic", "scheduler=cosine", "training.early_stopping_patience=1")
    )
    params = ExperimentTracker(store).get_run("run_001")["params"]
    assert (params["batch_size"], params["epochs"], params["T_max"]) == (32, 96, 96)
