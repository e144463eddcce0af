"""The settings of hydra/launcher=podium_ray: those of podium's launcher, which Ray runs the jobs, and what each takes of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from hydra_plugins.podium.versions import current_defaults
from sweeps import SettingsError
from sweeps.settings.launcher_settings import LauncherSettings
from sweeps.settings.ray_settings import RaySettings, cores
from sweeps.settings.reading import launcher_settings

CONFIG = """
defaults:
  - override hydra/sweeper: podium
  - override hydra/launcher: LAUNCHER
  - _self_

own: {n_jobs: 3, address: "here:6379"}
"""


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfigLoader]:
    folder: Path = tmp_path_factory.mktemp("conf")
    for name in ("podium", "podium_dask", "podium_ray"):
        (folder / f"{name}.yaml").write_text(CONFIG.replace("LAUNCHER", name))
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folder), **current_defaults()):
        yield GlobalHydra.instance().config_loader()


@pytest.fixture(autouse=True)
def is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracking.extras._is_installed", lambda name: True)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def read(loader: ConfigLoader, *overrides: str, launcher: str = "podium_ray") -> LauncherSettings:
    return launcher_settings(loader.load_configuration(launcher, list(overrides), RunMode.MULTIRUN))


def ray_of(loader: ConfigLoader, **settings: object) -> RaySettings:
    engine = read(loader, *(f"hydra.launcher.{name}={value}" for name, value in settings.items())).engine
    assert isinstance(engine, RaySettings)
    return engine


def test_by_default_each_core_of_this_machine_runs_a_job_on_a_ray_of_the_sweeps_own(
    loader: ConfigLoader,
) -> None:
    settings = read(loader)
    assert settings.engine == RaySettings()
    assert (settings.n_jobs, settings.slots) == (1, cores())
    assert RaySettings().named == "Ray on this machine"
    assert ray_of(loader, n_jobs=-1) == RaySettings()


def test_the_address_that_rays_own_programs_read_counts_where_none_is_given(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "there:6379")
    assert ray_of(loader).address == "there:6379"
    assert ray_of(loader, address="auto").address == "auto"
    monkeypatch.setenv("RAY_ADDRESS", "there")
    with pytest.raises(SettingsError, match="RAY_ADDRESS=there: allowed is the address of a Ray that runs"):
        read(loader)


@pytest.mark.parametrize("address", ["auto", "10.0.0.7:6379", "ray://head:10001", "[fe80::1]:6379"])
def test_an_address_names_a_host_and_a_port(loader: ConfigLoader, address: str) -> None:
    engine = ray_of(loader, address=f"'{address}'")
    assert (engine.address, engine.named, engine.scale) == (address, f"address={address}", None)


def test_a_node_takes_what_its_jobs_take_together(loader: ConfigLoader) -> None:
    engine = ray_of(loader, n_jobs=4, num_cpus=2, num_gpus=0.5, resources="{fast_disk: 1}", nodes=3)
    assert engine.request == {"CPU": 8.0, "GPU": 2.0, "fast_disk": 4.0}
    assert read(loader, "hydra.launcher.n_jobs=4", "hydra.launcher.nodes=3").slots == 12
    assert ray_of(loader, num_cpus=0, nodes=2).request == {}


@pytest.mark.parametrize(
    ("num_gpus", "places", "devices"),
    [
        (0.0, 3, ((), 1)),
        (2.0, 1, ((), 1)),
        (1.0, 3, (("0", "1", "2"), 1)),
        (0.5, 4, (("0", "1"), 2)),
        (0.25, 2, (("0",), 2)),
        (1 / 3, 6, (("0", "1"), 3)),
    ],
)
def test_the_jobs_of_a_node_share_out_its_devices(
    num_gpus: float, places: int, devices: tuple[tuple[str, ...], int]
) -> None:
    assert replace(RaySettings(), num_gpus=num_gpus, places=places).devices == devices


def test_the_settings_of_ray_may_stay_where_another_launcher_is_chosen(loader: ConfigLoader) -> None:
    for launcher in ("podium", "podium_ray"):
        assert read(loader, "hydra.launcher.settings_from=own", launcher=launcher).n_jobs == 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"address": "here"}, r"address=here: allowed is the address of a Ray that runs, such as host:6379"),
        ({"address": "'tcp://here:1'"}, r"address=tcp://here:1: allowed is the address"),
        ({"num_cpus": -1}, r"num_cpus=-1.0: allowed is 0 or more, for each job"),
        ({"num_gpus": -0.5}, r"num_gpus=-0.5: allowed is 0 or more, for each job"),
        ({"gpus": "[0,1]"}, r"gpus=\[0, 1\]: Ray gives each node its GPUs; num_gpus says how many"),
        ({"jobs_per_gpu": 2}, r"jobs_per_gpu=2: Ray gives each node its GPUs; num_gpus says how many"),
        ({"num_gpus": 1.5}, r"num_gpus=1.5 with n_jobs=1 takes 1.5 GPUs for a node; Ray gives a node whole GPUs"),
        ({"num_gpus": 0.5, "n_jobs": 3}, r"num_gpus=0.5 with n_jobs=3 takes 1.5 GPUs for a node"),
        ({"num_gpus": 2, "n_jobs": 2}, r"num_gpus=2 with n_jobs=2: allowed is n_jobs=1 for jobs of several GPUs"),
        ({"num_gpus": 0.75, "n_jobs": 4}, r"num_gpus=0.75 with n_jobs=4: 4 jobs cannot share 3 GPUs evenly"),
        ({"resources": "disk"}, r"resources=disk: allowed is a mapping .* such as \{fast_disk: 1\}, or null"),
        ({"resources": "{disk: much}"}, r"resources=.*much.*: allowed is a mapping"),
        ({"resources": "{GPU: 1}"}, r"resources=\{'GPU': 1\}: GPU has a setting of its own, num_gpus"),
        ({"num_cpus": 0, "resources": "{disk: 0}"}, r"num_cpus=0 with nodes=null: a job takes nothing of Ray"),
        ({"nodes": 0}, r"nodes=0: allowed is a whole number, 1 or more"),
        ({"lease_s": 3}, r"lease_s=3.0: allowed are seconds, from 15 to 86400, as a node"),
        ({"lease_s": 1e7}, r"lease_s=10000000.0: allowed are seconds, from 15 to 86400"),
        ({"n_jobs": -2}, r"n_jobs=-2: allowed are 1, 2, ..., null or -1"),
        ({"n_jobs": 0}, r"n_jobs=0: allowed are 1, 2"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_what_is_allowed(
    loader: ConfigLoader, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        ray_of(loader, **settings)


def test_a_key_that_does_not_exist_is_refused_with_the_closest_one(loader: ConfigLoader) -> None:
    with pytest.raises(
        SettingsError, match=r"num_gpu: unknown key; .*did you mean .*hydra.launcher.num_gpus"
    ):
        read(loader, "+hydra.launcher.num_gpu=1")


def test_without_ray_the_message_says_how_to_install_it(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.extras._is_installed", lambda name: name != "ray")
    with pytest.raises(
        SettingsError, match=r'hydra/launcher=podium_ray: ray is not installed; pip install "podium\[ray\]"'
    ):
        read(loader)
