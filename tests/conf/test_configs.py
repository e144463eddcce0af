"""The configs: each option composes, reads well, and no two sections share a leaf name."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from reference import PAGE, page

import trainer.config  # noqa: F401 - makes the defaults that depend on the task known
from hydra_plugins.podium.versions import current_defaults
from sweeps.plan.packing import quick_configs
from sweeps.settings.reading import sweeper_settings

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
OPTIONS = sorted(path for path in CONF.glob("*/*.yaml") if path.parent.name != "local")


def composed(*overrides: str, folder: Path | None = None, **options: Any) -> DictConfig:
    """Compose the project's config, or that of a folder, without the settings of this machine."""
    without = ["~local"] if folder is None and (CONF / "local" / "default.yaml").exists() else []
    with quick_configs(), initialize_config_dir(str(folder or CONF), **current_defaults()):
        return compose("config", overrides=[*overrides, *without], **options)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A copy of conf/ with the settings of a machine that docs/trainer-reference.md shows."""
    folder = tmp_path / "conf"
    shutil.copytree(CONF, folder, ignore=shutil.ignore_patterns("local"))
    page = (ROOT / "docs" / "trainer-reference.md").read_text()
    (shown,) = re.findall(
        r"```yaml\n(# @package _global_\n# conf/local/default.yaml\n.*?)```", page, re.DOTALL
    )
    (folder / "local").mkdir()
    (folder / "local" / "default.yaml").write_text(shown)
    return folder


def leaves(node: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for key, value in node.items():
        found += leaves(value) if isinstance(value, dict) else [key]
    return found


@pytest.mark.parametrize("option", OPTIONS, ids=lambda path: f"{path.parent.name}={path.stem}")
def test_every_option_composes(option: Path) -> None:
    epochs = composed(f"{option.parent.name}={option.stem}").training.epochs
    assert epochs == "auto" or epochs >= 1


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
    assert len(list((CONF / "experiment").glob("*.yaml"))) >= 4


def test_a_recipe_overrides_the_defaults_and_the_command_line_overrides_the_recipe() -> None:
    recipe = composed("experiment=breast_cancer_logistic", "training.epochs=3")
    assert (recipe.data.dataset, recipe.training.batch_size, recipe.training.epochs) == (
        "breast_cancer",
        32,
        3,
    )


def test_a_recipe_that_is_a_sweep_needs_no_flag() -> None:
    swept = composed("experiment=ctr_sweep", return_hydra_config=True)
    assert swept.hydra.mode is RunMode.MULTIRUN
    assert set(swept.sweep.params) == {"training.learning_rate", "model.hidden_dims"}
    assert composed("experiment=ctr_quick", return_hydra_config=True).hydra.mode is None


def test_a_sweep_over_folds_ranks_them_as_one_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    swept = composed("data=csv", "data.path=t.csv", "data.target=y", return_hydra_config=True)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", swept)
    settings = sweeper_settings(swept)
    assert settings.space.repeats(("model", "data.fold", "seed")) == ("data.fold", "seed")


def test_debugging_overrides_a_recipe() -> None:
    debugged = composed("experiment=ctr_quick", "debug=default")
    assert (debugged.data.rows, debugged.training.epochs, debugged.training.limit_batches) == (12000, 1, 1)
    assert (debugged.promotion.promote, debugged.sweep.n_jobs) == (False, 1)


def test_the_settings_of_a_machine_stand_between_recipe_and_command_line(machine: Path) -> None:
    cfg = composed("experiment=ctr_quick", folder=machine)
    assert (cfg.paths.experiments, cfg.sweep.n_jobs) == ("/scratch/experiments", 4)
    assert (cfg.training.epochs, cfg.device) == (5, "auto")
    assert composed("paths.experiments=here", folder=machine).paths.experiments == "here"
    assert composed("debug=default", folder=machine).sweep.n_jobs == 1
    assert composed("~local", folder=machine) == composed()


def test_the_page_of_all_keys_says_what_the_files_say() -> None:
    assert PAGE.read_text() == page(), "write it anew: python tests/conf/reference.py"
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert all(row.split("|")[3].strip() for row in rows)


def test_the_trainers_jobs_find_the_same_imported_on_every_launcher_of_its() -> None:
    at_home, on_dask, on_ray = (
        OmegaConf.load(CONF / "hydra" / "launcher" / f"{name}.yaml")
        for name in ("trainer", "trainer_dask", "trainer_ray")
    )
    for each in (on_dask, on_ray):
        assert (at_home.settings_from, at_home.preload) == (each.settings_from, each.preload)
