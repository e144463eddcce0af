"""The executor on nodes runs the suite that the package ships, whatever the nodes."""

import pytest

from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.conformance import ExecutorConformance
from sweeps.executor.conformance_app import App
from sweeps.executor.contract import Executor
from sweeps.executor.engines.processes import Place, ProcessEngine
from sweeps.settings.launcher_settings import LauncherSettings

pytestmark = pytest.mark.usefixtures("hydra_restore_singletons")


class TestTwoNodesOfOnePlace(ExecutorConformance):
    nodes = (Place("first"), Place("second"))

    def executor(self, app: App) -> Executor:
        settings = LauncherSettings(1, 1, (), grace_s=60.0, sets_threads=True)
        return ClusterExecutor(ProcessEngine(*self.nodes), settings, app.common, app.folder)


class TestOneNodeOfTwoPlaces(TestTwoNodesOfOnePlace):
    nodes = (Place("only", 2),)


class TestTwoNodesThatGroupJobs(TestTwoNodesOfOnePlace):
    group = "all"
    places = 2 * 16
