"""One place for a setting: the section of the config that ``settings_from`` names, or ``hydra.sweeper`` itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

from hydra_plugins.podium.versions import current_defaults
from sweeps import SettingsError
from sweeps.plan.compose import Composer
from sweeps.settings.reading import launcher_settings, sweeper_settings

CONFIG = """
defaults:
  - override hydra/sweeper: podium
  - override hydra/launcher: own
  - _self_

x: 0
metric: val_loss
best: {metric: val_acc}
paths: {store: results}
podium:
  name: mine
  n_jobs: 1
  params: {x: "1,2"}
  objective: {metric: "${metric}"}
hydra:
  sweeper: {settings_from: podium, store: "${paths.store}"}
"""


LAUNCHER = """
defaults: [podium]
settings_from: podium
"""


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[ConfigLoader]:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "hydra" / "launcher").mkdir(parents=True)
    (tmp_path / "hydra" / "launcher" / "own.yaml").write_text(LAUNCHER)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(tmp_path), **current_defaults()):
        yield GlobalHydra.instance().config_loader()


def composed(loader: ConfigLoader, *overrides: str) -> DictConfig:
    return loader.load_configuration("config", list(overrides), RunMode.MULTIRUN)


def test_a_setting_may_refer_to_what_hydra_knows_before_the_jobs(loader: ConfigLoader) -> None:
    config = composed(loader, "podium.name='${hydra:sweeper.settings_from}_${hydra:verbose}'")
    assert sweeper_settings(config).name == "podium_False"


def test_settings_are_read_from_the_section_that_is_named(loader: ConfigLoader) -> None:
    settings = sweeper_settings(composed(loader))
    assert (settings.name, dict(settings.space.params)) == ("mine", {"x": "1,2"})
    assert (settings.objective.metric, settings.objective.at) == ("val_loss", "best")
    assert (str(settings.store), settings.store_key) == ("results", "paths.store")
    assert settings.max_failures == 0
    assert launcher_settings(composed(loader)).n_jobs == 1


def test_without_a_name_they_are_read_from_hydras_own_section(loader: ConfigLoader) -> None:
    config = composed(loader, "hydra.sweeper.settings_from=null", "hydra.launcher.settings_from=null")
    assert (sweeper_settings(config).name, sweeper_settings(config).objective.metric) == (None, None)
    assert launcher_settings(config).n_jobs != 0


def test_an_explicit_setting_of_hydras_section_wins(loader: ConfigLoader) -> None:
    config = composed(
        loader, "hydra.sweeper.name=other", "hydra.sweeper.objective.at=last", "hydra.launcher.n_jobs=2"
    )
    settings = sweeper_settings(config)
    assert (settings.name, settings.objective.metric, settings.objective.at) == ("other", "val_loss", "last")
    assert launcher_settings(config).n_jobs == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+podium.thread=3", "podium.thread: unknown key; allowed are address, budget, check, .*, threads, timeout, .*, when"),
        ("+podium.objective.metrik=a", "podium.objective.metrik: unknown key; allowed are at, metric, mode"),
        ("+podium.n_trials=abc", "podium.n_trials=abc: Value 'abc' of type 'str' could not be converted to Integer"),
        ("podium.name=[a]", r"podium.name=\['a'\]: Cannot convert 'ListConfig' to string"),
        ("+podium.filter=${nope}", "podium.filter: Interpolation key 'nope' not found"),
        ("+podium.points=[{x:${nope}}]", "podium.points.0.x: Interpolation key 'nope' not found"),
        ("podium.name='${hydra:runtime.output_dir}'", "podium.name: hydra:runtime.output_dir is known in the job"),
        ("+podium.output=loud", "output=loud: allowed are auto, table, lines, json"),
        ("hydra.sweeper.settings_from=sweep", "hydra.sweeper.settings_from=sweep: the config has no such section"),
        ("hydra.sweeper.settings_from=x", "hydra.sweeper.settings_from=x: the config has no such section"),
        ("hydra.launcher.settings_from=null", "podium.n_jobs: unknown key"),
    ],
)  # fmt: skip
def test_a_section_that_does_not_fit_is_refused(loader: ConfigLoader, override: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        sweeper_settings(composed(loader, override))


def test_a_section_may_keep_the_settings_of_a_launcher_that_is_not_chosen(loader: ConfigLoader) -> None:
    config = composed(loader, "hydra/launcher=basic")
    assert sweeper_settings(config).name == "mine"
    assert launcher_settings(config).n_jobs == 1


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("podium.n_jobs=3", "podium.n_jobs"),
        ("podium.params.x=7", "podium.params.x"),
        ("metric=val_acc", "podium.objective.metric"),
        ("+podium.objective.at=last", "podium.objective.at"),
        ("+podium.fail_fast=true", "podium.fail_fast"),
        ("paths.store=elsewhere", "hydra.sweeper.store"),
    ],
)
def test_a_job_that_changes_a_setting_of_the_sweep_is_refused(
    loader: ConfigLoader, override: str, key: str
) -> None:
    composer = Composer(loader, composed(loader), [])
    with pytest.raises(SettingsError, match=f"^{key} would be .* in this job and is .* in the sweep"):
        composer.require_same_sweep(composer.job_config(0, [override]))


SPACES = {
    "params": "{x: '3,4'}",
    "spaces": "[{x: '3,4'}]",
    "points": "[{x: 3}]",
    "mode": "zip",
    "n_trials": "3",
    "repeat": "2",
    "seed_key": "x",
    "repeat_keys": "[x]",
    "when": "{x: metric == 1}",
    "filter": "x > 3",
}


@pytest.mark.parametrize("place", ["podium", "hydra.sweeper"])
@pytest.mark.parametrize(("name", "value"), SPACES.items())
def test_a_choice_that_is_swept_cannot_bring_a_space_of_its_own(
    loader: ConfigLoader, tmp_path: Path, place: str, name: str, value: str
) -> None:
    section = "\n".join(f"{'  ' * depth}{part}:" for depth, part in enumerate(place.split(".")))
    (tmp_path / "preset").mkdir()
    (tmp_path / "preset" / "own.yaml").write_text(
        f"# @package _global_\n{section}\n        {name}: {value}\n"
    )
    composer = Composer(loader, composed(loader), [])
    with pytest.raises(SettingsError) as refused:
        composer.require_same_sweep(composer.job_config(0, ["+preset=own"]))
    assert str(refused.value).startswith(f"{place}.{name}")
    assert "a choice that brings its own cannot be swept" in str(refused.value)
    assert "None" not in str(refused.value)


@pytest.mark.parametrize("override", ["x=3", "podium.name=of_a_job", "+podium.promotion.model_name=of_a_job"])
def test_a_job_may_change_what_the_sweep_asks_for_once(loader: ConfigLoader, override: str) -> None:
    composer = Composer(loader, composed(loader), [])
    composer.require_same_sweep(composer.job_config(0, [override]))


@pytest.mark.parametrize(
    ("metric", "mode", "expected"),
    [("val_loss", None, "min"), ("rmse", None, "min"), ("val_auc", None, "max"), ("reward", None, "max"),
     ("rmse", "max", "max"), (None, None, "max"), (None, "min", "min")],
)  # fmt: skip
def test_a_metric_without_a_mode_is_optimised_as_its_name_says(
    loader: ConfigLoader, metric: str | None, mode: str | None, expected: str
) -> None:
    config = composed(
        loader, f"podium.objective.metric={metric or 'null'}", f"+podium.objective.mode={mode or 'null'}"
    )
    assert sweeper_settings(config).objective.mode == expected


@pytest.mark.parametrize(
    ("override", "name", "expected"),
    [
        ("hydra.sweeper.name=null", "name", None),
        ("hydra.sweeper.max_failures=0", "max_failures", 0),
        ("hydra.sweeper.dry_run=false", "dry_run", False),
    ],
)
def test_what_the_command_line_sets_below_hydra_wins_even_if_it_is_the_default(
    loader: ConfigLoader, override: str, name: str, expected: object
) -> None:
    section = ("+podium.max_failures=5", "+podium.dry_run=true")
    assert getattr(sweeper_settings(composed(loader, *section)), name) != expected
    assert getattr(sweeper_settings(composed(loader, *section, override)), name) == expected


def test_an_objective_of_the_command_line_wins_key_by_key(loader: ConfigLoader) -> None:
    settings = sweeper_settings(composed(loader, "hydra.sweeper.objective.metric=null"))
    assert settings.objective.metric is None


def test_a_section_of_settings_changes_no_job(loader: ConfigLoader) -> None:
    assert sweeper_settings(composed(loader)).key_ignores == {"podium"}
    assert sweeper_settings(composed(loader, "hydra.sweeper.settings_from=null")).key_ignores == {"podium"}


def test_a_section_that_holds_text_where_a_mapping_belongs_is_refused(loader: ConfigLoader) -> None:
    with pytest.raises(SettingsError, match=r"podium.objective=val_auc: allowed is a mapping"):
        sweeper_settings(composed(loader, "podium.objective=val_auc"))


@pytest.mark.parametrize(
    ("given", "cores", "expected"),
    [("-1", 8, 8), ("-2", 8, 7), ("-8", 8, 1), ("-99", 8, 1), ("null", 8, 8), ("3", 8, 3), ("20", 8, 20), ("-1", 1, 1)],
)  # fmt: skip
def test_a_negative_number_of_jobs_counts_down_from_the_cores(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch, given: str, cores: int, expected: int
) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: cores)
    config = composed(loader, f"podium.n_jobs={given}")
    settings = launcher_settings(config)
    assert (settings.n_jobs, settings.threads) == (expected, max(1, cores // expected))


def test_with_devices_it_counts_down_from_their_places(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices = ("+podium.gpus=[0,1]", "+podium.jobs_per_gpu=2")
    assert launcher_settings(composed(loader, *devices, "podium.n_jobs=-1")).n_jobs == 4
    assert launcher_settings(composed(loader, *devices, "podium.n_jobs=-2")).n_jobs == 3


def test_no_jobs_at_once_is_refused(loader: ConfigLoader) -> None:
    with pytest.raises(
        SettingsError, match=r"n_jobs=0: allowed are 1, 2, \.\.\., null or -1 .*, -2 for one less"
    ):
        launcher_settings(composed(loader, "podium.n_jobs=0"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["podium.n_jobs=1001"], "n_jobs=1001"),
        (["podium.n_jobs=100000"], "n_jobs=100000"),
        (["+podium.gpus=[0]", "+podium.jobs_per_gpu=1001"], "jobs_per_gpu=1001"),
    ],
)
def test_more_jobs_at_once_than_a_machine_has_threads_for_are_refused(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch, given: list[str], said: str
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(SettingsError, match=f"^{said}: allowed are up to 1000 jobs at once on one machine$"):
        launcher_settings(composed(loader, *given))


@pytest.mark.parametrize(("given", "expected"), [("null", 1000), ("-1", 1000), ("-2", 999), ("1000", 1000)])
def test_a_machine_of_more_cores_than_that_runs_so_many_jobs_at_once(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch, given: str, expected: int
) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 1152)
    assert launcher_settings(composed(loader, f"podium.n_jobs={given}")).n_jobs == expected


@pytest.mark.parametrize(("given", "expected"), [("-1", 8), ("-2", 7), ("3", 3), ("null", 8)])
def test_the_number_of_another_launcher_is_read_in_the_same_way(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch, given: str, expected: int
) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    foreign = ("hydra.launcher._target_=joblib_launcher.Launcher", f"hydra.launcher.n_jobs={given}")
    assert launcher_settings(composed(loader, *foreign)).n_jobs == expected
