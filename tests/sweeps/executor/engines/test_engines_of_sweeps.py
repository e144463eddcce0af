"""An engine that a sweep has started on this machine ends with it, however the sweep ends."""

import os
import signal
from pathlib import Path

import dask_started
import psutil
import pytest
from engine_processes import PATIENCE_S, interpreter, wait_for
from engine_sweeps import GRID, LONG, Process, Start, end_stopped, events, kill, sweep
from ray_started import NEEDS_RAY

pytestmark = pytest.mark.parametrize(
    ("engine", "start"),
    [
        pytest.param("dask", dask_started.start, marks=pytest.mark.slow, id="dask"),
        pytest.param("ray", interpreter, marks=NEEDS_RAY, id="ray"),
    ],
)


@pytest.fixture
def process(tmp_path: Path, engine: str, start: Start) -> Process:
    """A sweep whose jobs have begun to log."""
    process = sweep(tmp_path, *GRID, *LONG, f"hydra/launcher=podium_{engine}", start=start)
    wait_for(lambda: events(tmp_path, "run"))
    return process


def test_ctrl_c_is_for_the_sweep_alone_which_stops_its_jobs_gently(tmp_path: Path, process: Process) -> None:
    below = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all that are in the group
    out = end_stopped(process)
    assert "Worker process" not in out  # of Dask, has ended, or had to be killed
    assert {(each["status"], each.get("reason")) for each in events(tmp_path, "finished")} == {
        ("killed", "stopped"),
        ("cancelled", "stopped"),
    }
    assert_gone(below, within_s=10)


def test_nothing_is_left_of_a_sweep_on_this_machine_whose_process_was_killed(process: Process) -> None:
    below = psutil.Process(process.pid).children(recursive=True)
    assert len(below) > 3
    kill(process)
    assert_gone(below)


def assert_gone(processes: list[psutil.Process], within_s: float = PATIENCE_S) -> None:
    _, left = psutil.wait_procs(processes, within_s)
    assert [each.cmdline() for each in left] == []
