"""One job end to end: what a run of the store holds, and that its model can be had back."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from tracking import ExperimentTracker, RunStatus, active_run
from tracking.registry import ModelRegistry
from trainer import ConfigError, DataError, DivergedError, LoadError, load_model
from trainer.task import train

Compose = Callable[..., DictConfig]
QUICK = ("data.rows=2000", "training.epochs=2", "model.hidden_dims=[16]", "device=cpu")


class Tiny(nn.Module):
    def __init__(self, input_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(input_dim, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


class Broken(Tiny):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            raise RuntimeError("a bug in the model")
        return super().forward(x)


class Asks(Tiny):
    """Asks its own run to stop, as a sweep does, while the first epoch runs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        run = active_run()
        if run is not None:
            (run.run_dir / "stop").touch()
        return super().forward(x)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "experiments"


@pytest.fixture
def quick(composed: Compose) -> DictConfig:
    return composed(*QUICK)


def only_run(store: Path) -> dict[str, Any]:
    (run,) = ExperimentTracker(store).list_runs()
    found = ExperimentTracker(store).get_run(run["run_id"])
    assert found is not None
    return found


def final(run: dict[str, Any]) -> dict[str, float]:
    return {name: history[-1]["value"] for name, history in run["metrics"].items()}


def test_a_run_holds_recipe_metrics_and_artifacts(quick: DictConfig, store: Path) -> None:
    value = train(quick)
    run = only_run(store)
    assert run["status"] == "completed"
    assert run["experiment_name"] == "ctr_model"
    for name in ("train_loss", "train_acc", "val_loss", "val_acc", "val_auc"):
        assert [each["step"] for each in run["metrics"][name]] == [1, 2]
    for name in ("test_loss", "test_accuracy", "test_auc", "bayes_auc"):
        assert [each["step"] for each in run["metrics"][name]] == [None]
    assert value == max(each["value"] for each in run["metrics"]["val_auc"])
    assert {"learning_rate": 1e-3, "batch_size": 256, "hidden_dims": [16], "dropout": 0.3}.items() <= run[
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
        *(f"plots/{each}.png" for each in ("curves", "roc", "calibration")),
    }


def test_the_config_and_the_data_of_a_run_are_written_down(quick: DictConfig, store: Path) -> None:
    train(quick)
    written = OmegaConf.load(store / "runs/run_001/config.yaml")
    assert written == OmegaConf.create(OmegaConf.to_container(quick, resolve=True))
    (record,) = ExperimentTracker(store).records()
    assert record.data["fingerprint"].startswith("sha256:")
    assert record.data["rows"] == 2000


def test_the_same_config_gives_the_same_numbers(quick: DictConfig, store: Path) -> None:
    train(quick)
    torch.rand(3)
    train(quick)
    first, second = (final(ExperimentTracker(store).get_run(f"run_00{n}") or {}) for n in (1, 2))
    assert first == second


def test_the_best_run_loads_from_its_logged_parameters(quick: DictConfig, store: Path) -> None:
    train(quick)
    tracker = ExperimentTracker(store)
    best_run = tracker.get_best_run(metric="test_auc", experiment_name="ctr_model", mode="max")
    assert best_run is not None

    from trainer.models.tabular import TabularClassifier

    model = TabularClassifier(**best_run["params"])
    model_path = f"{best_run['run_dir']}/artifacts/model_best.pt"
    model.load_state_dict(torch.load(model_path))

    loaded = load_model(best_run["run_dir"]).model.state_dict()
    assert all(torch.equal(each, loaded[name]) for name, each in model.state_dict().items())


def test_a_loaded_model_gives_the_logged_test_metrics_again(quick: DictConfig, store: Path) -> None:
    train(quick)
    logged = final(only_run(store))
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            scores = load_model(store / "runs/run_001").evaluate().named()
            assert scores == {name: logged[name] for name in scores}
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)


def test_a_model_loads_from_every_place_it_is_kept(quick: DictConfig, store: Path) -> None:
    value = train(quick)
    run = store / "runs" / "run_001"
    version = ModelRegistry(store).register(
        "ctr", "run_001", files=("model_best.pt", "model.json"),
        objective={"metric": "val_auc", "mode": "max", "value": value}, loader="trainer:load_model",
    )  # fmt: skip
    record = ExperimentTracker(store).record("run_001")
    loaded = [
        *(
            load_model(each)
            for each in (
                run,
                str(run / "artifacts"),
                run / "artifacts/model_best.pt",
                record,
                only_run(store),
            )
        ),
        load_model("run_001", base_dir=store),
        load_model(version.path),
        ModelRegistry(store).load("ctr", version.version),
    ]
    rows = {
        **{f"n{n}": torch.randn(5).numpy() for n in range(1, 9)},
        **{f"c{n}": torch.ones(5).numpy() for n in range(1, 9)},
    }
    first = loaded[0].predict(rows)
    assert first.shape == (5,)
    for each in loaded[1:]:
        assert (each.predict(rows) == first).all()
    assert (loaded[0].predict(pd.DataFrame(rows)) == first).all()


def test_a_model_of_ones_own_trains_and_loads_only_when_it_is_allowed(quick: DictConfig, store: Path) -> None:
    quick.model = {"_target_": "test_task.Tiny"}
    train(quick)
    run = store / "runs" / "run_001"
    with pytest.raises(
        LoadError, match=r"class test_task\.Tiny is not in an allowed package .*allow=\['test_task'\]"
    ):
        load_model(run)
    logged = final(only_run(store))
    assert load_model(run, allow=["test_task"]).evaluate().auc == logged["test_auc"]


def test_the_registry_passes_on_what_is_allowed(quick: DictConfig, store: Path) -> None:
    quick.model = {"_target_": "test_task.Tiny"}
    value = train(quick)
    registry = ModelRegistry(store)
    registry.register(
        "ctr", "run_001", files=("model_best.pt", "model.json"),
        objective={"metric": "val_auc", "mode": "max", "value": value}, loader="trainer:load_model",
    )  # fmt: skip
    assert isinstance(registry.load("ctr", 1, allow=("test_task",)).model, Tiny)
    with pytest.raises(LoadError, match=r"test_task\.Tiny is not in an allowed package"):
        registry.load("ctr", 1)


@pytest.mark.parametrize("allow", [("trainer", "test_task"), ["test_task"], "test_task"])
def test_what_is_allowed_adds_to_the_packages_of_the_box(quick: DictConfig, store: Path, allow: Any) -> None:
    quick.model = {"_target_": "test_task.Tiny"}
    train(quick)
    quick.model = {"_target_": "trainer.models.tabular.LogisticRegression"}
    train(quick)
    assert isinstance(load_model("run_001", base_dir=store, allow=allow).model, Tiny)
    load_model("run_002", base_dir=store, allow=allow)


@pytest.mark.parametrize("source", [None, 3, {}, {"run_id": "run_001"}])
def test_what_a_model_cannot_be_loaded_from_is_named(source: Any) -> None:
    with pytest.raises(LoadError, match=r"cannot be loaded from .*; allowed is a path, a run id, or a run"):
        load_model(source)


def test_relative_data_are_found_from_any_folder_and_in_a_moved_project(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for folder in (project, elsewhere):
        folder.mkdir()
    (project / "t.csv").write_text("x,y\n" + "".join(f"{n},{int(n % 3 == 0)}\n" for n in range(60)))
    monkeypatch.chdir(project)
    train(composed("data=csv", "data.path=t.csv", "data.target=y", "training.epochs=1", "model=logistic"))
    loaded = load_model("run_001", base_dir=tmp_path / "experiments")
    scores = loaded.evaluate()
    monkeypatch.chdir(elsewhere)
    assert loaded.evaluate().named() == scores.named()
    (project / "t.csv").rename(elsewhere / "t.csv")
    assert loaded.evaluate().named() == scores.named()
    (elsewhere / "t.csv").unlink()
    with pytest.raises(DataError, match=r"neither /.*project/t\.csv, .*, nor /.*elsewhere/t\.csv does exist"):
        loaded.evaluate()


def test_scores_and_predictors_print_on_a_line(quick: DictConfig, store: Path) -> None:
    train(quick)
    loaded = load_model("run_001", base_dir=store)
    assert "array" not in repr(loaded.evaluate())
    assert "NumericColumn" not in repr(loaded)


@pytest.mark.parametrize("threads", [1, None])
def test_the_numbers_do_not_depend_on_how_many_threads_a_job_has_unless_it_is_let(
    composed: Compose, store: Path, threads: int | None
) -> None:
    """With `null` as many train as there are, which shows in the last digits at most."""
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
    for other in others:
        assert other == (first if threads else pytest.approx(first, rel=1e-3))


def test_a_nested_class_is_checked_too(quick: DictConfig, store: Path) -> None:
    train(quick)
    sidecar = store / "runs/run_001/artifacts/model.json"
    content = json.loads(sidecar.read_text())
    content["model"]["hidden_dims"] = [{"_target_": "os.system", "command": "true"}]
    sidecar.write_text(json.dumps(content))
    with pytest.raises(LoadError, match=r"os\.system is not in an allowed package"):
        load_model(store / "runs/run_001")


def test_a_model_that_crashes_leaves_a_failed_run_with_its_error(quick: DictConfig, store: Path) -> None:
    quick.model = {"_target_": "test_task.Broken"}
    with pytest.raises(RuntimeError, match="a bug in the model"):
        train(quick)
    (record,) = ExperimentTracker(store).records()
    assert record.status is RunStatus.FAILED
    assert "a bug in the model" in (record.error or "")


def test_a_run_asked_to_stop_is_still_tested_and_saved(quick: DictConfig, store: Path) -> None:
    quick.model = {"_target_": "test_task.Asks"}
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
    quick.model = {"_target_": "test_task.Tinny"}
    with pytest.raises(ConfigError, match=r"model\._target_=test_task\.Tinny"):
        train(quick)
    assert not store.exists()


def test_a_damaged_or_incomplete_model_is_named(quick: DictConfig, store: Path) -> None:
    train(quick)
    artifacts = store / "runs/run_001/artifacts"
    weights, sidecar = (artifacts / "model_best.pt").read_bytes(), (artifacts / "model.json").read_text()
    (artifacts / "model_best.pt").write_bytes(weights[:100])
    with pytest.raises(LoadError, match=r"model_best\.pt does not fit the model in model\.json"):
        load_model(artifacts)
    (artifacts / "model.json").write_text(sidecar[:100])
    with pytest.raises(LoadError, match=r"model\.json is damaged"):
        load_model(artifacts)
    (artifacts / "model.json").write_text(sidecar.replace('"format": 1', '"format": 99'))
    with pytest.raises(LoadError, match=r"has format 99; this version reads format 1"):
        load_model(artifacts)
    (artifacts / "model.json").unlink()
    with pytest.raises(LoadError, match=r"holds model_best\.pt but no model\.json"):
        load_model(artifacts)
    with pytest.raises(LoadError, match=r"no model_best\.pt for 'run_077'; looked in run_077, "):
        load_model("run_077", base_dir=store)


def test_data_that_changed_since_training_are_not_scored(composed: Compose, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{n},{int(n % 3 == 0)}\n" for n in range(60)))
    train(composed("data=csv", f"data.path={path}", "data.target=y", "training.epochs=1", "model=logistic"))
    loaded = load_model("run_001", base_dir=tmp_path / "experiments")
    path.write_text(path.read_text().replace("59,", "58,"))
    with pytest.raises(LoadError, match="the data changed since training"):
        loaded.evaluate()
    path.unlink()
    with pytest.raises(DataError, match=r"the data of data\.path=.* are gone"):
        loaded.evaluate()


@pytest.mark.parametrize(
    ("recipe", "overrides"),
    [
        ("ctr_quick", ["data.rows=1500", "training.epochs=1"]),
        ("breast_cancer_logistic", ["training.epochs=1"]),
        pytest.param("adult_mlp", ["training.epochs=1"], marks=pytest.mark.needs_data),
    ],
)
def test_every_recipe_runs_in_fast_mode(
    composed: Compose, request: pytest.FixtureRequest, store: Path, recipe: str, overrides: list[str]
) -> None:
    if recipe == "adult_mlp":
        overrides = [*overrides, f"data.path={request.getfixturevalue('data_folder')}"]
    value = train(composed(f"+experiment={recipe}", *overrides))
    assert (
        value == only_run(store)["metrics"][("val_loss" if "logistic" in recipe else "val_auc")][0]["value"]
    )


def test_every_recipe_is_tested() -> None:
    folder = Path(__file__).resolve().parents[2] / "conf" / "experiment"
    assert {each.stem for each in folder.glob("*.yaml")} == {
        "ctr_quick",
        "breast_cancer_logistic",
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


@pytest.mark.slow
@pytest.mark.needs_data
def test_census_income_reaches_its_mark_on_every_seed(
    composed: Compose, store: Path, data_folder: Path
) -> None:
    for seed in (0, 1, 2):
        train(composed("data=adult", f"data.path={data_folder}", "model.dropout=0.1", f"seed={seed}"))
    runs = ExperimentTracker(store).list_runs()
    for run in runs:
        assert final(ExperimentTracker(store).get_run(run["run_id"]) or {})["test_auc"] >= 0.908


def test_importing_the_package_does_not_load_torch() -> None:
    code = "import sys, trainer; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_are_functions_also_after_their_modules_were_imported() -> None:
    code = (
        "import trainer.loop, trainer.scoring, trainer.checkpoint, trainer; "
        "assert all(callable(getattr(trainer, name)) for name in trainer.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
