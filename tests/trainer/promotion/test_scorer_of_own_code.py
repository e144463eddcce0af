"""The scorer of the gate with the users' own models, loaders and metrics."""

import json
from pathlib import Path

import numpy as np
import own_models
import pandas as pd
import pytest
from omegaconf import OmegaConf
from own_scores import profit

from trainer import DataError, LoadError
from trainer.data.load import load
from trainer.data.tensors import Splits
from trainer.models.network import build_module
from trainer.promotion import score
from trainer.saved_model import SIDECAR, save_model


def own(folder: Path, *, config: str | None = None) -> Path:
    """Save a model of the user's own loader and class, with the config of its run."""
    section = {"_target_": "own_models.load_data", "dataset": "own", "rows": 200}
    data = load(section)
    module, spec = build_module({"_target_": "own_models.Tiny"}, data.shape, seed=0, outputs=1)
    folder.mkdir()
    save_model(folder, module, spec=spec, section=section, data=data, threshold=0.5)
    if config is not None:
        (folder / "config.yaml").write_text(config)
    return folder


def test_code_of_the_users_is_only_called_if_it_is_allowed(tmp_path: Path) -> None:
    model = own(tmp_path / "m")
    with pytest.raises(LoadError, match=r"own_models\.Tiny is not in an allowed package"):
        score(model)
    with pytest.raises(LoadError, match=r"own_models\.load_data is not in an allowed package"):
        score(model, allow=["own_models.Tiny"])
    found = score(model, allow=["own_models"])
    assert len(found["prediction"]) == 40
    assert found["predict_one"](3).shape == (1,)
    assert found["columns"]["x"].dtype == np.float32
    assert np.allclose(found["predict_one"](3), found["prediction"][3])


def test_the_content_identifies_rows_that_are_in_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = own(tmp_path / "m")
    first, again = (score(model, allow=["own_models"])["split"]["hash"] for _ in range(2))
    assert first == again
    made = own_models.load_data

    def moved(*, rows: int) -> Splits:
        splits = made(rows=rows)
        splits.tables[2]["x"][0] += 0.5
        return splits

    moved.__module__, moved.__qualname__, moved.__name__ = "own_models", "load_data", "load_data"
    monkeypatch.setattr(own_models, "load_data", moved)
    with pytest.raises(LoadError, match="the data changed since training"):
        score(model, allow=["own_models"])
    sidecar = json.loads((model / SIDECAR).read_text())
    other = own(tmp_path / "n")
    assert json.loads((other / SIDECAR).read_text())["fingerprint"] != sidecar["fingerprint"]
    assert score(other, allow=["own_models"])["split"]["hash"] != first


def test_labelled_rows_of_a_file_decide_for_a_loader_without_a_reader(tmp_path: Path) -> None:
    model, file = own(tmp_path / "m"), tmp_path / "rows.csv"
    pd.DataFrame({"x": [-0.5, 0.25, 0.75], "y": [0, 1, 1], "more": list("abc")}).to_csv(file, index=False)
    found = score(model, str(file), allow=["own_models"])
    assert found["target"].tolist() == [0, 1, 1]
    assert np.allclose(found["predict_one"](1), found["prediction"][1])
    assert found["trained_on"]["share"] == 0
    assert found["columns"]["more"].tolist() == ["a", "b", "c"]
    pd.DataFrame({"x": [0.5], "y": ["two"]}).to_csv(file, index=False)
    with pytest.raises(DataError, match=r"target 'y' holds 'two' in 1 of 1 rows"):
        score(model, str(file), allow=["own_models"])
    pd.DataFrame({"x": [0.5, 0.2], "z": [1, 2]}).to_csv(file, index=False)
    with pytest.raises(
        DataError, match=r"rows\.csv lacks columns the model was trained on: y; its columns are x, z"
    ):
        score(model, str(file), allow=["own_models"])


def test_own_metrics_of_the_run_are_measures_if_their_functions_are_allowed(tmp_path: Path) -> None:
    config = (
        "metrics:\n  profit:\n    _target_: own_scores.profit\n    win: 3.0\n  off: null\n"
        "  right:\n    _target_: own_scores.share_right\n  odd:\n    _target_: no_such.thing\n"
    )
    model = own(tmp_path / "m", config=config)
    assert [*score(model, allow=["own_models"])["measures"]] == ["loss"]
    found = score(model, allow=["own_models", "own_scores"])
    assert [*found["measures"]] == ["loss", "profit", "right"]
    target, prediction = found["target"], found["prediction"]
    assert found["measures"]["profit"](target, prediction) == profit(target, prediction, win=3.0)
    weight = np.linspace(1, 2, len(target))
    weighted = profit(target, prediction, win=3.0, weights=weight)
    assert found["measures"]["profit"](target, prediction, weight) == weighted
    assert found["measures"]["right"](target, prediction) == (target == (prediction > 0.5)).mean()


@pytest.mark.parametrize(
    "metrics", ["${ours:1}", "{right: {_target_: own_scores.share_right, x: '${ours:1}'}}"]
)
def test_no_resolver_in_the_config_of_a_version_is_run(tmp_path: Path, metrics: str) -> None:
    ran: list[object] = []
    OmegaConf.register_new_resolver("ours", ran.append)
    model = own(tmp_path / "m", config=f"metrics: {metrics}\n")
    try:
        assert [*score(model, allow=["own_models", "own_scores"])["measures"]] == ["loss"]
    finally:
        OmegaConf.clear_resolver("ours")
    assert ran == []


def test_a_config_that_is_no_yaml_is_an_error_that_names_it(tmp_path: Path) -> None:
    model = own(tmp_path / "m", config="metrics: [unclosed\n")
    with pytest.raises(LoadError, match=r"config\.yaml cannot be read"):
        score(model, allow=["own_models"])
