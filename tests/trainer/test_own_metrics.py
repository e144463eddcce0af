"""Metrics of the user, named by `_target_`: logged, ranked by, and refused before the first job where they cannot work."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from omegaconf import DictConfig
from own_models import QUICK, final, only_run

from tracking import ExperimentTracker
from trainer import ConfigError
from trainer.config import check
from trainer.data.target import TaskKind
from trainer.scoring import Scores
from trainer.task import train
from trainer.tasks.own_metrics import build_metrics

Compose = Callable[..., DictConfig]
DRAW = np.random.default_rng(0)
TARGET = (DRAW.random(200) < 0.4).astype(np.float32)
CHANCE = np.clip(0.3 * TARGET + 0.7 * DRAW.random(200), 0.01, 0.99)
BINARY = Scores(0.0, 0.0, 0.0, CHANCE, TARGET)


def value(target: str, scores: Scores = BINARY, **keys: Any) -> float:
    (metric,) = build_metrics({"mine": {"_target_": target, **keys}})
    return scores.own(metric)


def own(name: str, target: str, *more: str) -> list[str]:
    return [f"++metrics.{name}._target_={target}", *more]


def test_functions_of_scikit_learn_get_what_they_are_of() -> None:
    labels = CHANCE > 0.5
    assert value("sklearn.metrics.matthews_corrcoef") == sklearn.metrics.matthews_corrcoef(TARGET, labels)
    assert value("sklearn.metrics.fbeta_score", beta=2) == sklearn.metrics.fbeta_score(TARGET, labels, beta=2)
    assert value("sklearn.metrics.log_loss") == sklearn.metrics.log_loss(TARGET, CHANCE)
    assert value("sklearn.metrics.roc_auc_score", max_fpr=0.1) == sklearn.metrics.roc_auc_score(
        TARGET, CHANCE, max_fpr=0.1
    )


def test_it_can_be_said_what_a_function_takes() -> None:
    assert value("own_scores.profit", takes="labels") == value("own_scores.profit")
    assert value("sklearn.metrics.mean_absolute_error", takes="probabilities") == pytest.approx(
        np.abs(TARGET - CHANCE).mean()
    )


def test_several_classes_are_codes_or_columns_of_probabilities() -> None:
    chances = DRAW.dirichlet([1, 1, 1], 90)
    scores = Scores(0.0, 0.0, 0.0, chances, DRAW.integers(0, 3, 90), TaskKind.MULTICLASS)
    assert value("own_scores.share_right", scores) == (chances.argmax(1) == scores.target).mean()
    assert value("sklearn.metrics.top_k_accuracy_score", scores, k=2) > value(
        "own_scores.share_right", scores
    )


def test_a_regression_has_values_in_the_unit_of_the_target() -> None:
    scores = Scores(0.0, np.nan, np.nan, np.array([1.0, 30.0]), np.array([2.0, 10.0]), TaskKind.REGRESSION)
    assert value("own_scores.worst", scores) == 20.0
    assert value("sklearn.metrics.median_absolute_error", scores) == 10.5


def test_a_function_that_takes_weights_gets_those_of_the_rows() -> None:
    weight = np.where(TARGET > 0, 3.0, 1.0)
    weighted = Scores(0.0, 0.0, 0.0, CHANCE, TARGET, weight=weight)
    assert value("own_scores.profit", weighted) != value("own_scores.profit")
    expected = sklearn.metrics.cohen_kappa_score(TARGET, CHANCE > 0.5, sample_weight=weight)
    assert value("sklearn.metrics.cohen_kappa_score", weighted, takes="labels") == expected
    assert value("own_scores.share_right", weighted) == value("own_scores.share_right")  # which takes none


def test_it_is_logged_beside_those_of_the_task_and_may_be_the_objective(
    composed: Compose, store: Path
) -> None:
    train(composed(*QUICK, *own("profit", "own_scores.profit", "+metrics.profit.win=3"),
                   "objective.metric=val_profit", "objective.mode=max"))  # fmt: skip
    run = only_run(store)
    assert {"val_profit", "test_profit", "val_auc", "test_auc"} <= final(run).keys()
    assert len(run["metrics"]["val_profit"]) == 2


def test_nan_is_logged_and_told_once(
    composed: Compose, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        train(composed(*QUICK, *own("never", "own_scores.never")))
    told = [each.getMessage() for each in caplog.records if "returned NaN" in each.getMessage()]
    assert told == ["metrics.never._target_=own_scores.never returned NaN for 300 rows"]
    assert np.isnan(ExperimentTracker(store).records()[0].last_values["val_never"])


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("own_scores.broken", r"metrics\.m\._target_=own_scores\.broken: KeyError: 'column'"),
        (
            "own_scores.no_number",
            r"metrics\.m\._target_=own_scores\.no_number: TypeError: float\(\) argument",
        ),
    ],
)
def test_a_metric_that_fails_ends_the_run_with_its_name(
    composed: Compose, store: Path, target: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(composed(*QUICK, *own("m", target)))
    assert ExperimentTracker(store).records()[0].status == "failed"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["objective.metric=val_profit", "objective.mode=max"], r"objective\.metric=val_profit: allowed is a metric"),
        ([*own("profit", "own_scores.profit"), "objective.metric=val_profit", "objective.mode=null"],
         r"objective\.mode is missing: val_profit is a metric of yours, .*objective\.mode=max or min"),
        (own("auc", "own_scores.profit"), r"metrics\.auc: the trainer logs its own auc with task=binary, task=multiclass, .* such as my_auc"),
        (own("5", "own_scores.profit"), r"metrics\.5: allowed are names of letters"),
        (own("m", "profit"), r"metrics\.m\._target_=profit: allowed is the dotted name of a function"),
        (["++metrics.m=5"], r"metrics\.m=5: allowed is a section with a _target_"),
        (["++metrics=5"], r"metrics=5: allowed is a section of names"),
        (["++metrics.m.win=5"], r"metrics\.m\._target_ is missing"),
        (own("m", "own_scores.profits"), r"own_scores\.py defines no 'profits' \(did you mean profit"),
        (own("m", "nowhere.profit"), r"there is no module 'nowhere'"),
        (own("m", "sklearn.metrics.mathews_corrcoef"),
         r"sklearn\.metrics defines no 'mathews_corrcoef' \(did you mean matthews_corrcoef"),
        (own("m", "own_scores.of_one"), r"is of_one\(target: Any\); it is called with \(target, predictions\)"),
        (own("m", "own_scores.profit", "++metrics.m.takes=both"), r"metrics\.m\.takes=both: allowed is one of"),
        (own("m", "own_scores.worst", "++metrics.m.win=3"), r"called with \(target, predictions, win=\.\.\.\)"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_a_job_starts(
    composed: Compose, overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check(composed(*QUICK, *overrides))


def test_a_compiled_or_decorated_function_is_checked_when_it_is_imported(
    composed: Compose, store: Path
) -> None:
    wrong = own("m", "sklearn.metrics.fbeta_score", "++metrics.m.beta=1", "++metrics.m.alpha=2")
    with pytest.raises(
        ConfigError, match=r"metrics\.m\._target_=.*got an unexpected keyword argument 'alpha'"
    ):
        train(composed(*QUICK, *wrong))
    assert not store.exists()


def test_arguments_without_a_default_are_keys(composed: Compose) -> None:
    price, fee = "++metrics.m.price=2", "++metrics.m.fee=1"
    check(composed(*QUICK, *own("m", "own_scores.cost", price, fee)))
    assert np.isfinite(value("own_scores.cost", price=2, fee=1))
    for some in ([price], [fee], []):
        with pytest.raises(
            ConfigError, match=r"is cost\(target: Any, chances: Any, price: float, \*, fee: float\)"
        ):
            check(composed(*QUICK, *own("m", "own_scores.cost", *some)))


def test_null_switches_a_metric_off(composed: Compose) -> None:
    check(composed(*QUICK, "++metrics.m=null"))
    assert not build_metrics({"m": None})
