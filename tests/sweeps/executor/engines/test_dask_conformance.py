"""Nodes on the workers of a Dask cluster keep the contract of executors."""

from collections.abc import Iterator

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
        yield cluster


class TestDask(ExecutorConformance):
    group: str | None = None

    @pytest.fixture(autouse=True)
    def on(self, cluster: LocalCluster) -> None:
        self.cluster = cluster

    def executor(self, app: App) -> Executor:
        def connect() -> Connection:
            client = Client(self.cluster, set_as_default=False)
            return Connection(client, client.close)

        settings = LauncherSettings(1, 1, (), grace_s=60.0, sets_threads=True)
        return ClusterExecutor(DaskEngine(connect), settings, app.common, app.folder)
