"""Podium runs alike on Hydra 1.3 and 1.4. A warning of either fails these tests, as it does all others."""

import itertools
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hydra import __version__, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import InstantiationException
from hydra.types import HydraContext, RunMode
from omegaconf import OmegaConf
from quadratic import APP

from hydra_plugins.podium import config, versions
from sweeps.plan.hydra_versions import allowed_targets, build, compose_job


@pytest.fixture
def loader() -> Iterator[ConfigLoader]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(APP.parent), **versions.current_defaults()):
        yield GlobalHydra.instance().config_loader()


def test_the_config_of_a_job_may_differ_in_a_setting_of_the_sweep(loader: ConfigLoader) -> None:
    sweep = loader.load_configuration("config", [], RunMode.MULTIRUN)
    job = compose_job(loader, sweep, ["x=3", "hydra.sweeper.promotion.model_name=other"])
    assert (job.x, job.hydra.sweeper.promotion.model_name) == (3, "other")
    assert list(job.hydra.overrides.task) == ["x=3"]


def test_a_time_in_a_config_is_the_same_in_all_jobs(loader: ConfigLoader) -> None:
    sweep = loader.load_configuration("config", ["hydra.sweep.dir=${now:%s-%f}"], RunMode.MULTIRUN)
    first = sweep.hydra.sweep.dir
    assert [compose_job(loader, sweep, [f"x={x}"]).hydra.sweep.dir for x in (1, 2)] == [first, first]


def test_the_configs_of_the_plug_ins_are_stored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ConfigStore.instance()
    monkeypatch.setattr(store, "repo", {})
    config.register()
    first = {name: {**folder} for name, folder in store.repo["hydra"].items()}
    assert {"podium.yaml", "podium_dask.yaml", "podium_ray.yaml"} == {*first["launcher"]}
    config.register()
    assert all(
        store.repo["hydra"][name][each] is stored for name in first for each, stored in first[name].items()
    )


def test_a_resolver_takes_the_place_of_an_earlier_one_and_may_be_asked_once() -> None:
    numbers = itertools.count()
    try:
        versions.register_resolver("numbered", lambda: "early")
        versions.register_resolver("numbered", lambda: next(numbers))
        assert [OmegaConf.create({"x": "${numbered:}"}).x for _ in range(2)] == [0, 1]
        versions.register_resolver("numbered", lambda: next(numbers), use_cache=True)
        kept = OmegaConf.create({"x": "${numbered:}"})
        assert [kept.x, kept.x] == [2, 2]
    finally:
        OmegaConf.clear_resolver("numbered")


def test_a_config_may_name_any_class_but_nothing_that_runs_what_it_is_given() -> None:
    nested = {"_target_": "builtins.dict", "of": {"_target_": "datetime.timedelta", "days": 2}}
    assert build(nested) == {"of": timedelta(days=2)}
    with pytest.raises(InstantiationException, match=r"'os\.system'"):
        build({"_target_": "builtins.dict", "each": [{"_target_": "os.system", "command": "true"}]})


@pytest.mark.skipif(bool(versions.current_defaults()), reason="Hydra 1.3 takes no list from apps")
def test_the_list_of_an_app_holds_for_what_a_sweep_builds() -> None:
    context = HydraContext(config_loader=None, callbacks=Callbacks(), execution_whitelist=("datetime.*",))
    allowed = allowed_targets(context)
    assert build({"_target_": "datetime.timedelta", "days": 2}, allowed) == timedelta(days=2)
    with pytest.raises(InstantiationException, match="is not in the Hydra execution whitelist"):
        build({"_target_": "builtins.dict"}, allowed)


def test_a_python_whose_command_lines_hydra_cannot_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise ValueError("badly formed help string")

    assert versions.unsupported() is None
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    monkeypatch.setattr("hydra._internal.utils.get_args_parser", lambda: None)
    assert versions.unsupported() is None
    monkeypatch.setattr("hydra._internal.utils.get_args_parser", fails)
    said = f"Hydra {__version__} does not run on Python 3.14; install Hydra 1.4, or use Python 3.13"
    assert versions.unsupported() == said
