"""A trained model loads from every place it is kept, or the error says why not."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from omegaconf import DictConfig
from own_models import Tiny, final, only_run

from tracking import ExperimentTracker
from tracking.registry import ModelRegistry
from trainer import ConfigError, DataError, LoadError, build, load_model
from trainer.task import train

Compose = Callable[..., DictConfig]


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


@pytest.mark.parametrize(
    ("target", "more"),
    [
        ("trainer.models.tabular.TabularClassifier", {"hidden_dims": [8], "dropout": 0.1}),
        ("trainer.models.tabular.LogisticRegression", {}),
        ("own_models.Tiny", {}),
        (
            "torch.nn.Sequential",
            {
                "_args_": [
                    {"_target_": "torch.nn.LazyLinear", "out_features": 4},
                    {"_target_": "torch.nn.Linear", "in_features": 4, "out_features": 1},
                ]
            },
        ),
    ],
)
def test_every_kind_of_model_is_built_from_the_parameters_of_its_run(
    quick: DictConfig, store: Path, target: str, more: dict[str, Any]
) -> None:
    quick.model = {"_target_": target, **more}
    train(quick)
    model = build(only_run(store)["params"], allow=["own_models"])
    model.load_state_dict(torch.load(store / "runs/run_001/artifacts/model_best.pt"))
    loaded = load_model("run_001", base_dir=store, allow=["own_models"]).model.state_dict()
    assert all(torch.equal(each, loaded[name]) for name, each in model.state_dict().items())


def test_parameters_that_name_no_model_or_one_that_is_not_allowed_build_nothing() -> None:
    with pytest.raises(LoadError, match="`model` is not among learning_rate, dropout"):
        build({"learning_rate": 0.1, "dropout": 0.3})
    with pytest.raises(LoadError, match=r"own_models\.Tiny is not in an allowed package"):
        build({"model": "own_models.Tiny", "input_dim": 3})
    with pytest.raises(LoadError, match=r"os\.system is not in an allowed package"):
        build({"model": "torch.nn.ReLU", "inplace": {"_target_": "os.system", "command": "true"}})


def test_the_same_parameters_build_the_same_weights() -> None:
    params = {"model": "trainer.models.tabular.LogisticRegression", "input_dim": 3, "epochs": 5, "seed": 1}
    first, again, other = (build({**params, "seed": seed}).linear.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


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
    quick.model = {"_target_": "own_models.Tiny"}
    train(quick)
    run = store / "runs" / "run_001"
    with pytest.raises(
        LoadError, match=r"class own_models\.Tiny is not in an allowed package .*allow=\['own_models'\]"
    ):
        load_model(run)
    logged = final(only_run(store))
    assert load_model(run, allow=["own_models"]).evaluate().auc == logged["test_auc"]


def test_the_registry_passes_on_what_is_allowed(quick: DictConfig, store: Path) -> None:
    quick.model = {"_target_": "own_models.Tiny"}
    value = train(quick)
    registry = ModelRegistry(store)
    registry.register(
        "ctr", "run_001", files=("model_best.pt", "model.json"),
        objective={"metric": "val_auc", "mode": "max", "value": value}, loader="trainer:load_model",
    )  # fmt: skip
    assert isinstance(registry.load("ctr", 1, allow=("own_models",)).model, Tiny)
    with pytest.raises(LoadError, match=r"own_models\.Tiny is not in an allowed package"):
        registry.load("ctr", 1)


@pytest.mark.parametrize("allow", [("trainer", "own_models"), ["own_models"], "own_models"])
def test_what_is_allowed_adds_to_the_packages_of_the_box(quick: DictConfig, store: Path, allow: Any) -> None:
    quick.model = {"_target_": "own_models.Tiny"}
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
    with pytest.raises(DataError, match=r"neither /.*project/t\.csv, .*, nor /.*elsewhere/t\.csv exists"):
        loaded.evaluate()


def test_scores_and_predictors_print_on_a_line(quick: DictConfig, store: Path) -> None:
    train(quick)
    loaded = load_model("run_001", base_dir=store)
    assert "array" not in repr(loaded.evaluate())
    assert "NumericColumn" not in repr(loaded)


def test_a_nested_class_is_checked_too(quick: DictConfig, store: Path) -> None:
    train(quick)
    sidecar = store / "runs/run_001/artifacts/model.json"
    content = json.loads(sidecar.read_text())
    content["model"]["hidden_dims"] = [{"_target_": "os.system", "command": "true"}]
    sidecar.write_text(json.dumps(content))
    with pytest.raises(LoadError, match=r"os\.system is not in an allowed package"):
        load_model(store / "runs/run_001")


NO_MODEL_CLASSES = [
    "os.system", "builtins.exec", "torch.load", "torch.hub.load", "torch.nn", "trainer",
    "trainer.app.os.system", "trainer.checkpoint.torch.load", "trainer.saved_model.os.system",
    "torch.nn.modules.module.torch.hub.load", "torch.nn.functional.torch.load", "torch.nn.modules.os",
    "trainer.load_model", "trainer.build", "trainer.data.load.load", "trainer.targets.imported",
    "trainer.scoring.Scores", "torch.nn.Parameter", "torch.nn.init.zeros_", "torch.nn.functional.handle_torch_function",
    "torch.nn.Module.register_forward_hook", "torch.nn.Linear.__init__.__globals__.get", "torch.nn..Linear",
    "own_models.only_run", "own_models.ExperimentTracker", "own_models.torch.load", "own_models.Tiny.__class__",
]  # fmt: skip


@pytest.mark.parametrize("target", NO_MODEL_CLASSES)
@pytest.mark.parametrize("nested", [False, True])
def test_what_is_not_a_model_class_of_an_allowed_package_is_not_called(
    target: str, nested: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.saved_model.construct", pytest.fail)
    spec: dict[str, Any] = {"model": target, "command": "true", "source": "."}
    if nested:
        spec = {"model": "torch.nn.Sequential", "_args_": [{"a": [{"_target_": target, "f": "evil.pt"}]}]}
    with pytest.raises((LoadError, ConfigError), match=target.replace(".", r"\.")):
        build(spec, allow=["own_models"])


@pytest.mark.parametrize(
    "value",
    [
        "${oc.create:{_target_:os.system,command:true}}",
        "${oc.decode:'{_target_: os.system}'}",
        "${oc.env:HOME}",
    ],
)
def test_interpolations_of_a_saved_model_are_not_resolved(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.saved_model.construct", pytest.fail)
    for spec in ({"inplace": value}, {"_args_": [[value]]}):
        with pytest.raises(
            LoadError, match=r"the model holds .* a saved model holds values, no interpolations"
        ):
            build({"model": "torch.nn.ReLU", **spec})


def test_a_callable_that_is_named_in_full_is_trusted() -> None:
    params = {"model": "own_models.make_tiny", "input_dim": 3}
    with pytest.raises(
        LoadError,
        match=r"which is no nn.Module class; .* pass its full name: allow=\['own_models.make_tiny'\]",
    ):
        build(params, allow=["own_models"])
    assert isinstance(build(params, allow=["own_models.make_tiny"]), Tiny)
    assert isinstance(build({**params, "model": "own_models.Tiny"}, allow="own_models.Tiny"), Tiny)
    with pytest.raises(LoadError, match="is not in an allowed package"):
        build({**params, "model": "own_models.Broken"}, allow="own_models.Tiny")


NO_LOADERS: list[Any] = [
    {"_target_": "os.system", "command": "true"},
    {"_target_": "pandas.read_pickle", "filepath_or_buffer": "evil.pkl"},
    {"_target_": "trainer.saved_model.os.system", "command": "true"},
    {"_target_": "trainer.data.encode.np.load", "file": "evil.npy", "allow_pickle": True},
    {"_target_": "trainer.data.load.load", "section": {"_target_": "os.system", "command": "true"}},
    {"_target_": "trainer.data.load.imported", "section": "data", "spec": {"_target_": "os.system"}},
    {"_target_": "trainer.data.ctr.load", "rows": {"_target_": "os.system", "command": "true"}},
    {"_target_": "trainer.models.tabular.LogisticRegression", "input_dim": 1},
    {"command": "true"},
    "os.system",
]


def test_a_data_section_that_names_no_data_loader_is_not_called(
    quick: DictConfig, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(quick)
    sidecar = store / "runs/run_001/artifacts/model.json"
    content = json.loads(sidecar.read_text())
    monkeypatch.setattr("trainer.data.load.imported", pytest.fail)
    for section in NO_LOADERS:
        sidecar.write_text(json.dumps({**content, "data": section}))
        loaded = load_model("run_001", base_dir=store)
        with pytest.raises(
            LoadError, match=r"the data's loader .*(allowed package|no loader)|saved data names no"
        ):
            loaded.evaluate()


def test_data_of_ones_own_loader_are_read_only_when_it_is_allowed(quick: DictConfig, store: Path) -> None:
    quick.data = {"_target_": "own_models.load_data", "dataset": "own", "rows": 200}
    train(quick)
    run = store / "runs" / "run_001"
    with pytest.raises(LoadError, match=r"loader own_models\.load_data is not in .*allow=\['own_models'\]"):
        load_model(run).evaluate()
    assert load_model(run, allow=["own_models"]).evaluate().auc == final(only_run(store))["test_auc"]


@pytest.mark.parametrize("target", ["torch.nn.functional.gelu", "torch.nn.functional.relu"])
def test_functions_of_torch_nn_may_be_part_of_a_model(target: str) -> None:
    part = {"_target_": target, "_partial_": True}
    assert build({"model": "torch.nn.TransformerEncoderLayer", "d_model": 4, "nhead": 2, "activation": part})


@pytest.mark.parametrize("target", ["wipe", "Wiper", "Wiper.wipe", "wiping"])
def test_of_an_allowed_package_only_its_loaders_are_called(
    quick: DictConfig, store: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    train(quick)
    sidecar = store / "runs/run_001/artifacts/model.json"
    content = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps({**content, "data": {"_target_": f"own_models.{target}"}}))
    monkeypatch.setattr("trainer.data.load.imported", pytest.fail)
    with pytest.raises(LoadError, match="which is no loader; if you trust it, pass its full name"):
        load_model("run_001", base_dir=store, allow=["own_models"]).evaluate()


@pytest.mark.parametrize("name", ["model.json", "model_best.pt"])
def test_only_files_of_a_store_are_read(quick: DictConfig, store: Path, tmp_path: Path, name: str) -> None:
    train(quick)
    file = store / "runs/run_001/artifacts" / name
    outside = file.rename(tmp_path / "outside")
    for put in (os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")):
        put(file)
        with pytest.raises(
            LoadError, match=r"model\.json is damaged: .*(pipe|folder|link)|no model_best\.pt for"
        ):
            load_model("run_001", base_dir=store)
        file.rmdir() if file.is_dir() else file.unlink()
    file.symlink_to(outside)
    with pytest.raises(LoadError, match="is a link, and links are not followed"):
        load_model("run_001", base_dir=store)
    file.unlink()
    file.write_bytes(b"[" * 100_000)
    with pytest.raises(LoadError, match=r"is damaged: .*nested too deep|does not fit"):
        load_model("run_001", base_dir=store)


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
    (artifacts / "model.json").write_text(sidecar.replace('"format": 2', '"format": 99'))
    with pytest.raises(LoadError, match=r"has format 99; this version reads formats 1 to 2"):
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
