"""A machine that has no room for a process just now is tried again."""

from pathlib import Path

import pytest

from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.conformance_app import App
from sweeps.executor.engines.processes import Place, ProcessEngine
from sweeps.jobs import JobStatus
from sweeps.settings.launcher_settings import LauncherSettings

FAILS_ONCE = """
import errno, pathlib, subprocess

class Popen(subprocess.Popen):
    def __init__(self, *words, **options):
        failed = pathlib.Path(__file__).with_name("failed")
        if not failed.exists():
            failed.touch()
            raise OSError(errno.EMFILE, "Too many open files")
        super().__init__(*words, **options)

subprocess.Popen = Popen
"""


@pytest.mark.usefixtures("hydra_restore_singletons", "nodes_of_interpreters")
def test_a_node_that_cannot_start_a_process_just_now_does_not_lose_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FAILS_ONCE)
    app = App.made_in(tmp_path)
    place = Place("only", variables={"PYTHONPATH": str(tmp_path)})
    settings = LauncherSettings(1, 1, (), grace_s=60.0)
    executor = ClusterExecutor(ProcessEngine(place), settings, app.common, app.folder)
    (outcome,) = executor.run(app.jobs("return"), lambda _event: None)
    assert outcome.status is JobStatus.COMPLETED
    assert [message for message in caplog.messages if "was lost" in message] == [
        "node only was lost: its process ended with exit code 1: OSError: [Errno 24] Too many open files"
    ]
