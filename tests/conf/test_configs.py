"""The configs: each option composes, reads well, and no two sections share a leaf name."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
OPTIONS = sorted(path for path in CONF.glob("*/*.yaml"))


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def leaves(node: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for key, value in node.items():
        found += leaves(value) if isinstance(value, dict) else [key]
    return found


@pytest.mark.parametrize("option", OPTIONS, ids=lambda path: f"{path.parent.name}={path.stem}")
def test_every_option_composes(option: Path) -> None:
    added = "+" if option.parent.name == "experiment" else ""
    assert composed(f"{added}{option.parent.name}={option.stem}").training.epochs >= 1


@pytest.mark.parametrize(
    "option", [CONF / "config.yaml", *OPTIONS], ids=lambda path: str(path.relative_to(CONF))
)
def test_a_config_opens_with_a_command_that_uses_it(option: Path) -> None:
    first = next(line for line in option.read_text().splitlines() if not line.startswith("# @package"))
    assert first.startswith("# python -m trainer")


def test_leaf_names_are_unique_so_that_parameters_can_be_logged_flat() -> None:
    raw = OmegaConf.to_container(composed(), resolve=False)
    assert isinstance(raw, dict)
    del raw["sweep"]  # which is no parameter of a run
    names = [name for name in leaves(raw) if name != "_target_"]
    assert sorted(set(names)) == sorted(names)


def test_there_are_recipes_to_start_from() -> None:
    assert len(list((CONF / "experiment").glob("*.yaml"))) >= 3
