"""The commands in docs/trainer-reference.md and docs/own-code.md compose, and their snippets run."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from trainer import load_model
from trainer.config import problems
from trainer.task import train

Compose = Callable[..., DictConfig]
ROOT = Path(__file__).resolve().parents[2]
PAGE = "".join(
    (ROOT / "docs" / f"{name}.md").read_text() for name in ("trainer-reference", "own-code", "using-a-model")
)
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [
    re.sub(r"^python -m trainer(\.inspect)?", "", line.split("#")[0]).strip()
    for language, block in BLOCKS
    if language == "bash"
    for line in block.splitlines()
]


def snippets(opening: str) -> list[str]:
    return [block for _, block in BLOCKS if block.startswith(f"# {opening}\n")]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_composes_to_a_sound_config(composed: Compose, command: str) -> None:
    overrides = [each for each in shlex.split(command) if each != "-m"]
    cfg = composed(*(each.split(",")[0] if "-m" in command else each for each in overrides))
    found = problems(OmegaConf.to_container(cfg, resolve=True))
    assert [each for each in found if "there is no file" not in each] == []


def test_the_own_model_and_the_own_data_train_and_load(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("my_data.py", "my_models.py"):
        (tmp_path / name).write_text(snippets(name)[0])
    monkeypatch.syspath_prepend(tmp_path)
    cfg = composed("training.epochs=2")
    cfg.data = OmegaConf.create(snippets("conf/data/mine.yaml")[0])
    cfg.model = OmegaConf.create(snippets("conf/model/wide.yaml")[0])
    assert train(cfg) > 0.7


def test_the_own_model_needs_no_file_of_config(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_models.py").write_text(snippets("my_models.py")[0])
    monkeypatch.syspath_prepend(tmp_path)
    train(composed("model._target_=my_models.Wide", "+model.width=64", "data.rows=1500", "training.epochs=1"))


def test_the_own_training_function_trains_and_its_model_loads(
    composed: Compose, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_train.py").write_text(snippets("my_train.py")[0])
    monkeypatch.syspath_prepend(tmp_path)
    cfg = composed("data.rows=2000", "objective=default", "+task=default")
    cfg.task = OmegaConf.create(snippets("conf/task/mine.yaml")[0])
    value = train(cfg)
    assert value is not None
    assert value > 0.5
    assert load_model(store / "runs" / "run_001").evaluate().auc > 0.5


def test_a_config_outside_the_checkout_is_found_by_config_dir(tmp_path: Path) -> None:
    (tmp_path / "my_conf" / "model").mkdir(parents=True)
    (tmp_path / "my_conf" / "model" / "wide.yaml").write_text(snippets("conf/model/wide.yaml")[0])
    shown = subprocess.run(
        [sys.executable, "-m", "trainer", "--config-dir", "my_conf", "model=wide", "--cfg", "job"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_target_: my_models.Wide" in shown.stdout


def test_the_snippets_that_load_a_model_run(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train(composed("experiment=ctr_quick", "data.rows=1500", "training.epochs=1"))
    for snippet in snippets("loading"):
        exec(compile(snippet, "a page", "exec"), {})


def test_the_loop_runs_from_python_as_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (snippet,) = snippets("loop")
    exec(compile(snippet, "a page", "exec"), {})
    assert float(capsys.readouterr().out.split()[1]) > 0.9
