"""A key that the sweeper or the launcher does not have is refused, with the allowed ones and the one that was meant."""

from collections.abc import Iterator
from dataclasses import fields
from itertools import product

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

from hydra_plugins.podium.config import LauncherConf, ObjectiveConf, PromotionConf, SweeperConf
from hydra_plugins.podium.versions import current_defaults
from sweeps import SettingsError
from sweeps.settings.reading import launcher_settings, sweeper_settings

CONFIG = """
defaults:
  - override hydra/sweeper: podium
  - override hydra/launcher: podium
  - _self_

own: {}
hydra:
  sweeper:
    store: results
"""

PLACES = {
    "hydra.sweeper": SweeperConf,
    "hydra.sweeper.objective": ObjectiveConf,
    "hydra.sweeper.promotion": PromotionConf,
    "hydra.launcher": LauncherConf,
}
KEYS = [
    (place, each.name)
    for place, conf in PLACES.items()
    for each in fields(conf)
    if each.name not in ("_target_", "settings_from")
]


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfigLoader]:
    folder = tmp_path_factory.mktemp("conf")
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "in_a_file.yaml").write_text(
        "defaults: [config, _self_]\nhydra: {sweeper: {promotion: {metric: loss}}}\n"
    )
    (folder / "hydra" / "sweeper").mkdir(parents=True)
    (folder / "hydra" / "sweeper" / "mine.yaml").write_text("defaults: [podium]\nobjective: {modus: min}\n")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folder), **current_defaults()):
        yield GlobalHydra.instance().config_loader()


def read(loader: ConfigLoader, *overrides: str, name: str = "config") -> None:
    config: DictConfig = loader.load_configuration(name, list(overrides), RunMode.MULTIRUN)
    sweeper_settings(config)
    launcher_settings(config)


def refusal(loader: ConfigLoader, *overrides: str, name: str = "config") -> str:
    with pytest.raises(SettingsError) as refused:
        read(loader, *overrides, name=name)
    return str(refused.value)


@pytest.mark.parametrize(("place", "name"), KEYS)
def test_a_misspelt_key_is_answered_with_the_right_one(loader: ConfigLoader, place: str, name: str) -> None:
    wrong = f"{name[:-1]}x" if len(name) > 2 else f"{name}x"
    said = refusal(loader, f"{place}.{wrong}=1")
    assert said.startswith(f"{place}.{wrong}: unknown key; allowed are ")
    allowed = said.partition("allowed are ")[2].partition(";")[0].split(", ")
    assert name in allowed
    assert "_target_" not in allowed
    if len(name) > 2:
        assert f"{place}.{name}" in said.partition("did you mean ")[2]


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("hydra.sweeper.promote=true", "hydra.sweeper.promotion.promote"),
        ("+hydra.sweeper.promotion.metric=loss", "hydra.sweeper.objective.metric"),
        ("hydra.sweeper.metric=loss", "hydra.sweeper.objective.metric"),
        ("hydra.sweeper.n_jobs=2", "hydra.launcher.n_jobs"),
        ("++hydra.launcher.repeat=2", "hydra.sweeper.repeat"),
        ("hydra.sweeper.objectiv.mode=min", "hydra.sweeper.objective"),
        ("hydra.sweeper.promotion={promote:true,modelname:a}", "hydra.sweeper.promotion.model_name"),
    ],
)
def test_a_key_in_the_wrong_place_is_answered_with_the_right_place(
    loader: ConfigLoader, override: str, meant: str
) -> None:
    assert f"did you mean {meant}?" in refusal(loader, override)


def test_files_are_held_to_the_same_keys(loader: ConfigLoader) -> None:
    assert "hydra.sweeper.promotion.metric: unknown key" in refusal(loader, name="in_a_file")
    said = refusal(loader, "hydra/sweeper=mine")
    assert said.startswith("hydra.sweeper.objective.modus: unknown key; allowed are at, metric, mode")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("n_job", "own.n_job: unknown key; .*; did you mean own.n_jobs"),
        ("promote", "own.promote: unknown key; .*; did you mean own.promotion.promote"),
        (
            "objective.modus",
            "own.objective.modus: unknown key; allowed are at, metric, mode; did you mean own.obj",
        ),
        ("promotion.metric", "own.promotion.metric: unknown key; .*; did you mean own.objective.metric"),
    ],
)
def test_so_is_a_section_of_ones_own(loader: ConfigLoader, key: str, said: str) -> None:
    own = ("hydra.sweeper.settings_from=own", "hydra.launcher.settings_from=own")
    with pytest.raises(SettingsError, match=said):
        read(loader, *own, f"+own.{key}=1")


@pytest.mark.parametrize(
    ("name", "value"),
    [*product(("objective", "promotion"), ("true", "loss")), ("objective", "[]"), ("promotion", "null")],
)
def test_a_value_in_place_of_a_group_of_settings_is_answered_with_its_keys(
    loader: ConfigLoader, name: str, value: str
) -> None:
    said = refusal(loader, f"hydra.sweeper.{name}={value}")
    assert said.startswith(f"hydra.sweeper.{name}=")
    assert "allowed is a mapping of " in said
    assert "None" not in said


def test_names_of_the_users_own_are_no_unknown_keys(loader: ConfigLoader) -> None:
    read(loader, "hydra.sweeper.promotion.rules.thresholds.val_loss=0.4", "hydra.sweeper.params={x: '1,2'}")
    read(loader, "+hydra.sweeper.params.y='3,4'")
