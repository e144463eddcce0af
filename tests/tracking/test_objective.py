"""An objective compares the values of runs, and is the only place that knows which direction is better."""

import math
import re
from pathlib import Path

import pytest

from tracking import ExperimentTracker, InvalidValueError, RunRecord
from tracking.objective import At, Direction, Objective

ROOT = Path(__file__).parents[2]
HIGH, LOW = Objective("auc", Direction.MAX), Objective("loss", Direction.MIN)


@pytest.fixture
def run(tracker: ExperimentTracker) -> RunRecord:
    run_id = tracker.create_run("x")
    for auc, lost in ((0.5, 1), (0.9, math.inf), (0.7, math.nan)):
        tracker.log_metrics(run_id, {"auc": auc, "loss": lost, "never": math.nan})
    record = tracker.record(run_id)
    assert record is not None
    return record


@pytest.mark.parametrize(
    ("metric", "mode", "at", "value"),
    [
        ("auc", "max", "best", 0.9),
        ("auc", "min", "best", 0.5),
        ("auc", "max", "last", 0.7),
        ("loss", "max", "best", 1),
        ("loss", "min", "last", math.nan),
        ("never", "max", "best", None),
        ("unknown", "max", "best", None),
        (None, "max", "best", None),
    ],
)
def test_the_value_of_a_run_is_its_best_or_its_last(
    run: RunRecord, metric: str | None, mode: str, at: str, value: float | None
) -> None:
    assert Objective.of(metric, mode, at).value(run) == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(("objective", "order"), [(HIGH, [3, 1, -2]), (LOW, [-2, 1, 3])])
def test_the_best_comes_first_and_what_cannot_be_compared_last(
    objective: Objective, order: list[float]
) -> None:
    values = [None, 1, math.nan, 3, -math.inf, -2, math.inf]
    assert sorted(values, key=objective.key)[:3] == order


def test_a_value_is_better_when_it_is_strictly_so_or_there_is_no_other() -> None:
    assert HIGH.better(2, 1)
    assert not HIGH.better(1, 1)
    assert LOW.better(1, 2)
    assert LOW.better(1, None)
    assert not LOW.better(math.nan, None)
    assert (HIGH.gain(3, 1), LOW.gain(3, 1)) == (2, -2)


@pytest.mark.parametrize(
    ("metric", "mode", "better"),
    [
        ("val_loss", "max", "lower"),
        ("rmse", "max", "lower"),
        ("val_auc", "min", "higher"),
        ("val_loss", "min", None),
        ("val_auc", "max", None),
        ("latency", "min", None),
        ("gain", "max", None),
        (None, "min", None),
    ],
)
def test_a_mode_that_contradicts_the_name_is_named(metric: str | None, mode: str, better: str | None) -> None:
    said = Objective.of(metric, mode).contradiction
    expected = f"mode={mode} contradicts the name of the metric: {metric} is better when it is {better}"
    assert said == (None if better is None else expected)


def test_without_a_mode_the_name_decides_and_is_never_contradicted() -> None:
    assert Objective.of("val_loss") == Objective("val_loss", Direction.MIN, At.BEST)
    assert Objective.of(None) == Objective(None, Direction.MAX)
    assert Objective.of("val_loss").contradiction is None
    assert Objective.of(None, "min").named == {"metric": "objective", "mode": "min"}


@pytest.mark.parametrize(
    "metric",
    ["loss", "val_loss", "val/loss", "loss/val", "val_loss_epoch", "train.loss.step", "valLoss", "Loss", "logloss", "loss_0",
     "objective.loss", "error", "error_rate", "top1_error", "error_top1", "rmse", "RMSE", "rmse_val", "mean_absolute_error",
     "test-mse", "mae@10", "nll", "perplexity", "brier_score", "wer", "negative_log_likelihood"],
)  # fmt: skip
def test_a_loss_or_an_error_is_minimised_wherever_its_name_says_so(metric: str) -> None:
    assert Objective.of(metric).mode is Direction.MIN
    assert Objective.of(metric, "max").contradiction is not None


@pytest.mark.parametrize(
    "metric",
    ["valid/l1", "valid/l2", "valid/huber", "valid/quantile", "valid/mape", "valid/poisson", "valid/tweedie", "valid/gamma_deviance",
     "valid/cross_entropy", "valid/kullback_leibler", "valid/binary_logloss", "test/poisson-nloglik", "test/cox-nloglik", "test/mphe",
     "test/error@0.7", "test/tweedie-nloglik@1.5", "val_hinge", "logcosh", "log_cosh", "sparse_categorical_crossentropy",
     "kl_divergence", "val/loss/dataloader_idx_0", "eval_runtime", "mean_fit_time", "std_score_time", "rank_test_score",
     "rank_test_roc_auc", "std_test_accuracy", "std_fit_time", "test/auc_std", "valid/l2_stdv", "categorical_hinge"],
)  # fmt: skip
def test_what_frameworks_call_their_losses_ranks_and_times_is_minimised(metric: str) -> None:
    assert Objective.of(metric).mode is Direction.MIN


@pytest.mark.parametrize(
    "metric",
    ["valid/ndcg@5", "valid/map", "valid/average_precision", "valid/auc_mu", "test/aucpr", "test/interval-regression-accuracy",
     "val/acc/dataloader_idx_1", "mean_test_neg_mean_squared_error", "split0_test_neg_log_loss", "rank_ic", "cosine_similarity",
     "eval_samples_per_second", "mean_reciprocal_rank", "aft_loglik", "mean_test_roc_auc", "entropy", "f1_score/0", "l0"],
)  # fmt: skip
def test_what_frameworks_call_their_scores_is_maximised(metric: str) -> None:
    assert Objective.of(metric).mode is Direction.MAX


@pytest.mark.parametrize(
    "metric",
    ["acc", "val_acc", "valAccuracy", "auc", "roc_auc_score", "f1", "f1_score", "r2", "reward", "score", "val", "objective",
     "neg_mean_squared_error", "neg_log_loss", "lossless", "loss_ratio", "terrors", "_", "", "learning_rate", "log_likelihood"],
)  # fmt: skip
def test_anything_else_is_maximised(metric: str) -> None:
    assert Objective.of(metric).mode is Direction.MAX


@pytest.mark.parametrize(("mode", "at"), [("maximum", "best"), ("max", "first")])
def test_an_unknown_mode_or_value_is_refused(mode: str, at: str) -> None:
    with pytest.raises(InvalidValueError, match="is none of"):
        Objective.of("auc", mode, at)


def test_the_direction_is_decided_in_one_place() -> None:
    decides = re.compile(
        r"""(?x) Direction\.(MAX|MIN)                            # comparing with a member
            | (\b is | == | != ) \s* (not\s+)? ["'](max|min)["']  # or with its text
            | -1(\.0)? \s if \s .* \b mode \b""",
    )
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for package in ("sweeps", "tracking")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path != ROOT / "tracking" / "objective.py"
        for line in path.read_text().splitlines()
        if decides.search(line)
    ]
    assert found == []
