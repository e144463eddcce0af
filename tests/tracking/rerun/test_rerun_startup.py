"""A composed config becomes the recorded one, and paths are redirected into the checkout."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from tracking.rerun.startup import redirected, settle

HYDRA = {"hydra": {"run": {"dir": "outputs"}}}


def composed(values: Any) -> DictConfig:
    config = OmegaConf.merge(OmegaConf.create(values), HYDRA)
    assert isinstance(config, DictConfig)
    OmegaConf.set_struct(config, True)
    OmegaConf.set_readonly(config, True)
    return config


def settled(
    tmp_path: Path, values: Any, recorded: str, **values_set: Any
) -> tuple[dict[str, Any], list[str]]:
    (tmp_path / "config.yaml").write_text(recorded)
    config = composed(values)
    spec = {"config": str(tmp_path / "config.yaml"), "set": values_set, "output": "/scratch/hydra"}
    changed = settle(config, spec)
    assert config.hydra.run.dir == "/scratch/hydra"
    task = OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])
    found = OmegaConf.to_container(task, resolve=False)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}, changed


def test_equal_values_stay_as_they_are_written(tmp_path: Path) -> None:
    values = {"a": 1, "b": "${a}", "c": {"d": [1, "${a}"], "e": None}, "f": "${c}"}
    recorded = "a: 1\nb: 1\nc: {d: [1, 1], e: null}\nf: {d: [1, 1], e: null}\n"
    assert settled(tmp_path, values, recorded) == (values, [])


def test_recorded_values_win_and_are_named(tmp_path: Path) -> None:
    values = {"a": 1, "c": {"d": [1], "gone": 1}, "rate": 1e-3}
    found, changed = settled(tmp_path, values, "a: 2\nc: {d: [1, 2], more: {x: 1}}\nrate: 0.001\n")
    assert found == {"a": 2, "c": {"d": [1, 2], "more": {"x": 1}}, "rate": 1e-3}
    assert sorted(changed) == ["a", "c.d", "c.gone", "c.more"]


def test_masked_values_and_those_of_hydra_stay_as_composed(tmp_path: Path) -> None:
    values = {
        "password": "hunter2",
        "dir": "${hydra:runtime.output_dir}",
        "at": "${now:%Y}",
        "url": "a://me:pw@b",
    }
    recorded = "password: '***'\ndir: /old/outputs\nat: '1999'\nurl: a://me:***@b\n"
    assert settled(tmp_path, values, recorded) == (values, [])


def test_a_config_of_other_sections_is_left_alone(tmp_path: Path) -> None:
    found, (note,) = settled(tmp_path, {"a": 1, "b": 2}, "hidden: 3\n")
    assert found == {"a": 1, "b": 2}
    assert "other sections" in note


def test_a_new_seed_is_set_last(tmp_path: Path) -> None:
    found, _ = settled(tmp_path, {"training": {"seed": 1}}, "training: {seed: 5}\n", **{"training.seed": 9})
    assert found == {"training": {"seed": 9}}


@dataclass
class Model:
    rate: float = 0.1
    dims: list[int] = field(default_factory=lambda: [1])


def test_structured_configs_keep_their_types(tmp_path: Path) -> None:
    found, changed = settled(tmp_path, {"model": Model()}, "model: {rate: 1, dims: [3, 4]}\n")
    assert found == {"model": {"rate": 1.0, "dims": [3, 4]}}
    assert changed == ["model.rate", "model.dims"]


def test_paths_below_a_repository_are_found_in_its_checkout(tmp_path: Path) -> None:
    root, tree = tmp_path / "repo", tmp_path / "tree"
    for folder in (root / "src", tree / "src", root / "data", root / ".venv/lib/site-packages"):
        folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(root)
    (tree / ".venv/lib/site-packages").mkdir(parents=True)
    pairs = [(os.path.realpath(root), str(tree))]
    assert redirected(str(root / "src"), pairs) == str(tree / "src")
    assert redirected(str(tmp_path / "link/src"), pairs) == str(tree / "src")
    assert redirected(str(root), pairs) == str(tree)
    for same in (root / "data", root / ".venv/lib/site-packages", tmp_path / "repository", tree / "src"):
        assert redirected(str(same), pairs) == str(same)
    assert redirected("", pairs) == ""


@pytest.mark.parametrize("text", ["[]\n", "5\n", "a: [\n", ""])
def test_a_recorded_text_that_is_no_config_of_the_app_changes_nothing(tmp_path: Path, text: str) -> None:
    assert settled(tmp_path, {"b": 1}, text) == ({"b": 1}, [])
