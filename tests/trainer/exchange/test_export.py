"""A model is exported as one graph that gives the same predictions without podium's code of models."""

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from omegaconf import OmegaConf
from own_models import Tiny
from saved_models import customers, save
from torch import nn

from trainer.errors import DataError, LoadError, ModelError
from trainer.exchange import graph
from trainer.exchange.description import FILE, KEY, Description
from trainer.export.export_command import KEYS, main
from trainer.saved_model import load_model

CONF = Path(__file__).resolve().parents[3] / "conf" / "model"
MODELS = sorted(each.stem for each in CONF.glob("*.yaml"))
SMALL = {
    "hidden_dims": [16], "width": 16, "members": 4, "blocks": 2, "heads": 2, "embedding_dim": 4, "cross_layers": 2,
}  # fmt: skip


def spec(name: str, **more: Any) -> dict[str, Any]:
    section: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))  # type: ignore[assignment]
    return {**section, **{key: value for key, value in SMALL.items() if key in section}, **more}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    customers().to_csv(path, index=False)
    return path


def outputs(path: Path, rows: Any) -> np.ndarray[Any, Any]:
    """Run an exported model as another program does, with nothing but the file."""
    if path.suffix == ".onnx":
        session = onnxruntime.InferenceSession(path)
        description = Description.from_text(session.get_modelmeta().custom_metadata_map[KEY])
        assert [each.name for each in session.get_outputs()] == [description.output]
        return np.asarray(session.run(None, description.inputs(rows))[0])
    extra = {FILE: ""}
    program = torch.export.load(path, extra_files=extra).module()
    description = Description.from_text(extra[FILE])
    inputs = {name: torch.from_numpy(values) for name, values in description.inputs(rows).items()}
    return np.asarray(program(**inputs).detach().numpy())


@pytest.mark.filterwarnings("ignore")  # of torch about itself, when it loads what it saved
@pytest.mark.parametrize(
    ("name", "kind", "task", "embedding"),
    [
        *((name, "pt2", "binary", None) for name in MODELS),
        ("tabm", "onnx", "multiclass", None),
        *(
            pytest.param(
                name,
                "onnx",
                "binary",
                None,
                marks=pytest.mark.slow if name == "dcn" else pytest.mark.exhaustive,
            )
            for name in MODELS
        ),
        pytest.param("mlp", "onnx", "multiclass", "piecewise", marks=pytest.mark.slow),
        pytest.param("mlp", "pt2", "regression", "periodic", marks=pytest.mark.exhaustive),
        pytest.param("ft_transformer", "onnx", "regression", "piecewise", marks=pytest.mark.slow),
    ],
)
def test_every_model_of_ours_is_exported_for_any_number_of_rows(
    table: Path, tmp_path: Path, kind: str, name: str, task: str, embedding: str | None
) -> None:
    model = load_model(save(tmp_path / "m", table, task, model=spec(name, numeric_embedding=embedding)))
    path = tmp_path / f"model.{kind}"
    assert model.export(path) < 1e-4
    wanted = model.predict(table)
    for rows in (table, customers(1), customers(7)):
        given = model.predict(rows)
        np.testing.assert_allclose(outputs(path, rows), given, rtol=1e-5, atol=1e-5)
    assert wanted.shape == outputs(path, table).shape


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kept", [["visits"], ["zip"]])
def test_a_model_of_numbers_or_of_categories_alone_has_one_input(
    table: Path, tmp_path: Path, kept: list[str]
) -> None:
    drop = [name for name in customers().columns if name not in (*kept, "churned")]
    model = load_model(save(tmp_path / "m", table, drop=drop))
    model.export(tmp_path / "m.onnx")
    (given,) = onnxruntime.InferenceSession(tmp_path / "m.onnx").get_inputs()
    assert given.name == ("numeric" if kept == ["visits"] else "categorical")
    np.testing.assert_allclose(outputs(tmp_path / "m.onnx", table), model.predict(table), atol=1e-5)


class Counts(Tiny):
    """Looks at its values in Python, which no graph can hold."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) if x.sum().item() > 0 else self.linear(-x)


class Drifts(nn.Module):
    """Returns another number each time."""

    def __init__(self, input_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(input_dim, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) + torch.rand(())


@pytest.mark.filterwarnings("ignore")
def test_a_model_that_no_graph_can_hold_is_refused_and_nothing_is_written(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(save(tmp_path / "m", table))
    width = model.encoder.width + sum(size - 1 for size in model.encoder.cardinalities)
    old = tmp_path / "old.pt2"
    old.write_bytes(b"kept")
    object.__setattr__(model, "model", Counts(width))
    with pytest.raises(ModelError, match="Counts cannot be exported to pt2: "):
        model.export(old)
    object.__setattr__(model, "model", Drifts(width))
    with pytest.raises(
        ModelError, match=r"Drifts .*(one row alone gets another prediction|nothing was written)"
    ):
        model.export(old)
    assert old.read_bytes() == b"kept"


def test_a_graph_whose_predictions_differ_is_not_written(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(save(tmp_path / "m", table))
    monkeypatch.setattr(graph, "_exported", lambda *_: b"")
    monkeypatch.setattr(graph, "_run", lambda _data, inputs, _kind: np.zeros(len(inputs["numeric"])))
    with pytest.raises(
        ModelError, match=r"TabularClassifier as pt2 predicts 0.0 for row 1, the model itself 0.\d+"
    ):
        model.export(tmp_path / "m.pt2")
    assert not (tmp_path / "m.pt2").exists()


def test_rows_to_compare_on_are_the_test_rows_or_those_that_are_given(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(graph, "_exported", lambda *_: b"")

    def run(_data: bytes, inputs: dict[str, torch.Tensor], _kind: str) -> np.ndarray[Any, Any]:
        seen.append(len(inputs["numeric"]))
        return model.predict_encoded(inputs["numeric"], inputs["categorical"])

    monkeypatch.setattr(graph, "_run", run)
    own = tmp_path / "own.csv"
    own.write_bytes(table.read_bytes())
    model = load_model(save(tmp_path / "m", own))
    model.export(tmp_path / "m.pt2")
    model.export(tmp_path / "m.pt2", rows=customers(11))
    assert seen == [24, 11]
    own.unlink()
    with pytest.raises(DataError, match=r"the test rows of the run cannot be read: .* give rows=FILE"):
        model.export(tmp_path / "m.pt2")


@pytest.mark.filterwarnings("ignore")
def test_the_command_exports_and_says_how_well(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    folder, out = save(tmp_path / "m", table), tmp_path / "m.onnx"
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert main([f"model={folder}", f"output={out}", f"rows={table}"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{out}: model {folder}; its predictions differ from the model's by ")
    assert said.err == ""
    assert [
        each.message for each in caplog.records if each.levelno >= logging.WARNING and "torch" in each.name
    ] == []
    assert main(["--help"]) == 0
    assert set(re.findall(r"^  (\w+)=", capsys.readouterr().out, re.MULTILINE)) == set(KEYS)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["output=m.onx"],
            1,
            "output=m.onx: the suffix '.onx' is no format of an export; allowed are pt2 and onnx",
        ),
        (["output=m.bin", "format=tflite"], 1, "format=tflite is no format of an export"),
        (["output=gone/m.onnx"], 1, "output=gone/m.onnx: there is no folder"),
        (["output=m.onnx", "rows=gone.csv"], 1, "data file 'gone.csv': there is no file"),
        ([], 2, "output=... is needed"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "m", table)
    assert main(["model=m", *words]) == code
    assert message in capsys.readouterr().err
    assert {each.name for each in tmp_path.iterdir()} == {"m"}


def test_a_missing_extra_and_a_foreign_description_are_named(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(save(tmp_path / "m", table))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr("tracking.extras.find_spec", lambda _name: None)
    with pytest.raises(
        ImportError, match=r'onnx, onnxruntime, onnxscript are not installed; pip install "podium\[onnx\]"'
    ):
        model.export(tmp_path / "m.onnx")
    for text in ("", "{}", "[]"):
        with pytest.raises(LoadError, match="this is no description of an exported model"):
            Description.from_text(text)
