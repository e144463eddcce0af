"""Hydra's own suite for launchers, as it ships with Hydra, under Hydra's stock sweeper; nothing of it is left out."""

import pytest
from hydra.core.singleton import Singleton
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)
from hydra.version import VersionBase


@pytest.fixture(autouse=True)
def _no_version_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin as Hydra's own tests do: no other test of this process has chosen which version to behave like."""
    monkeypatch.delitem(Singleton._instances, VersionBase, raising=False)


@pytest.mark.parametrize(("launcher_name", "overrides"), [("podium", [])])
class TestOneBatch(LauncherTestSuite):
    pass


@pytest.mark.parametrize(("launcher_name", "overrides"), [("podium", ["hydra.sweeper.max_batch_size=2"])])
class TestSeveralBatches(BatchedSweeperTestSuite):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(("task_launcher_cfg", "extra_flags"), [({}, ["-m", "hydra/launcher=podium"])])
class TestApps(IntegrationTestSuite):
    pass
