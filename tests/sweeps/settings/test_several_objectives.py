"""The objective is one, or a list of several; the first of them is the one that decides where only one can."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from hydra_plugins.podium.versions import current_defaults
from sweeps import SettingsError
from sweeps.plan.plan import Plan, make_plan
from sweeps.settings.reading import sweeper_settings
from sweeps.settings.sweeper_settings import SweeperSettings
from tracking.objective import Objective

CONFIG = """
defaults: [override hydra/sweeper: podium, override hydra/launcher: podium, _self_]
goal: {metric: val_auc}
own: {objective: "${goal}"}
"""
IN_A_FILE = """
defaults: [config, _self_]
hydra: {sweeper: {objective: [{metric: val_auc}, {metric: latency_ms, mode: min, at: last}]}}
"""
BOTH = "[{metric:val_auc},{metric:latency_ms,mode:min,at:last}]"
OBJECTIVES = (Objective.of("val_auc"), Objective.of("latency_ms", "min", "last"))


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfigLoader]:
    folder = tmp_path_factory.mktemp("conf")
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "in_a_file.yaml").write_text(IN_A_FILE)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folder), **current_defaults()):
        yield GlobalHydra.instance().config_loader()


def read(loader: ConfigLoader, *overrides: str, name: str = "config") -> SweeperSettings:
    return sweeper_settings(loader.load_configuration(name, list(overrides), RunMode.MULTIRUN))


OWN = "hydra.sweeper.settings_from=own"


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([f"hydra.sweeper.objective={BOTH}"], "config"),
        ([], "in_a_file"),
        ([OWN, f"own.objective={BOTH}"], "config"),
        ([OWN, "own.objective=['${goal}',{metric:latency_ms,mode:min,at:last}]"], "config"),
        ([OWN, f"hydra.sweeper.objective={BOTH}"], "config"),
    ],
)
def test_several_objectives_are_a_list_wherever_one_may_stand(
    loader: ConfigLoader, overrides: list[str], name: str
) -> None:
    settings = read(loader, *overrides, name=name)
    assert settings.objectives == OBJECTIVES
    assert settings.objective == OBJECTIVES[0]


@pytest.mark.parametrize("overrides", [[OWN], ["hydra.sweeper.objective=[{metric:val_auc}]"]])
def test_one_objective_is_a_mapping_or_a_list_of_one(loader: ConfigLoader, overrides: list[str]) -> None:
    assert read(loader, *overrides).objectives == OBJECTIVES[:1]


@pytest.mark.parametrize("given", ["null", "{}"])
def test_without_an_objective_the_returned_value_counts(loader: ConfigLoader, given: str) -> None:
    assert read(loader, f"hydra.sweeper.objective={given}").objectives == (Objective.of(None),)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["hydra.sweeper.objective=[{metric:a},{mode:min}]"], "objective.1.metric=null: allowed is the name"),
        (["hydra.sweeper.objective=[{metric:a},{metric:a}]"], "objective.1.metric=a: allowed .* another one"),
        (["hydra.sweeper.objective=[{metric:a},{metric:b,mode:up}]"], "objective.1.mode=up: allowed are max"),
        (
            ["hydra.sweeper.objective=[{metric:a},b]"],
            r"sweeper.objective.1=b: allowed is a mapping of at, met",
        ),
        (["hydra.sweeper.objective=[{metric:a},{metrik:b}]"], r"sweeper.objective.1.metrik: unknown key"),
        (
            ["hydra.sweeper.objective=[{metric:[a]},{metric:b}]"],
            r"sweeper.objective.0.metric: Cannot convert",
        ),
        ([OWN, "own.objective=[{metric:a},{metrik:b}]"], r"own.objective.1.metrik: unknown key"),
        ([OWN, "own.objective=[]"], r"own.objective=\[\]: allowed is .* or a list of such mappings"),
    ],
)
def test_a_list_that_cannot_work_is_refused(loader: ConfigLoader, overrides: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read(loader, *overrides)


def test_each_mode_that_contradicts_its_metric_is_told(loader: ConfigLoader) -> None:
    notes = read(loader, "hydra.sweeper.objective=[{metric:a},{metric:val_loss,mode:max}]").notes
    assert [note.partition(":")[0] for note in notes] == ["mode=max contradicts the name of the metric"]


def test_the_plan_keeps_them_so_that_an_older_reader_finds_the_first(
    loader: ConfigLoader, tmp_path: Path
) -> None:
    settings = read(loader, name="in_a_file")
    make_plan("s", settings, ["x"], 1).save(tmp_path / "plan.json")
    plan = Plan.read(tmp_path / "plan.json")
    assert plan.objectives == OBJECTIVES
    assert {name: plan.objective[name] for name in ("metric", "mode", "at")} == OBJECTIVES[0].ranked_by
    assert settings.ranked_by(["x"]) == {**OBJECTIVES[0].ranked_by, "others": [OBJECTIVES[1].ranked_by]}


def test_the_plan_of_one_objective_is_what_it_was(loader: ConfigLoader, tmp_path: Path) -> None:
    make_plan("s", read(loader), ["x"], 1).save(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json").objective == {"metric": None, "mode": "max", "at": "best"}
