"""Two classes, several classes or a number: found from the target, trained, scored, saved and predicted."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import torch
from omegaconf import DictConfig, OmegaConf
from own_models import final, load_data, only_run

from tracking.statistics.formulas import by_class, calibration_error, macro_auc
from trainer import ConfigError, DataError, load_model
from trainer.data.load import load
from trainer.data.target import Target, TaskKind
from trainer.data.tensors import Dataset, encode
from trainer.schema import BY_TASK, OBJECTIVES
from trainer.task import train
from trainer.tasks.metrics import METRICS, measure
from trainer.tasks.outputs import task_of

Compose = Callable[..., DictConfig]
ROWS = 400


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    x, z = draw.normal(size=(2, ROWS))
    kinds = np.array(["ash", "birch", "cedar"])
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "group": draw.choice(["a", "b"], ROWS),
            "grade": np.clip(np.round(2 * x + 5), 3, 8).astype(int),
            "kind": kinds[np.digitize(x + 0.3 * draw.normal(size=ROWS), [-0.5, 0.5])],
            "price": 1000 + 250 * x - 100 * z + 10 * draw.normal(size=ROWS),
            "won": np.where(x + draw.normal(size=ROWS) > 0, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def file(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    table.to_csv(path, index=False)
    return path


def overrides(file: Path, target: str, *more: str) -> list[str]:
    others = [each for each in ("grade", "kind", "price", "won") if each != target]
    return [
        "data=csv", f"data.path={file}", f"data.target={target}", f"data.drop=[{','.join(others)}]", "objective=default",
        "model.hidden_dims=[16]", "model.dropout=0", "training.epochs=15", "training.batch_size=32",
        "training.learning_rate=1e-2", "device=cpu", *more,
    ]  # fmt: skip


def loaded(file: Path, target: str, *, task: str | None = None, **more: Any) -> Dataset:
    section = {
        "_target_": "trainer.data.table.load", "dataset": "t", "path": str(file), "target": target,
        "val_fraction": 0.2, "test_fraction": 0.2, "data_seed": 0,
    }  # fmt: skip
    return load({**section, **more}, task=task)


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        ("won", TaskKind.BINARY, ("no", "yes")),
        ("kind", TaskKind.MULTICLASS, ("ash", "birch", "cedar")),
        ("grade", TaskKind.MULTICLASS, ("3", "4", "5", "6", "7", "8")),
        ("price", TaskKind.REGRESSION, ()),
    ],
)
def test_the_target_says_the_task(file: Path, target: str, task: TaskKind, classes: tuple[str, ...]) -> None:
    labels = loaded(file, target).labels
    assert (labels.task, labels.classes) == (task, classes)


def test_whole_numbers_may_be_predicted_as_a_number(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    loaded(file, "grade")
    assert "6 whole numbers, so task=multiclass; task=regression predicts them as one number" in caplog.text
    data = loaded(file, "grade", task="regression")
    assert data.labels.task is TaskKind.REGRESSION
    assert data.train.target.dtype is torch.float32
    assert data.train.target.mean().item() == pytest.approx(0, abs=1e-6)
    assert data.train.target.std().item() == pytest.approx(1, abs=1e-2)


def test_a_positive_class_is_told_from_all_others(file: Path, table: pd.DataFrame) -> None:
    data = loaded(file, "kind", positive="cedar")
    assert (data.labels.task, data.labels.classes) == (TaskKind.BINARY, ("not cedar", "cedar"))
    splits = (data.train, data.val, data.test)
    assert sum(split.target.sum().item() for split in splits) == (table["kind"] == "cedar").sum()


def test_a_rare_class_has_a_row_in_each_split(tmp_path: Path) -> None:
    values = ["rare"] * 3 + ["common"] * 117
    pd.DataFrame({"x": range(120), "y": values}).to_csv(tmp_path / "t.csv", index=False)
    data = loaded(tmp_path / "t.csv", "y")
    assert [split.target.sum().item() for split in (data.train, data.val, data.test)] == [1, 1, 1]


@pytest.mark.parametrize("model", ["mlp", "logistic", "resnet", "dcn", "deepfm", "ft_transformer", "tabm"])
def test_several_classes_train_save_load_and_predict(
    composed: Compose, store: Path, file: Path, table: pd.DataFrame, model: str
) -> None:
    sizes = {
        "tabm": ["model.members=3"],
        "ft_transformer": ["model.embedding_dim=8"],
        "resnet": ["model.width=16"],
        "logistic": [],
    }
    arguments = [each for each in overrides(file, "kind") if not each.startswith("model.")]
    more = sizes.get(model, ["model.hidden_dims=[16]"])
    value = train(composed(*arguments, f"model={model}", *more, "training.epochs=6"))
    logged = final(only_run(store))
    assert value == max(each["value"] for each in only_run(store)["metrics"]["val_auc"]) > 0.8
    names = ("loss", "accuracy", "auc", "balanced_accuracy", "f1")
    assert {f"test_{name}" for name in names} == {name for name in logged if name.startswith("test_")}
    predictor = load_model(store / "runs/run_001")
    assert predictor.classes == ("ash", "birch", "cedar")
    scores = predictor.evaluate()
    assert scores.named() == {name: logged[name] for name in scores.named()}
    chances = predictor.predict(table.head(5))
    assert chances.shape == (5, 3)
    assert np.allclose(chances.sum(axis=1), 1)
    assert np.allclose(predictor.predict(table.head(1)), chances[:1], atol=1e-6)


@pytest.mark.parametrize("model", ["mlp", "tabm"])
def test_a_regression_trains_saves_loads_and_predicts_in_the_unit_of_its_target(
    composed: Compose, store: Path, file: Path, table: pd.DataFrame, model: str
) -> None:
    more = ["model.members=3"] if model == "tabm" else []
    value = train(composed(*overrides(file, "price", f"model={model}", *more)))
    logged = final(only_run(store))
    assert value > 0.95
    assert {"test_loss", "test_rmse", "test_mae", "test_r2"} == {
        name for name in logged if name[:5] == "test_"
    }
    assert {"train_loss", "val_loss", "val_rmse", "val_mae", "val_r2"} <= set(logged)
    assert not {"train_acc", "val_acc", "val_auc"} & set(logged)
    predictor = load_model(store / "runs/run_001")
    assert predictor.evaluate().named() == {name: logged[name] for name in predictor.evaluate().named()}
    values = predictor.predict(table)
    assert values.shape == (ROWS,)
    assert np.abs(values - table["price"]).mean() < 60
    assert predictor.classes == ()


def test_several_classes_leave_a_table_of_their_scores(composed: Compose, store: Path, file: Path) -> None:
    train(composed(*overrides(file, "kind", "training.epochs=2")))
    with (store / "runs/run_001/artifacts/classes.csv").open() as text:
        rows = list(csv.DictReader(text))
    assert [row["class"] for row in rows] == ["ash", "birch", "cedar"]
    assert set(rows[0]) == {"class", "rows", "precision", "recall", "f1", "auc"}


def test_two_classes_log_every_metric_once_at_the_end(composed: Compose, store: Path, file: Path) -> None:
    train(composed(*overrides(file, "won", "training.epochs=2")))
    scores = load_model(store / "runs/run_001").evaluate()
    target, chance = scores.target, scores.probabilities
    named = scores.named()
    assert named["test_loss"] == pytest.approx(sklearn.metrics.log_loss(target, chance))
    assert named["test_average_precision"] == sklearn.metrics.average_precision_score(target, chance)
    assert named["test_balanced_accuracy"] == sklearn.metrics.balanced_accuracy_score(target, chance > 0.5)
    assert named["test_f1"] == sklearn.metrics.f1_score(target, chance > 0.5)
    assert named["test_brier"] == pytest.approx(sklearn.metrics.brier_score_loss(target, chance))
    assert named == {name: final(only_run(store))[name] for name in named}


def test_any_metric_of_the_task_can_be_the_objective(composed: Compose, store: Path, file: Path) -> None:
    more = ("objective.metric=val_average_precision", "training.epochs=2")
    value = train(composed(*overrides(file, "won", *more)))
    history = [each["value"] for each in only_run(store)["metrics"]["val_average_precision"]]
    assert len(history) == 2
    assert value == max(history)


def test_an_objective_of_another_task_is_refused_before_a_run_is_made(
    composed: Compose, store: Path, file: Path
) -> None:
    with pytest.raises(
        ConfigError, match=r"objective\.metric=val_auc: target 'price' is for task=regression, .*val_r2"
    ):
        train(composed(*overrides(file, "price", "objective.metric=val_auc")))
    with pytest.raises(
        ConfigError, match=r"objective\.metric=val_auc: task=regression logs train_loss, .*val_r2"
    ):
        train(composed(*overrides(file, "price", "objective.metric=val_auc", "+task=regression")))
    wrong = composed(*overrides(file, "price"))
    OmegaConf.update(wrong, "task", "ranking", force_add=True)
    with pytest.raises(
        ConfigError, match=r"task=ranking: allowed is one of binary, multiclass, regression or null"
    ):
        train(wrong)
    assert not store.exists()


def test_a_loader_that_knows_its_task_refuses_another_one() -> None:
    splits = replace(load_data(rows=50), labels=Target("clicked", classes=("no", "yes")))
    with pytest.raises(
        ConfigError, match=r"task=regression: target 'clicked' of this data set is for task=binary"
    ):
        encode(splits, transform="standard", min_frequency=1, task="regression")


@pytest.mark.parametrize(
    ("target", "metric", "thresholds"),
    [
        ("won", "val_auc", {"val_auc": 0.6, "val_r2": None}),
        ("kind", "val_auc", {"val_auc": 0.6, "val_r2": None}),
        ("price", "val_r2", {"val_auc": None, "val_r2": 0.0}),
    ],
)
def test_the_default_objective_and_threshold_fit_the_task(
    composed: Compose, file: Path, target: str, metric: str, thresholds: dict[str, float | None]
) -> None:
    cfg = composed(*overrides(file, target))
    assert cfg.objective.metric == metric
    assert dict(cfg.promotion.rules.thresholds) == thresholds
    assert composed(*overrides(file, "grade", "+task=regression")).objective.metric == "val_r2"


def test_a_config_whose_table_cannot_be_read_has_the_defaults_of_two_classes(composed: Compose) -> None:
    cfg = composed("data=csv", "data.path=nowhere.csv", "data.target=y", "objective=default")
    assert cfg.objective.metric == "val_auc"
    assert composed("data=csv", "objective=default").objective.metric == "val_auc"


@pytest.mark.parametrize(
    ("values", "task", "message"),
    [
        ([1.5, 2.5, None, 3.5], None, "target 'y' is missing in 1 of 4 rows"),
        (["1", "two", "3"], "regression", "target 'y' holds 'two', which is no finite number; task=regression needs"),
        ([1.0, float("inf"), 3.5], "regression", "target 'y' holds inf, which is no finite number"),
        (["a", "a"], "multiclass", "target 'y' is 'a' in each row"),
        ([f"name {n}" for n in range(1200)], None, "is text of 1200 different values, such as 'name 0': names"),
    ],
)  # fmt: skip
def test_a_target_that_fits_no_task_is_named(values: list[Any], task: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Target.found([values], name="y", task=task).codes(values)


def test_a_target_of_one_number_and_a_class_that_is_not_trained_on_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    pd.DataFrame({"x": range(50), "y": [2.5] * 50}).to_csv(path, index=False)
    with pytest.raises(
        DataError, match=r"target 'y' is 2\.5 in all 30 training rows; a regression needs values that"
    ):
        loaded(path, "y", task="regression")
    pd.DataFrame({"x": range(50), "z": range(50), "y": ["a", "b"] * 24 + ["c", "c"]}).to_csv(
        path, index=False
    )
    with pytest.raises(
        DataError, match="class 'c' does not occur in the training split, so no model can learn it"
    ):
        loaded(path, "y", time_column="x")


def test_a_target_is_the_same_after_json() -> None:
    for target in (
        Target("y", TaskKind.REGRESSION, mean=1 / 3, scale=0.1),
        Target("y", TaskKind.MULTICLASS, ("a", "b", "c")),
    ):
        assert Target.from_json(target.to_json()) == target


def test_every_metric_that_an_objective_can_name_is_computed() -> None:
    for kind in TaskKind:
        named = {name.removeprefix("val_") for name in BY_TASK[kind] if name.startswith("val_")}
        assert named == {"loss", *METRICS[kind], *(() if kind is TaskKind.REGRESSION else ("acc", "auc"))}
        assert OBJECTIVES[kind] in BY_TASK[kind]


def test_scores_of_classes_that_do_not_occur_and_of_predictions_that_are_not_finite_are_not_made_up() -> None:
    target, chances = (
        np.array([0, 1, 1, 0]),
        np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.4, 0.3], [0.6, 0.3, 0.1]]),
    )
    assert macro_auc(target, chances) == 1
    assert measure(TaskKind.MULTICLASS, "balanced_accuracy", target, chances) == 1
    table = by_class(target, chances, ("a", "b", "c"))
    assert table[2]["rows"] == 0
    assert np.isnan(table[2]["auc"])
    for kind in TaskKind:
        assert all(np.isnan(measure(kind, name, target, np.full(4, np.nan))) for name in METRICS[kind])
    assert np.isnan(measure(TaskKind.REGRESSION, "r2", np.ones(3), np.arange(3.0)))


def test_the_calibration_error_is_the_gap_between_prediction_and_frequency() -> None:
    chance = np.array([0.05] * 10 + [0.95] * 10)
    target = np.array([0] * 10 + [1] * 5 + [0] * 5)
    assert calibration_error(target, chance) == pytest.approx((0.05 + 0.45) / 2)
    assert calibration_error(np.array([1, 0]), np.array([1.0, 0.0])) == 0


@pytest.mark.parametrize("kind", TaskKind)
def test_an_ensemble_has_the_mean_loss_of_its_members_and_the_mean_of_their_predictions(
    kind: TaskKind,
) -> None:
    classes = {TaskKind.BINARY: ("a", "b"), TaskKind.MULTICLASS: ("a", "b", "c")}.get(kind, ())
    task = task_of(Target("y", kind, classes, mean=3.0, scale=2.0))
    shape = (6, 4, 3) if kind is TaskKind.MULTICLASS else (6, 4)
    logits = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 1, 1, 0, 1, 0])
    goal = target if kind is TaskKind.MULTICLASS else target.double()
    alone = torch.stack([task.loss(logits[:, member], goal) for member in range(4)])
    assert torch.allclose(task.loss(logits, goal), alone.mean())
    each = torch.stack([task.predictions(logits[:, member]) for member in range(4)])
    assert torch.allclose(task.predictions(task.combined(logits)), each.mean(dim=0))


def test_a_model_of_one_output_is_refused_for_several_classes(composed: Compose, file: Path) -> None:
    from trainer import ModelError

    with pytest.raises(
        ModelError, match=r"Tiny returned \(2, 1\) for 2 rows; 3 logits per row are needed: .*\(2, 3\)"
    ):
        train(composed(*overrides(file, "kind", "model._target_=own_models.Tiny")))
