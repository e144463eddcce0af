"""Nodes in actors of a Ray keep the contract of executors."""

from collections.abc import Iterator

import pytest
from ray_started import NEEDS_RAY, StartedRay, started_ray

from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.conformance import ExecutorConformance
from sweeps.executor.conformance_app import App
from sweeps.executor.contract import Executor
from sweeps.executor.engines.ray import RayEngine
from sweeps.settings.launcher_settings import LauncherSettings
from sweeps.settings.ray_settings import RaySettings

pytestmark = [*NEEDS_RAY, pytest.mark.usefixtures("hydra_restore_singletons")]


@pytest.fixture(scope="module")
def ray() -> Iterator[StartedRay]:
    with started_ray("--num-cpus=2") as ray:
        yield ray


class TestRay(ExecutorConformance):
    group: str | None = None

    @pytest.fixture(autouse=True)
    def on(self, ray: StartedRay) -> None:
        self.ray = ray

    def executor(self, app: App) -> Executor:
        settings = LauncherSettings(1, 1, (), grace_s=60.0, sets_threads=True)
        engine = RayEngine(RaySettings(self.ray.address, nodes=2), settings.grace_s)
        return ClusterExecutor(engine, settings, app.common, app.folder)
