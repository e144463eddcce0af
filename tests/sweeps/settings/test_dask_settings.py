"""The settings of hydra/launcher=podium_dask: those of podium's launcher, and which cluster runs the jobs."""

from collections.abc import Iterator

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from hydra_plugins.podium.versions import current_defaults
from sweeps import SettingsError
from sweeps.settings.dask_settings import DaskSettings
from sweeps.settings.launcher_settings import LauncherSettings
from sweeps.settings.reading import launcher_settings

CONFIG = """
defaults:
  - override hydra/sweeper: podium
  - override hydra/launcher: LAUNCHER
  - _self_

own: {n_jobs: 3, address: "tcp://here:8786"}
"""
CLUSTER = "hydra.launcher.cluster._target_=distributed.LocalCluster"


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfigLoader]:
    folder = tmp_path_factory.mktemp("conf")
    for name in ("podium", "podium_dask"):
        (folder / f"{name}.yaml").write_text(CONFIG.replace("LAUNCHER", name))
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folder), **current_defaults()):
        yield GlobalHydra.instance().config_loader()


def read(loader: ConfigLoader, *overrides: str, launcher: str = "podium_dask") -> LauncherSettings:
    return launcher_settings(loader.load_configuration(launcher, list(overrides), RunMode.MULTIRUN))


def test_by_default_the_cluster_is_on_this_machine_and_each_worker_says_how_many_jobs_it_runs(
    loader: ConfigLoader,
) -> None:
    settings = read(loader)
    assert settings.engine == DaskSettings(None, None, None, lease_s=30.0, places=None)
    assert read(loader, "hydra.launcher.n_jobs=-1").engine == settings.engine


def test_the_launcher_for_this_machine_has_no_engine(loader: ConfigLoader) -> None:
    assert read(loader, launcher="podium").engine is None
    with pytest.raises(SettingsError, match=r"hydra.launcher.address: unknown key"):
        read(loader, "+hydra.launcher.address=tcp://here:8786", launcher="podium")


def test_all_settings_of_podiums_launcher_hold_on_each_node(loader: ConfigLoader) -> None:
    settings = read(
        loader, "hydra.launcher.n_jobs=4", "hydra.launcher.scale=5", CLUSTER.replace("hydra", "+hydra", 1)
    )
    assert settings.engine is not None
    assert (settings.n_jobs, settings.engine.places, settings.slots) == (4, 4, 20)
    assert settings.engine.cluster == {"_target_": "distributed.LocalCluster"}
    assert read(loader, "hydra.launcher.timeout=2h").timeout_s == 7200.0


def test_numbers_of_gpus_are_those_of_each_node(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert read(loader, "hydra.launcher.gpus=[0,1]", "hydra.launcher.n_jobs=2").gpus == ("0", "1")


@pytest.mark.parametrize("launcher", ["podium", "podium_dask"])
def test_a_section_of_the_users_own_may_name_the_cluster_whichever_launcher_is_chosen(
    loader: ConfigLoader, launcher: str
) -> None:
    settings = read(loader, "hydra.launcher.settings_from=own", launcher=launcher)
    assert settings.n_jobs == 3
    assert (settings.engine.address if settings.engine else None) == (
        "tcp://here:8786" if launcher == "podium_dask" else None
    )


@pytest.mark.parametrize("address", ["tcp://10.0.0.7:8786", "tls://[fe80::1]:8786", "login-1.site:8786"])
def test_an_address_names_a_host_and_a_port(loader: ConfigLoader, address: str) -> None:
    engine = read(loader, f"hydra.launcher.address='{address}'").engine
    assert engine is not None
    assert (engine.address, engine.named) == (address, f"address={address}")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["hydra.launcher.address=here"],
            r"address=here: allowed is the address of a scheduler .* tcp://host:",
        ),
        (["hydra.launcher.address='tcp://a b:1'"], r"address=tcp://a b:1: allowed is the address"),
        (
            ["hydra.launcher.address='tcp://here:1'", "hydra.launcher.scale=3"],
            r"address=tcp://here:1 with scale=3: allowed is one of them",
        ),
        (
            ["hydra.launcher.address='tcp://here:1'", f"+{CLUSTER}"],
            r"address=tcp://here:1 with cluster=.*: allowed is one of them",
        ),
        (
            ["hydra.launcher.cluster=slurm"],
            r"cluster=slurm: allowed is a mapping .* dask_jobqueue.SLURMCluster",
        ),
        (["hydra.launcher.cluster={n_workers:3}"], r"cluster=.*n_workers.*: allowed is a mapping"),
        (
            ["+hydra.launcher.cluster._target_=no_such_library.Cluster"],
            r"cluster._target_=no_such_library.Cluster: no_such_library is not installed",
        ),
        (["hydra.launcher.scale=0"], r"scale=0: allowed is a whole number, 1 or more"),
        (["hydra.launcher.lease_s=3"], r"lease_s=3.0: allowed are seconds, from 15 to 86400, as a node"),
        (["hydra.launcher.lease_s=inf"], r"lease_s=inf: allowed are seconds, from 15 to 86400"),
        (["hydra.launcher.grace_s=inf"], r"grace_s=inf: allowed are seconds, from 0 to 604800"),
        (["hydra.launcher.n_jobs=-2"], r"n_jobs=-2: allowed are 1, 2, ..., null or -1"),
        (
            ["+hydra.launcher.adress='tcp://here:1'"],
            r"adress: unknown key; .*did you mean hydra.launcher.address",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_what_is_allowed(
    loader: ConfigLoader, overrides: list[str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        read(loader, *overrides)


def test_without_dask_the_message_says_how_to_install_it(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.extras._is_installed", lambda name: name != "distributed")
    with pytest.raises(
        SettingsError,
        match=r'hydra/launcher=podium_dask: distributed is not installed; pip install "podium\[dask\]"',
    ):
        read(loader)
