"""Every executor runs the suite that the package ships."""

import subprocess
import sys

import pytest

from sweeps.executor.conformance import ExecutorConformance
from sweeps.executor.conformance_app import App
from sweeps.executor.contract import Executor
from sweeps.executor.in_process import InProcessExecutor
from sweeps.executor.local.executor import LocalExecutor
from sweeps.executor.stock import StockExecutor
from sweeps.settings.launcher_settings import Isolation, LauncherSettings
from sweeps.settings.reading import sweeper_settings

pytestmark = pytest.mark.usefixtures("hydra_restore_singletons")


class TestLocalExecutor(ExecutorConformance):
    isolation = Isolation.PROCESS

    def executor(self, app: App) -> Executor:
        settings = LauncherSettings(2, 1, (), grace_s=60.0, isolation=self.isolation)
        return LocalExecutor(settings, app.common)


class TestLocalExecutorThatReusesChildren(TestLocalExecutor):
    isolation = Isolation.REUSE


class TestLocalExecutorThatGroupsJobs(TestLocalExecutor):
    group = "all"
    places = 2 * 16


class TestInProcessExecutor(ExecutorConformance):
    places = 1
    isolates = False

    def executor(self, app: App) -> Executor:
        return InProcessExecutor(app.common)


class TestStockExecutorWithTheBasicLauncher(ExecutorConformance):
    places = 1
    is_lazy = False
    isolates = False
    judges = False

    def executor(self, app: App) -> Executor:
        settings = sweeper_settings(app.config)
        return StockExecutor(app.hydra_context, app.task_function, app.config, settings, app.folder.name)


def test_the_suite_is_no_part_of_importing_the_package() -> None:
    code = "import sys, sweeps, sweeps.executor.conformance; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
