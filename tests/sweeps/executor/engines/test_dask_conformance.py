"""Nodes on the workers of a Dask cluster keep the contract of executors."""

from collections.abc import Iterator

import forked_nodes
import pytest
from distributed import Client, LocalCluster

from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.conformance import ExecutorConformance
from sweeps.executor.conformance_app import App
from sweeps.executor.contract import Executor
from sweeps.executor.engines.dask import Connection, DaskEngine
from sweeps.settings.launcher_settings import LauncherSettings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("hydra_restore_singletons")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
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
        def connect() -> Connection:
            client = Client(self.cluster, set_as_default=False)
            return Connection(client, client.close)

        settings = LauncherSettings(1, 1, (), grace_s=60.0, sets_threads=True)
        return ClusterExecutor(DaskEngine(connect), settings, app.common, app.folder)
