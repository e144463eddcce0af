"""A limit may be longer than the system can wait at a time."""

from pathlib import Path

import pytest

from sweeps.executor.conformance_app import App
from sweeps.executor.local.executor import LocalExecutor
from sweeps.jobs import JobStatus
from sweeps.settings.launcher_settings import LauncherSettings


@pytest.mark.usefixtures("hydra_restore_singletons")
def test_a_job_may_have_a_timeout_of_years(tmp_path: Path) -> None:
    app = App.made_in(tmp_path)
    settings = LauncherSettings(1, 1, (), grace_s=60.0, timeout_s=1e9)
    (outcome,) = LocalExecutor(settings, app.common).run(app.jobs("return"), lambda _event: None)
    assert (outcome.status, outcome.error) == (JobStatus.COMPLETED, None)
