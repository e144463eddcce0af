"""The commands and the snippet of docs/using-a-model.md on scoring and exporting do what they say."""

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from saved_models import customers, save

from tracking import ExperimentTracker, ModelRegistry
from trainer.export import export_command
from trainer.predict import score_command
from trainer.saved_model import load_model
from trainer.schema import ROOT as ROOT_KEYS

PAGE = (Path(__file__).parents[3] / "docs" / "using-a-model.md").read_text()
COMMANDS = [
    line.partition("#")[0].partition("|")[0].strip()
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if re.match(r"python -m trainer\.(predict|export) ", line)
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with new rows, and a store whose champion of `clicks_model` comes from run_001."""
    folder = tmp_path_factory.mktemp("project")
    table = customers().rename(columns={"customer": "user_id"})
    table.to_csv(folder / "old.csv", index=False)
    table.drop(columns="churned").to_csv(folder / "new.csv", index=False)
    table.to_excel(folder / "new.xlsx", index=False)
    with ExperimentTracker(folder / "experiments").start_run("clicks_model") as run:
        save(run.artifacts_dir, folder / "old.csv")
        run.log({"val_auc": 0.7})
    registry = ModelRegistry(folder / "experiments")
    objective = {"metric": "val_auc", "mode": "max", "value": 0.7}
    files = ["model_best.pt", "model.json"]
    registry.register(
        "clicks_model", "run_001", files=files, objective=objective, loader="trainer:load_model"
    )
    registry.promote("clicks_model", 1, reason="the first")
    return folder


def test_the_page_shows_both_commands() -> None:
    assert len(COMMANDS) >= 6


@pytest.mark.filterwarnings("ignore")  # of torch about itself, when it exports
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_runs(project: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(project)
    _, _, module, *words = shlex.split(command)
    main = score_command.main if module == "trainer.predict" else export_command.main
    assert main(words) == 0
    output = dict(word.split("=", 1) for word in words).get("output")
    assert output is None or (project / output).stat().st_size > 0


@pytest.mark.filterwarnings("ignore")
def test_the_snippet_scores_with_the_exported_file_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    (snippet,) = re.findall(r"```python\n# scoring\n(.*?)```", PAGE, re.DOTALL)
    predictor = load_model("run_001")
    predictor.export("clicks.onnx")
    names: dict[str, object] = {}
    exec(snippet, names)
    np.testing.assert_allclose(names["chances"], predictor.predict("new.csv"), atol=1e-5)
    assert len(pd.read_csv("new.csv")) == len(names["labels"])  # type: ignore[arg-type]


def test_the_page_names_every_key_of_the_command_and_the_threshold() -> None:
    section = PAGE.partition("## Score new rows")[2].partition("## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) >= set(score_command.KEYS)
    assert all(f"`threshold={rule}`" in section for rule in ("balanced_accuracy", "accuracy", "f1"))
    assert "threshold" in ROOT_KEYS
