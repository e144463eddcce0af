"""Nodes of a sweep whose program is a script: what the script sets reaches its jobs, and its end ends all of them."""

import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sweeps.executor.conformance_app import PATIENCE_S, await_file

pytestmark = pytest.mark.usefixtures("hydra_restore_singletons")

IMPORTS = """
import sys
from dataclasses import replace
from pathlib import Path
from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.conformance_app import App
from sweeps.executor.engines.processes import Place, ProcessEngine
from sweeps.settings.launcher_settings import LauncherSettings


def executor_of(app):
    settings = LauncherSettings(1, 1, (), grace_s=60.0)
    return ClusterExecutor(ProcessEngine(Place("only")), settings, app.common, app.folder)
"""
WAITING = f"""{IMPORTS}
if __name__ == "__main__":
    app = App.made_in(Path(sys.argv[1]))
    list(executor_of(app).run(app.jobs("ignore signals"), print))
"""
SETTING = f"""{IMPORTS}
SETTING = 1


def task(config):
    return SETTING + config.value


if __name__ == "__main__":
    SETTING = 40
    app = replace(App.made_in(Path(sys.argv[1])), task_function=task)
    outcomes = executor_of(app).run(app.jobs("return", "return"), lambda event: None)
    print([(each.value, each.error) for each in outcomes])
"""


def test_no_process_is_left_when_the_process_of_the_sweep_is_killed(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(WAITING)
    parent = subprocess.Popen([sys.executable, "-W", "error", "script.py", str(tmp_path)], cwd=tmp_path)
    try:
        assert await_file(tmp_path / "waiting")
        below = psutil.Process(parent.pid).children(recursive=True)
        assert len(below) >= 4  # a guard, a node, its forkserver, a job
    finally:
        parent.kill()
        parent.wait()
    _, alive = psutil.wait_procs(below, timeout=PATIENCE_S)
    assert alive == []


def test_what_only_the_process_of_the_sweep_sets_reaches_a_job_on_a_node(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SETTING)
    command = [sys.executable, "-W", "error", "script.py", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert re.sub(r"\s", "", done.stdout) == "[(40.0,None),(41.0,None)]", done.stderr
