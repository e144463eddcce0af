"""The script of an app in its jobs: what it prints, what it imports, and how it goes wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tracking.files import read_json

APP = """
import hydra
{top}

@hydra.main(config_path=None, version_base="1.3")
def main(cfg):
    return float(cfg.x)

{bottom}
"""
# The sweep's process comes first.
IN_A_JOB = """
from pathlib import Path
first = not Path("seen").exists()
Path("seen").touch()
if not first:
"""
GUARD = 'if __name__ == "__main__":\n    main()'
SWEEP = ("-m", "hydra/sweeper=podium", "hydra/launcher=podium", "+x=1,2", "hydra.launcher.n_jobs=2")


def run(
    folder: Path, *arguments: str, top: str = "", bottom: str = GUARD, script: str = APP, **options: object
) -> subprocess.CompletedProcess:
    (folder / "app.py").write_text(script.format(top=top, bottom=bottom))
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "app.py", *SWEEP, *arguments]
    return subprocess.run(command, cwd=folder, text=True, timeout=120, check=False, **streams)


def rows(folder: Path) -> list[dict]:
    (board,) = folder.glob("experiments/sweeps/*/leaderboard.json")
    return read_json(board)["rows"]


def log(folder: Path, job: int) -> str:
    (file,) = folder.glob(f"experiments/sweeps/*/jobs/{job}/output.log")
    return file.read_text()


def test_what_a_script_prints_when_it_is_imported_goes_to_the_logs_of_its_jobs(tmp_path: Path) -> None:
    result = run(tmp_path, top='print("loading the app", flush=True)')
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("loading the app") == 1  # the one of the command itself
    assert result.stderr == ""
    assert log(tmp_path, 0) == log(tmp_path, 1) == "loading the app\n"


def test_a_script_that_cannot_be_imported_in_a_job_fails_it_with_its_error(tmp_path: Path) -> None:
    top = f'{IN_A_JOB}    raise OSError("no such device")'
    result = run(tmp_path, top=top)
    assert result.returncode == 1
    assert [row["error"] for row in rows(tmp_path)] == ["OSError: no such device"] * 2
    assert 'raise OSError("no such device")' in log(tmp_path, 1)
    assert "Traceback" not in result.stderr


def test_libraries_that_the_script_has_loaded_are_there_before_a_job_imports_it(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    top = f'import sys\n{IN_A_JOB}    assert "sklearn" in sys.modules\nimport sklearn'
    result = run(tmp_path, top=top)
    assert result.returncode == 0, log(tmp_path, 0)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_full_or_a_closed_stream_does_not_end_the_sweep(tmp_path: Path, stream: str) -> None:
    with Path("/dev/full").open("w") as full:
        result = run(tmp_path, "hydra.sweeper.name=full", **{stream: full})
    assert result.returncode == 0, result.stderr
    number = {"stdout": 1, "stderr": 2}[stream]
    command = [sys.executable, "app.py", *SWEEP, "hydra.sweeper.name=closed"]
    closed = subprocess.run(command, cwd=tmp_path, check=False, preexec_fn=lambda: os.close(number))
    assert closed.returncode == 0
    for name in ("full", "closed"):
        board = read_json(tmp_path / "experiments" / "sweeps" / name / "leaderboard.json")
        assert [row["status"] for row in board["rows"]] == ["completed"] * 2
