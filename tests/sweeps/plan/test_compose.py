"""Job configs built from one composition equal those that Hydra composes one by one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from sweeps.plan.compose import Composer
from sweeps.plan.packing import task_config

CONFIGS = Path(__file__).parents[1] / "apps" / "quadratic"


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def master(loader: ConfigLoader) -> DictConfig:
    return loader.load_configuration("config", [], RunMode.MULTIRUN)


POINTS = st.fixed_dictionaries(
    {},
    optional={
        "x": st.integers(-5, 5).map(str),
        "shape": st.sampled_from(["square", "triangle"]),
        "store": st.sampled_from(["elsewhere", "'a b'"]),
        "shape.sides": st.integers(1, 9).map(str),
        "+extra.deep": st.booleans().map(str),
        "fault": st.just("${store}"),
    },
)


@settings(max_examples=30)
@example(fixed={"store": "elsewhere", "shape.sides": "1"}, point={"shape": "square"})
@given(fixed=POINTS, point=POINTS)
def test_a_patched_config_is_the_one_hydra_would_compose(
    loader: ConfigLoader, fixed: dict[str, str], point: dict[str, str]
) -> None:
    fixed_lines = [f"{key}={value}" for key, value in fixed.items() if key not in point]
    lines = [f"{key}={value}" for key, value in point.items()]
    config = Composer(loader, master(loader), fixed_lines).job_config(3, lines).whole
    composed = loader.load_sweep_config(master(loader), fixed_lines + lines)
    assert task_config(config) == task_config(composed)
    assert config.hydra.overrides.task == composed.hydra.overrides.task
    assert config.hydra.job.override_dirname == composed.hydra.job.override_dirname
    assert config.hydra.job.num == 3


def test_interpolations_follow_a_patched_value(loader: ConfigLoader) -> None:
    config = Composer(loader, master(loader), ["shape=triangle"]).job_config(0, ["x=7"]).whole
    assert task_config(config).shape.kind == 7


def test_jobs_do_not_share_their_configs(loader: ConfigLoader) -> None:
    composer = Composer(loader, master(loader), [])
    first, second = composer.job_config(0, ["x=1"]).whole, composer.job_config(1, ["x=2"]).whole
    assert (first.x, second.x) == (1, 2)
    assert OmegaConf.select(first, "hydra.job.num") == 0


def test_an_unknown_key_is_refused_as_hydra_refuses_it(loader: ConfigLoader) -> None:
    with pytest.raises(ConfigCompositionException, match="Could not override 'y'"):
        Composer(loader, master(loader), []).job_config(0, ["y=1"])


def test_a_file_that_is_edited_after_the_plan_changes_no_job_that_is_composed_later(tmp_path: Path) -> None:
    shutil.copytree(CONFIGS, tmp_path / "conf")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(tmp_path / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        composer = Composer(loader, master(loader), [])
        points = [(f"shape={shape}", f"x={x}") for shape in ("square", "triangle") for x in (1, 2)]
        composer.prepare(points)
        for name in ("config.yaml", "shape/square.yaml", "shape/triangle.yaml"):
            (tmp_path / "conf" / name).write_text("broken: [")
        made = [composer.job_config(number, point).whole for number, point in enumerate(points)]
    assert [(each.shape.sides, each.x) for each in made] == [(4, 1), (4, 2), (3, 1), (3, 2)]
