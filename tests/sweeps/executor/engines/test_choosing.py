"""The class of a Dask cluster is imported where its module may take signals, if configs may name it at all."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from hydra_plugins.podium import versions
from sweeps.executor.conformance_app import App
from sweeps.executor.engines import choosing
from sweeps.executor.engines.choosing import chosen_executor
from sweeps.settings.dask_settings import DaskSettings
from sweeps.settings.launcher_settings import LauncherSettings

PLANTED = """
import threading
thread = threading.current_thread()
class Cluster: pass
"""
MODULE = "planted_cluster"


@pytest.fixture(autouse=True)
def _planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / f"{MODULE}.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(choosing, "_connected", lambda *_: SimpleNamespace(close=lambda: None))
    yield
    sys.modules.pop(MODULE, None)


def choose(folder: Path, target: str, allowed: tuple[str, ...] | None) -> None:
    """Choose the executor of a sweep on the cluster of a class, in an app whose configs may name what is allowed."""
    common = App.made_in(folder).common
    if allowed is not None:
        common = replace(common, hydra_context=replace(common.hydra_context, execution_whitelist=allowed))
    dask = DaskSettings(None, {"_target_": target}, None, 30.0, 1)
    settings = LauncherSettings(1, 1, (), grace_s=1, sets_threads=True, engine=dask)
    with contextlib.ExitStack() as closing:
        chosen_executor(settings, common, folder, closing)


def test_the_module_of_a_cluster_is_imported_in_the_thread_of_the_sweep(tmp_path: Path) -> None:
    choose(tmp_path, f"{MODULE}.Cluster", None)
    assert sys.modules[MODULE].thread is threading.current_thread()


@pytest.mark.parametrize("target", ["no_such_module.Cluster", f"{MODULE}.NoSuchCluster", "os.system"])
def test_a_class_that_cannot_be_imported_is_left_to_the_thread_that_makes_it(
    tmp_path: Path, target: str
) -> None:
    choose(tmp_path, target, None)


@pytest.mark.skipif(bool(versions.current_defaults()), reason="Hydra 1.3 takes no list from apps")
def test_a_module_that_no_config_may_name_is_not_imported(tmp_path: Path) -> None:
    choose(tmp_path, f"{MODULE}.Cluster", ("distributed.LocalCluster",))
    assert MODULE not in sys.modules
    choose(tmp_path, f"{MODULE}.Cluster", (f"{MODULE}.*",))
    assert MODULE in sys.modules
