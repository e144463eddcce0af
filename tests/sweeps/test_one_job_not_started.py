"""What goes wrong in the sweep's own process about one job costs that job alone, and the command ends."""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from quadratic import APP, await_true

from sweeps.executor.conformance_app import App
from sweeps.executor.local.executor import LocalExecutor
from sweeps.jobs import Event
from sweeps.settings.reading import launcher_settings
from tracking.process import is_alive

STOCK = ("--config-name", "bare", "-m", "hydra.sweep.dir=out")
LONG = "hydra.sweep.subdir=${hydra.job.override_dirname}"


def in_the_way(folder: Path, job: int, kind: str) -> None:
    """Put something where the folder or the log of a job must be."""
    place = folder / "experiments" / "sweeps" / "mine" / "jobs" / str(job)
    if kind == "a file":
        place.parent.mkdir(parents=True)
        place.write_text("in the way")
    else:
        (place / "output.log").mkdir(parents=True)


@pytest.mark.parametrize("kind", ["a file", "a folder for the log"])
@pytest.mark.parametrize("isolation", ["process", "reuse"])
def test_a_job_that_has_no_place_for_its_output_fails_alone(
    sweep: Callable, tmp_path: Path, kind: str, isolation: str
) -> None:
    in_the_way(tmp_path, 1, kind)
    result = sweep("-m", "x=1,2,3", "hydra.sweeper.name=mine", f"hydra.launcher.isolation={isolation}")
    assert result.code == 1
    rows = {row["job"]: row for row in result.rows}
    assert [rows[job]["status"] for job in range(3)] == ["completed", "failed", "completed"]
    assert rows[1]["error"].startswith("could not start: ")
    assert "jobs/1" in rows[1]["error"]
    assert "1 of 3 jobs failed" in result.err


def test_it_runs_once_there_is_a_place(sweep: Callable, podium: Callable, tmp_path: Path) -> None:
    in_the_way(tmp_path, 1, "a file")
    sweep("-m", "x=1,2,3", "hydra.sweeper.name=mine")
    (tmp_path / "experiments" / "sweeps" / "mine" / "jobs" / "1").unlink()
    result = podium("resume", "mine")
    assert result.code == 0, result.err
    assert {row["status"] for row in result.rows} == {"completed"}


def test_a_launcher_of_others_runs_the_jobs_that_have_a_folder(sweep: Callable, tmp_path: Path) -> None:
    in_the_way(tmp_path, 1, "a file")
    foreign = ("--config-name", "foreign", "-m", "hydra/launcher=basic", "hydra.sweeper.max_batch_size=null")
    result = sweep(*foreign, "x=1,2,3", "hydra.sweeper.name=mine")
    rows = {row["job"]: row for row in result.rows}
    assert [rows[job]["status"] for job in range(3)] == ["completed", "failed", "completed"]
    assert "could not start: " in rows[1]["error"]


def test_under_the_stock_sweeper_the_others_run_and_the_error_is_told(sweep: Callable) -> None:
    result = sweep(*STOCK, "track=true", f"fault=none,{'v' * 300}", LONG)
    assert result.code == 1
    assert "job 1 failed: could not start: " in result.err
    assert "Traceback" not in result.err
    (run,) = (result.cwd / "experiments" / "runs").iterdir()
    assert run.name == "run_001"


def test_a_value_that_cannot_be_had_is_one_jobs_matter_under_the_stock_sweeper(tmp_path: Path) -> None:
    script = """
import hydra
from omegaconf import OmegaConf
OmegaConf.register_new_resolver("reciprocal", lambda x: 1 / x)

@hydra.main(config_path=None, version_base="1.3")
def main(cfg):
    open(f"ran-{cfg.x}", "w").close()

if __name__ == "__main__":
    main()
"""
    (tmp_path / "app.py").write_text(script)
    folder = "hydra.sweep.subdir='${reciprocal:${x}}'"
    command = [sys.executable, "app.py", "-m", "hydra/launcher=podium", "+x=0,1,2", folder]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert "job 0 failed: " in answer.stderr
    assert "ZeroDivisionError" in answer.stderr
    assert sorted(path.name for path in tmp_path.glob("ran-*")) == ["ran-1", "ran-2"]


@pytest.mark.parametrize(
    ("limit", "said"),
    [(4_000, "cannot go on: .*File too large|cannot write"), (250_000, "cannot write .*jobs.jsonl")],
)
def test_a_sweep_whose_files_may_not_grow_stops_and_says_so(tmp_path: Path, limit: int, said: str) -> None:
    answer = subprocess.run(
        [
            sys.executable,
            str(APP),
            "-m",
            "x=range(8)",
            "fault=says_odd_things",  # at length: the ledger grows
            "hydra.sweeper.name=mine",
            "hydra.launcher.isolation=reuse",
        ],
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        env={**os.environ, "PYTHONPATH": str(APP.parent)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert answer.returncode == 1
    assert re.search(said, answer.stderr)
    assert "Traceback" not in answer.stderr


def test_a_fault_of_the_executor_ends_it_and_leaves_no_child(tmp_path: Path) -> None:
    app, heard = App.made_in(tmp_path), list[Event]()

    def break_down(event: Event) -> None:
        heard.append(event)
        raise RuntimeError("a fault")

    executor = LocalExecutor(launcher_settings(app.config), app.common)
    with pytest.raises(RuntimeError, match="a fault"):
        list(executor.run(app.jobs("wait", "wait"), break_down))
    executor.stop()
    assert heard
    for event in heard:
        await_true(lambda pid=event.data["pid"]: not is_alive(pid))
