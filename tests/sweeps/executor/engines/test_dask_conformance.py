"""Nodes on the workers of a Dask cluster keep the contract of executors."""

from collections.abc import Iterator

import forked_nodes
import pytest
from dask_started import engine_on, local_cluster
from distributed import Client, LocalCluster

from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.conformance import ExecutorConformance
from sweeps.executor.conformance_app import App
from sweeps.executor.contract import Executor
from sweeps.settings.launcher_settings import LauncherSettings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("hydra_restore_singletons")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(2) as cluster:
        with Client(cluster, set_as_default=False) as client:
            client.run(forked_nodes.fork_from, forked_nodes.address())
        yield cluster


class TestDask(ExecutorConformance):
    group: str | None = None

    @pytest.fixture(autouse=True)
    def on(self, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cluster = cluster
        monkeypatch.setattr("sweeps.executor.cluster.cluster_executor.node_code", forked_nodes.node_code)

    def executor(self, app: App) -> Executor:
        settings = LauncherSettings(1, 1, (), grace_s=60.0, sets_threads=True)
        return ClusterExecutor(engine_on(self.cluster), settings, app.common, app.folder)
