"""Job configs built from one composition equal those that Hydra composes one by one."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.podium.versions import current_defaults
from sweeps.errors import SettingsError
from sweeps.plan import compose
from sweeps.plan.compose import Composer
from sweeps.plan.packing import task_config
from sweeps.plan.planner import Planner

CONFIGS = Path(__file__).parents[1] / "apps" / "quadratic"


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(CONFIGS), **current_defaults()):
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


@settings(max_examples=12)
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


VALUES = st.sampled_from(
    ["1", "1e-3", "null", "true", "nan", "text", "''", "'a, b'", "[]", "[1,[2]]", "[{a:1}]", "{a:1}", "{b:{c:2}}",
     "${store}", "${shape.sides}"]
)  # fmt: skip
ADDED = st.lists(
    st.fixed_dictionaries(
        {"+new": VALUES}, optional={"++seed": VALUES, "+deep.er": VALUES, "shape": st.sampled_from(["square", "triangle"])}
    ),
    min_size=2, max_size=4,
)  # fmt: skip


@settings(max_examples=6)
@example(points=[{"+new": "{a:1}"}, {"+new": "{b:2}"}, {"+new": "3"}, {"+new": "[4]"}])
@given(points=ADDED)
def test_keys_that_are_added_have_the_values_hydra_would_give_them(
    loader: ConfigLoader, points: list[dict[str, str]]
) -> None:
    composer = Composer(loader, master(loader), ["fault=none"])
    for number, point in enumerate(points):
        lines = [f"{key}={value}" for key, value in point.items()]
        config = composer.job_config(number, lines).whole
        composed = loader.load_sweep_config(master(loader), ["fault=none", *lines])
        assert OmegaConf.to_yaml(task_config(config)) == OmegaConf.to_yaml(task_config(composed))
        assert config.hydra.overrides.task == composed.hydra.overrides.task


@pytest.mark.parametrize(
    ("axes", "times"),
    [
        (["x"], 1),
        (["+y"], 1),
        (["++y"], 1),
        (["++x"], 1),
        (["+y", "++z.deep", "x"], 1),
        (["shape", "+y"], 2),
    ],
)
def test_only_choices_of_structure_are_composed_one_by_one(
    loader: ConfigLoader, axes: list[str], times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Mock(wraps=compose.compose_job)
    monkeypatch.setattr(compose, "compose_job", counting)
    composer = Composer(loader, master(loader), [])
    choices = [["square", "triangle"] if key == "shape" else range(5) for key in axes]
    points = [
        [f"{key}={value}" for key, value in zip(axes, values, strict=True)] for values in product(*choices)
    ]
    composer.prepare(points)
    for number, point in enumerate(points):
        composer.job_config(number, point)
    assert counting.call_count == times


@pytest.mark.parametrize("line", ["+x=1", "+shape.sides=3"])
def test_a_key_that_exists_cannot_be_added(loader: ConfigLoader, line: str) -> None:
    with pytest.raises(ConfigCompositionException, match="An item is already at"):
        Composer(loader, master(loader), []).job_config(0, [line])


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
    with initialize_config_dir(str(tmp_path / "conf"), **current_defaults()):
        loader = GlobalHydra.instance().config_loader()
        composer = Composer(loader, master(loader), [])
        points = [(f"shape={shape}", f"x={x}") for shape in ("square", "triangle") for x in (1, 2)]
        composer.prepare(points)
        for name in ("config.yaml", "shape/square.yaml", "shape/triangle.yaml"):
            (tmp_path / "conf" / name).write_text("broken: [")
        made = [composer.job_config(number, point).whole for number, point in enumerate(points)]
    assert [(each.shape.sides, each.x) for each in made] == [(4, 1), (4, 2), (3, 1), (3, 2)]


@pytest.mark.parametrize(
    "setting", ["params={x:nan}", "params={x:[1,nan]}", "points=[{x:nan}]", "spaces=[{x:nan},{x:1}]"]
)
@pytest.mark.parametrize("point", ["x=1", "shape=triangle", "++hydra.sweeper.seed=0"])
def test_a_setting_that_holds_nan_is_the_same_in_every_job(
    loader: ConfigLoader, setting: str, point: str
) -> None:
    sweep = loader.load_configuration("config", [f"hydra.sweeper.{setting}"], RunMode.MULTIRUN)
    composer = Composer(loader, sweep, [])
    composer.require_same_sweep(composer.job_config(0, [point]))
    other = composer.job_config(1, [f"++hydra.sweeper.{setting.replace('nan', '7')}"])
    with pytest.raises(SettingsError, match=r"would be .* in this job and is .* in the sweep"):
        composer.require_same_sweep(other)


def test_a_setting_that_refers_to_a_swept_key_is_not_taken_for_a_choice(loader: ConfigLoader) -> None:
    sweep = loader.load_configuration("config", ["hydra.sweeper.params={seed:'${x}'}"], RunMode.MULTIRUN)
    composer = Composer(loader, sweep, [])
    with pytest.raises(
        SettingsError, match=r"sweeper.params.seed would be 3 .*cannot refer to a key that is swept"
    ):
        composer.require_same_sweep(composer.job_config(0, ["x=3"]))


@dataclass
class Inner:
    size: int | None = None


@dataclass
class Typed:
    inner: Inner = field(default_factory=Inner)
    unset: Inner | None = None
    either: int | str = 1


def planned(planner: Planner, lines: list[str]) -> None:
    planner.add([(line,) for line in lines])
    planner.check()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        pytest.param(
            ["unset=null", "unset={size:1}"], r"1 of 2 .*\njob 1 \(unset={size:1}\): .*unset={size:1}: .*attribute",
            marks=pytest.mark.skipif(not current_defaults(), reason="OmegaConf 2.4 fills a section that is null"),
        ),
        (["unset.size=1", "either=2"], r"\njob 0 \(unset.size=1\): Error merging override unset.size=1: "),
        (["inner.size=3", "inner.size=x"], r"\njob 1 .*inner.size=x: Value 'x' of type 'str' could not be converted"),
        (["either=[1]"], r"\njob 0 .*either=\[1\]: Value '\[1\]'"),
        (["nowhere=1"], r"\njob 0 .*Could not override 'nowhere'. To append .*: Key 'nowhere' not in 'Typed'"),
        (["+inner.size=x"], r"^job 0 \(inner.size=x\) cannot run, so no job was started: .*inner.size=x: Value 'x'"),
        (["hydra/launcher=nowhere"], r"job 0 \(hydra/launcher=nowhere\) cannot run.* Available options"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_with_its_job_and_its_key(lines: list[str], said: str) -> None:
    if "typed.yaml" not in ConfigStore.instance().repo:  # Hydra 1.4 warns of a second time
        ConfigStore.instance().store(name="typed", node=Typed)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), **current_defaults()):
        loader = GlobalHydra.instance().config_loader()
        sweep = loader.load_configuration("typed", [], RunMode.MULTIRUN)
        planner = Planner(
            Composer(loader, sweep, []), (), SimpleNamespace(check=None, key_ignores=frozenset())
        )
        with pytest.raises(SettingsError) as refused:
            planned(planner, lines)
    assert re.search(said, str(refused.value)), str(refused.value)
