"""Configs that travel to a job or are set up fast are the ones that Hydra and OmegaConf would have made."""

import contextlib
import copy
import enum
import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobRuntime, run_job, setup_globals
from hydra.types import HydraContext, RunMode
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins.podium.versions import current_defaults
from sweeps.executor.local.child import run_as_hydra
from sweeps.executor.local.program import Common
from sweeps.plan.compose import Composer
from sweeps.plan.packing import copied, quick_configs, task_config, task_view, unpack

CONFIGS = Path(__file__).parents[1] / "apps" / "quadratic"

KEYS = st.text("abcé_-0", min_size=1, max_size=4)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False),
    st.text(max_size=40).filter(lambda text: "${" not in text),  # which OmegaConf takes for an interpolation
    st.sampled_from(["1e-3", "yes", "null", "08:15", "~", " x ", "a: b", "# no", "two\nlines", "${a}", "\U0001f3c6"]),
)  # fmt: skip
TREES = st.dictionaries(
    KEYS, st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
)  # fmt: skip


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Inner:
    width: int = 3
    path: Path = Path("there")


@dataclass
class Typed:
    inner: Inner = field(default_factory=Inner)
    either: int | str = 3
    colour: Colour = Colour.RED
    names: list[str] = field(default_factory=lambda: ["a"])
    maybe: int | None = None
    twice: str = "${either}/${now:%Y}"


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(CONFIGS), **current_defaults()):
        yield GlobalHydra.instance().config_loader()


def master(loader: ConfigLoader, *overrides: str) -> DictConfig:
    return loader.load_configuration("config", list(overrides), RunMode.MULTIRUN)


def parts(node: Any) -> Iterator[tuple[Any, ...]]:
    """What makes up a config, node by node."""
    metadata = node._metadata
    yield type(node), metadata.ref_type, metadata.object_type, metadata.optional, metadata.key, metadata.flags
    content = node.__dict__.get("_content", node.__dict__.get("_val"))
    if isinstance(content, dict):
        for key, child in content.items():
            assert child._get_parent() is node
            yield (key,)
            yield from parts(child)
    elif isinstance(content, list):
        for child in content:
            assert child._get_parent() is node
            yield from parts(child)
    elif hasattr(content, "_metadata"):
        yield from parts(content)
    else:
        yield (content,)


def yaml_of(config: DictConfig) -> str:
    return OmegaConf.to_yaml(config)


@example(OmegaConf.structured(Typed))
@given(TREES.map(OmegaConf.create))
def test_a_copy_has_every_part_of_a_deep_copy(config: DictConfig) -> None:
    OmegaConf.set_readonly(config, True)
    assert list(parts(copied(config))) == list(parts(copy.deepcopy(config)))


def test_a_copy_shares_nothing_that_can_change(loader: ConfigLoader) -> None:
    setup_globals()
    config = OmegaConf.merge(OmegaConf.structured(Typed), {"names": ["a", "b"]})
    config._set_flag("allow_objects", True)
    resolved = config.twice  # fills the cache of the resolver
    new = copied(config)
    assert new.twice == resolved
    new.inner.width, new.names[0], new.either = 7, "z", "four"
    OmegaConf.set_readonly(new.inner, True)
    new._metadata.resolver_cache["now"].clear()
    assert (config.inner.width, config.names[0], config.either) == (3, "a", 3)
    config.inner.width = 4  # still writable
    assert config._metadata.resolver_cache["now"]


def test_a_copy_of_a_section_keeps_reading_from_the_whole() -> None:
    whole = OmegaConf.create({"a": 1, "section": {"b": "${a}"}})
    assert copied(whole.section, whole).b == 1


@pytest.mark.parametrize(
    "point", [["x=7"], ["shape=triangle", "x=-1"], ["+extra.deep=[1,{a:b}]", "fault='a, b'"]]
)
def test_a_config_that_was_packed_comes_out_as_it_went_in(loader: ConfigLoader, point: list[str]) -> None:
    job = Composer(loader, master(loader), ["seed=1"]).job_config(12, point)
    there = unpack(job.packed())
    assert list(parts(there)) == list(parts(copied(job.whole)))
    assert there.hydra.job.num == 12
    assert there.hydra.overrides.task == ["seed=1", *point]
    assert (
        OmegaConf.select(there, "hydra.sweeper.store") == "experiments"
    )  # an interpolation out of the section


def test_what_the_task_sees_is_everything_but_hydra(loader: ConfigLoader) -> None:
    config = master(loader)
    with task_view(config) as view:
        assert "hydra" not in view
    assert "hydra" in config
    assert "hydra" not in task_config(config)


@example({"colour": "#ff0000", "deep": {"ly": ["nested", {"é": "\u2028"}]}})
@given(TREES)
def test_yaml_that_is_written_fast_reads_as_the_slow_one_does(tree: dict[str, Any]) -> None:
    config = OmegaConf.create(tree)
    slow = yaml_of(config)
    with quick_configs():
        fast = yaml_of(config)
    try:
        expected = OmegaConf.create(slow)
    except OmegaConfBaseException:
        return
    assert OmegaConf.create(fast) in (expected, config)  # the slow one loses some line separators


def test_only_the_setting_up_is_sped_up(loader: ConfigLoader) -> None:
    before = DictConfig.__deepcopy__
    with contextlib.suppress(KeyError), quick_configs():
        assert DictConfig.__deepcopy__ is not before
        assert not gc.isenabled()
        raise KeyError
    assert DictConfig.__deepcopy__ is before
    assert gc.isenabled()


class Witness:
    """A task and a callback that note what they are given."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, config: DictConfig) -> float:
        self.seen += [
            copied(config),
            copied(HydraConfig.get()),
            DictConfig.__deepcopy__,
            gc.isenabled(),
            Path.cwd(),
        ]
        return 1.5

    def on_job_start(self, config: DictConfig, **_kwargs: Any) -> None:
        self.seen += [copied(config), DictConfig.__deepcopy__]

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_kwargs: Any) -> None:
        self.seen += [config.x, job_return.status, job_return.overrides, job_return.cfg, job_return.hydra_cfg]


@pytest.mark.parametrize(
    "overrides", [[], ["hydra.job.chdir=true", "+hydra.job.env_set.A=b"], ["hydra.output_subdir=null"]]
)
def test_a_job_is_set_up_as_hydra_does_it(loader: ConfigLoader, tmp_path: Path, overrides: list[str]) -> None:
    JobRuntime.instance().set("name", "app")
    setup_globals()
    # By default the folder of a single run is named after the clock, which may show another second in between.
    places = f"hydra.run.dir={tmp_path}", f"hydra.sweep.dir={tmp_path}", "hydra.sweep.subdir=here"
    sweep = master(loader, *places, *overrides)
    packed = Composer(loader, sweep, []).job_config(3, ["x=5", "fault='ü: 1'"]).packed()
    seen, written, results = [], [], []
    for run in (plainly, run_as_hydra):
        witness, callbacks = Witness(), Callbacks()
        callbacks.callbacks = [witness]
        common = Common(HydraContext(loader, callbacks), witness, "mine")
        results.append(run(common, unpack(packed)))
        seen.append(witness.seen)
        files = sorted(file for file in (tmp_path / "here").rglob("*") if file.is_file())
        written.append(
            {file.relative_to(tmp_path): file.read_text() for file in files if file.suffix == ".yaml"}
        )
    assert seen[0] == seen[1]
    assert written[0] == written[1]
    assert len(written[0]) == (0 if "hydra.output_subdir=null" in overrides else 3)
    for name in ("overrides", "cfg", "hydra_cfg", "working_dir", "task_name", "status", "_return_value"):
        assert getattr(results[0], name) == getattr(results[1], name)


def plainly(common: Common, config: DictConfig) -> JobReturn:
    return run_job(
        hydra_context=common.hydra_context,
        task_function=common.task_function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
