"""One job from start to end: what it writes to the store, also when it fails."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from own_models import QUICK, final, only_run

from tracking import ExperimentTracker, RunStatus
from trainer import ConfigError, DivergedError
from trainer.task import train

Compose = Callable[..., DictConfig]
# Metrics that a last digit moves by a whole row, which may cross a threshold or the edge of a bin.
STEPS = ("threshold", "acc", "f1", "calibration_error")


def test_a_run_holds_recipe_metrics_and_artifacts(quick: DictConfig, store: Path, plots: None) -> None:
    value = train(quick)
    run = only_run(store)
    assert run["status"] == "completed"
    assert run["experiment_name"] == "ctr_model"
    for name in ("train_loss", "train_acc", "val_loss", "val_acc", "val_auc"):
        assert [each["step"] for each in run["metrics"][name]] == [1, 2]
    for name in ("test_loss", "test_accuracy", "test_auc", "bayes_auc"):
        assert [each["step"] for each in run["metrics"][name]] == [None]
    assert value == max(each["value"] for each in run["metrics"]["val_auc"])
    assert {"learning_rate": 1e-3, "batch_size": 32, "hidden_dims": [16], "dropout": 0.3}.items() <= run[
        "params"
    ].items()
    assert run["params"]["model"] == "trainer.models.tabular.TabularClassifier"
    artifacts = {
        each.relative_to(store / "runs/run_001/artifacts").as_posix()
        for each in (store / "runs/run_001/artifacts").rglob("*")
        if each.is_file()
    }
    assert artifacts == {
        "model_best.pt",
        "model.json",
        "scores.npz",
        *(f"plots/{each}.png" for each in ("curves", "roc", "precision_recall", "calibration", "confusion")),
        "plots/calibration.csv",
    }


def test_the_config_and_the_data_of_a_run_are_written_down(quick: DictConfig, store: Path) -> None:
    train(quick)
    written = OmegaConf.load(store / "runs/run_001/config.yaml")
    assert written == OmegaConf.create(OmegaConf.to_container(quick, resolve=True))
    (record,) = ExperimentTracker(store).records()
    assert record.data["fingerprint"].startswith("sha256:")
    assert record.data["rows"] == 2000
    environment = json.loads((store / "runs/run_001/env.json").read_text())
    assert environment["seeds"] == {"seed": quick.seed}


def test_the_output_of_a_run_opens_with_what_was_logged_before_it(
    composed: Compose, store: Path, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("id,x,y\n" + "".join(f"{n},{n % 7},{n % 2}\n" for n in range(60)))
    root, screen = logging.getLogger(), logging.StreamHandler(sys.stdout)
    screen.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    level = root.level
    root.addHandler(screen)
    root.setLevel(logging.INFO)
    try:
        train(composed("data=csv", f"data.path={tmp_path / 't.csv'}", "data.target=y", "training.epochs=2"))
    finally:
        root.removeHandler(screen)
        root.setLevel(level)
    lines = (store / "runs" / "run_001" / "stdout.log").read_text().splitlines()
    (warned,) = (line for line in lines if "'id' is a whole number that is different in each row" in line)
    (numbers,) = (line for line in lines if "training rows: batch_size=32" in line)
    first = next(line for line in lines if line.startswith("INFO epoch 1/2"))
    assert lines.index(warned) < lines.index(numbers) < lines.index(first)
    assert warned.startswith("WARNING ")


def test_the_same_config_gives_the_same_numbers(quick: DictConfig, store: Path) -> None:
    train(quick)
    torch.rand(3)
    train(quick)
    first, second = (final(ExperimentTracker(store).get_run(f"run_00{n}") or {}) for n in (1, 2))
    assert first == second


@pytest.mark.parametrize("threads", [1, None])
def test_the_numbers_do_not_depend_on_how_many_threads_a_job_has_unless_it_is_let(
    composed: Compose, store: Path, threads: int | None
) -> None:
    """With `null` a job trains on all threads, which changes the last digits at most."""
    cfg = composed("data.rows=6000", "training.epochs=2", f"training.threads={threads or 'null'}")
    before = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            train(cfg)
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(before)
    first, *others = (final(ExperimentTracker(store).get_run(f"run_00{n}") or {}) for n in (1, 2, 3))
    if threads is None:
        for each in (first, *others):
            for name in [name for name in each if any(word in name for word in STEPS)]:
                each.pop(name)
    same = first if threads else pytest.approx(first, rel=1e-3)
    assert others == [same, same]


def test_a_model_that_crashes_leaves_a_failed_run_with_its_error(quick: DictConfig, store: Path) -> None:
    quick.model = {"_target_": "own_models.Broken"}
    with pytest.raises(RuntimeError, match="a bug in the model"):
        train(quick)
    (record,) = ExperimentTracker(store).records()
    assert record.status is RunStatus.FAILED
    assert "a bug in the model" in (record.error or "")


def test_a_run_asked_to_stop_is_still_tested_and_saved(quick: DictConfig, store: Path) -> None:
    quick.model = {"_target_": "own_models.Asks"}
    train(quick)
    run = only_run(store)
    assert run["status"] == "completed"
    assert len(run["metrics"]["val_auc"]) == 1
    assert "test_auc" in run["metrics"]
    assert (store / "runs/run_001/artifacts/model_best.pt").is_file()


def test_a_loss_that_is_not_finite_fails_the_run(quick: DictConfig, store: Path) -> None:
    quick.training.learning_rate = 1e38
    with pytest.raises(DivergedError, match=r"try a smaller training\.learning_rate"):
        train(quick)
    (record,) = ExperimentTracker(store).records()
    assert record.status is RunStatus.FAILED


def test_a_wrong_config_makes_no_run(quick: DictConfig, store: Path) -> None:
    quick.training.batch_size = 0
    with pytest.raises(ConfigError, match="batch_size=0"):
        train(quick)
    assert not store.exists()


def test_a_device_that_is_not_there_is_named_and_makes_no_run(quick: DictConfig, store: Path) -> None:
    quick.device = "cuda:63"
    with pytest.raises(ConfigError, match=r"device=cuda:63: this process sees \d+ CUDA devices"):
        train(quick)
    assert not store.exists()


def test_a_class_that_is_not_there_makes_no_run(quick: DictConfig, store: Path) -> None:
    quick.model = {"_target_": "own_models.Tinny"}
    with pytest.raises(ConfigError, match=r"model\._target_=own_models\.Tinny"):
        train(quick)
    assert not store.exists()


@pytest.mark.parametrize(
    ("recipe", "overrides"),
    [
        ("ctr_quick", ["data.rows=1500", "training.epochs=1"]),
        ("ctr_sweep", ["data.rows=1500", "training.epochs=1"]),
        ("breast_cancer_logistic", ["training.epochs=1"]),
        pytest.param("adult_mlp", ["training.epochs=1"], marks=pytest.mark.needs_data),
        pytest.param("adult_best", ["training.epochs=1"], marks=pytest.mark.needs_data),
    ],
)
def test_every_recipe_runs_in_fast_mode(
    composed: Compose, request: pytest.FixtureRequest, store: Path, recipe: str, overrides: list[str]
) -> None:
    if recipe.startswith("adult"):
        overrides = [*overrides, f"data.path={request.getfixturevalue('data_folder')}"]
    value = train(composed(f"experiment={recipe}", *overrides))
    assert (
        value == only_run(store)["metrics"][("val_loss" if "logistic" in recipe else "val_auc")][0]["value"]
    )


def test_every_recipe_is_tested() -> None:
    folder = Path(__file__).resolve().parents[2] / "conf" / "experiment"
    assert {each.stem for each in folder.glob("*.yaml")} == {
        "ctr_quick",
        "ctr_sweep",
        "breast_cancer_logistic",
        "adult_best",
        "adult_mlp",
    }


@pytest.mark.parametrize(
    "choice",
    [
        "optimizer=adamw",
        "optimizer=sgd",
        "scheduler=cosine",
        "scheduler=plateau",
        "objective=val_loss",
        "data.numeric_transform=bins",
    ],
)
def test_every_other_choice_trains(composed: Compose, store: Path, choice: str) -> None:
    train(composed(*QUICK, choice, "data.rows=1000"))
    assert only_run(store)["status"] == "completed"


def test_without_a_mode_the_objective_improves_as_its_metric_does(quick: DictConfig, store: Path) -> None:
    quick.objective = {"metric": "val_loss", "at": "best"}
    value = train(quick)
    assert value == min(each["value"] for each in only_run(store)["metrics"]["val_loss"])


@pytest.mark.slow
@pytest.mark.needs_data
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.exhaustive) for seed in (1, 2))])
def test_census_income_reaches_its_mark_on_every_seed(
    composed: Compose, store: Path, data_folder: Path, seed: int
) -> None:
    train(composed("data=adult", f"data.path={data_folder}", "model.dropout=0.1", f"seed={seed}"))
    assert final(only_run(store))["test_auc"] >= 0.908


def test_importing_the_package_does_not_load_torch() -> None:
    code = "import sys, trainer; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_are_functions_also_after_their_modules_were_imported() -> None:
    code = (
        "import trainer.training.loop, trainer.scoring, trainer.saved_model, trainer; "
        "assert all(callable(getattr(trainer, name)) for name in trainer.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
