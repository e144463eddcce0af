"""Code that is edited while a sweep runs: which jobs ran it is said, kept and shown, and nothing is promoted."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import forked
import pytest

from tracking.files import read_json, read_lines

APP = """
import os
import hydra
from pathlib import Path
from tracking import ExperimentTracker
{top}

@hydra.main(version_base="1.3", config_path=None)
def main(cfg):
    with ExperimentTracker("experiments").start_run("edited", params={{"x": cfg.x}}) as run:
        {late}
        if cfg.x == 2:  # the user edits between the first two jobs
            edited = Path(os.environ["EDITS"])
            edited.write_text(edited.read_text() + "\\nFACTOR = 100\\n")
        run.log({{"loss": float(cfg.x * FACTOR)}})
        (run.artifacts_dir / "model.bin").write_bytes(b"weights")

if __name__ == "__main__":
    main()
"""
SWEEP = (
    "-m", "hydra/sweeper=podium", "+x=1,2,3,4", "hydra.sweeper.name=mine", "hydra.sweeper.objective.metric=loss",
    "hydra.sweeper.promotion={promote: true, model_name: m, files: [model.bin]}",
)  # fmt: skip
LOCAL = ("hydra/launcher=podium", "hydra.launcher.n_jobs=1")
IMPORT = "from lib import FACTOR"


def run(
    folder: Path, script: str, *arguments: str, edits: str = "lib.py"
) -> subprocess.CompletedProcess[str]:
    module = script.removesuffix(".py").replace("/", ".")
    command = [script] if "/" not in script else ["-m", module]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "EDITS": str(folder / edits)}
    return forked.run(*command, *SWEEP, *(arguments or LOCAL), cwd=folder, env=environment)


def write_app(folder: Path, *, top: str = "", late: str = "pass", package: str = "") -> str:
    place = folder / package
    place.mkdir(exist_ok=True)
    (place / "lib.py").write_text("FACTOR = 1\n")
    (place / "unused.py").write_text("")
    if package:
        (place / "__init__.py").touch()
    (place / "app.py").write_text(APP.format(top=top, late=late))
    return f"{package}/app.py" if package else "app.py"


def codes(folder: Path) -> dict[int, list[str]]:
    rows = read_json(folder / "experiments" / "sweeps" / "mine" / "leaderboard.json")["rows"]
    return {row["job"]: sorted(row["code"]) for row in rows if row["code"]}


@pytest.mark.parametrize(
    ("imports", "first", "word"),
    [
        ({"top": IMPORT}, 2, "ran changed code: lib.py"),
        # A task may have imported the file before the edit or after it.
        ({"late": IMPORT}, 1, "ran while its code changed: lib.py"),
    ],
)
def test_the_jobs_that_ran_it_are_told_apart(
    tmp_path: Path, podium: Callable, imports: dict[str, str], first: int, word: str
) -> None:
    result = run(tmp_path, write_app(tmp_path, **imports))
    assert result.returncode == 0, result.stderr
    changed = range(first, 4)
    assert codes(tmp_path) == {job: ["lib.py"] for job in changed}
    said = [line for line in result.stdout.splitlines() if "lib.py" in line]
    assert said[0] == f"job {first} {word}"
    assert "2 jobs (2, 3) ran changed code: lib.py" in said
    assert "Not promoted to champion of m: its jobs ran on different code" in result.stdout
    assert not list(tmp_path.glob("experiments/models/*"))
    assert word in podium("show", "mine").out
    assert word in podium("leaderboard", "mine").out
    assert set(json.loads(podium("show", "mine", "--json").out)["changed_code"]) == set(map(str, changed))
    ledger = read_lines(tmp_path / "experiments" / "sweeps" / "mine" / "jobs.jsonl")
    assert {event["job"] for event in ledger if event["event"] == "finished" and "code" in event} == set(
        changed
    )
    assert word in (tmp_path / "experiments" / "sweeps" / "mine" / "leaderboard.md").read_text()


@pytest.mark.parametrize("launcher", [(*LOCAL, "hydra.launcher.isolation=reuse"), ("hydra/launcher=basic",)])
def test_a_process_that_has_loaded_it_runs_what_it_has_loaded(
    tmp_path: Path, launcher: tuple[str, ...]
) -> None:
    result = run(tmp_path, write_app(tmp_path, top=IMPORT), *launcher)
    assert result.returncode == 0, result.stderr
    assert codes(tmp_path) == {}
    assert "Champion of m" in result.stdout


def test_jobs_run_the_script_as_it_is_when_they_start(tmp_path: Path) -> None:
    script = write_app(tmp_path, top="FACTOR = 1")
    result = run(tmp_path, script, edits="app.py")
    assert result.returncode == 0, result.stderr
    assert codes(tmp_path) == {2: ["app.py"], 3: ["app.py"]}
    rows = read_json(tmp_path / "experiments" / "sweeps" / "mine" / "leaderboard.json")["rows"]
    assert sorted(row["objective"] for row in rows) == [1.0, 2.0, 300.0, 400.0]


@pytest.mark.parametrize(("edits", "named"), [("app.py", "app.py"), ("unused.py", None), ("notes.txt", None)])
def test_only_files_that_jobs_run_count(tmp_path: Path, edits: str, named: str | None) -> None:
    script = write_app(tmp_path, top=IMPORT)
    (tmp_path / "notes.txt").touch()
    result = run(tmp_path, script, edits=edits)
    assert result.returncode == 0, result.stderr
    assert codes(tmp_path) == ({2: [named], 3: [named]} if named else {})
    assert ("Champion of m" in result.stdout) is (named is None)


def test_a_module_of_a_package_counts(tmp_path: Path) -> None:
    script = write_app(tmp_path, late="from pkg.lib import FACTOR", package="pkg")
    result = run(tmp_path, script, edits="pkg/lib.py")
    assert result.returncode == 0, result.stderr
    assert codes(tmp_path) == {1: ["pkg/lib.py"], 2: ["pkg/lib.py"], 3: ["pkg/lib.py"]}


def test_jobs_of_a_later_session_are_compared_with_the_first(tmp_path: Path, podium: Callable) -> None:
    script = write_app(tmp_path, top=IMPORT)
    ledger = tmp_path / "experiments" / "sweeps" / "mine" / "jobs.jsonl"
    assert (
        run(tmp_path, script, edits="notes.py").returncode == 1
    )  # the second job fails: there is no such file
    (tmp_path / "lib.py").write_text("FACTOR = 2\n")
    (tmp_path / "notes.py").touch()
    assert "code: lib.py changed" in podium("resume", "mine", "--failed").err
    (tmp_path / "app.py").write_text(
        (tmp_path / "app.py").read_text().replace('os.environ["EDITS"]', '"notes.py"')
    )
    result = podium("resume", "mine", "--failed", "--changed")
    assert result.code == 0, result.err
    assert codes(tmp_path) == {1: ["app.py", "lib.py"]}
    assert "its jobs ran on different code" in result.out
    assert [event["job"] for event in read_lines(ledger) if "code" in event] == [1]


def test_a_run_of_changed_code_stands_in_for_no_job(tmp_path: Path) -> None:
    script = write_app(tmp_path, top=IMPORT)
    assert run(tmp_path, script).returncode == 0
    (tmp_path / "lib.py").write_text("FACTOR = 1\n")
    again = run(
        tmp_path, script, *LOCAL, "hydra.sweeper.name=again", "hydra.sweeper.reuse=true", edits="unused.py"
    )
    assert "reuse: 2 of 4 jobs" in again.stdout, again.stderr
