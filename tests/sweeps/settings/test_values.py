"""Settings that cannot work are refused before the first job; those that are probably a mistake are told."""

from collections.abc import Iterator

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from hydra_plugins.podium.versions import current_defaults
from sweeps import SettingsError
from sweeps.settings.reading import sweeper_settings
from sweeps.settings.sweeper_settings import SweeperSettings

CONFIG = """
defaults:
  - override hydra/sweeper: podium
  - override hydra/launcher: podium
  - _self_

seed: SEED
data: {path: a}
hydra: {sweeper: {promotion: {promote: true, model_name: ctr}}}
"""


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfigLoader]:
    folder = tmp_path_factory.mktemp("conf")
    for name, seed in (("config", "7"), ("text", "abc"), ("none", "null"), ("true", "true")):
        (folder / f"{name}.yaml").write_text(CONFIG.replace("SEED", seed))
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folder), **current_defaults()):
        yield GlobalHydra.instance().config_loader()


def read(loader: ConfigLoader, *overrides: str, name: str = "config") -> SweeperSettings:
    lines = [f"hydra.sweeper.{override}" for override in overrides]
    return sweeper_settings(loader.load_configuration(name, lines, RunMode.MULTIRUN))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model_name=../x", r"promotion.model_name '../x' .*use letters"),
        ("model_name=.x", r"promotion.model_name '.x' starts with a dot"),
        (
            "rules.thresholds.val_loss=nan",
            "promotion.rules.thresholds.val_loss=nan: allowed is a finite number",
        ),
        (
            "rules.thresholds.val_loss=-inf",
            "promotion.rules.thresholds.val_loss=-inf: allowed is a finite number",
        ),
        ("rules.min_gain=inf", "promotion.rules.min_gain=inf: allowed is a finite number, 0 or more"),
        ("rules.min_gain=nan", "promotion.rules.min_gain=nan: allowed"),
        ("rules.min_gain=-1", "promotion.rules.min_gain=-1"),
        ("rules.not_worse.log_loss=-0.1", "promotion.rules.not_worse.log_loss=-0.1: allowed is a number, 0"),
        (
            "rules.not_worse.size=a lot",
            "promotion.rules.not_worse.size='a lot': allowed is a number, 0 or more, or a share",
        ),
        (
            "rules.not_worse.latency=20%",
            "promotion.rules.not_worse.latency: allowed is latency_p95 or another",
        ),
        ("rules.slices.region=x%", "promotion.rules.slices.region='x%': allowed"),
        ("alpha=1", "promotion.alpha=1.0: allowed is a share between 0 and 1"),
        ("looks=0", "promotion.looks=0: allowed is a whole number, 1 or more"),
        ("draws=10", "promotion.draws=10: allowed is a whole number, 100 or more"),
        ("min_rows=1", "promotion.min_rows=1: allowed is a whole number, 2 or more"),
        ("timeout_s=0", "promotion.timeout_s=0.0: allowed are seconds, more than 0"),
        ("scorer=score", "promotion.scorer='score': allowed is the dotted name of a function"),
        (
            "scorer=nowhere.score",
            "promotion.scorer=nowhere.score: allowed is the dotted name of a function of a module that exists",
        ),
        ("min_delta=0.1", "promotion.min_delta: unknown key; allowed are "),
        (
            "thresholds.val_loss=0.1",
            "promotion.thresholds: unknown key; .*did you mean hydra.sweeper.promotion.rules.thresholds",
        ),
        ("rules.min_delta=0.1", "promotion.rules.min_delta: unknown key; allowed are min_gain, not_worse"),
        ("files=[../../run.json]", r"promotion.files: artifact name '../../run.json' is refused"),
        ("files=['']", "promotion.files: artifact name ''"),
        ("files=[manifest.json]", "promotion.files: artifact name 'manifest.json' is taken by the registry"),
        ("files=[]", "promotion.files is empty"),
        ("loader=nowhere:load", "promotion.loader=nowhere:load: allowed is module:function"),
    ],
)
def test_a_promotion_that_cannot_work_is_refused(loader: ConfigLoader, override: str, said: str) -> None:
    prefix = (
        "+" if "." in override.partition("=")[0].removeprefix("rules.") or "min_delta" in override else ""
    )
    lines = [f"{prefix}hydra.sweeper.promotion.{override}"]
    config = loader.load_configuration("config", lines, RunMode.MULTIRUN)
    with pytest.raises(SettingsError, match=said):
        sweeper_settings(config)


def test_sections_to_ignore_that_the_config_lacks_are_told(loader: ConfigLoader) -> None:
    assert read(loader, "key_ignores=[data]").notes == ()
    assert read(loader, "key_ignores=[nosuch,data.path]").notes == (
        "key_ignores: the config has no top-level key nosuch",
        "key_ignores: the config has no top-level key data.path",
    )


@pytest.mark.parametrize(("name", "first"), [("config", 7), ("none", 0), ("text", "abc"), ("true", "True")])
def test_repeats_count_from_the_seed_of_the_config(loader: ConfigLoader, name: str, first: object) -> None:
    assert read(loader, name=name).space.first_seed == first
    assert read(loader, "seed_key=other", name=name).space.first_seed is None
