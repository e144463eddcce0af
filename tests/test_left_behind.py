"""A test that leaves something behind that changes the tests after it fails, and those after it do not."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TESTS = """
import signal
from tracking import ExperimentTracker

def test_a_run_stays_open(tmp_path):
    ExperimentTracker(tmp_path).start_run("e")

def test_a_handler_stays():
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    signal.signal(signal.SIGTERM, print)

def test_nothing_stays(tmp_path):
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with ExperimentTracker(tmp_path).start_run("e"):
        pass
"""


def test_a_run_left_open_and_a_handler_left_in_place_are_told_of_the_test_that_leaves_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").touch()
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-rE", "test_it.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "3 passed, 2 errors" in answer.stdout, answer.stdout + answer.stderr
    assert "left behind for the tests after it: an open run, " in answer.stdout
    assert (
        "left behind for the tests after it: a handler of SIGTERM, <built-in function print>" in answer.stdout
    )
    assert "ERROR test_it.py::test_nothing_stays" not in answer.stdout
