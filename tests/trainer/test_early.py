"""The imports of a sweep's jobs begin with the command, and only where it is a sweep on this machine's cores."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hydra_plugins.podium import early
from sweeps.executor.local import server_process

# Python runs this at the start of each process; it notes which forkservers start.
NOTE = """
import os, re, sys
served = re.search(r"forkserver[.]serve[(][0-9]+, last, (.*)[)]", " ".join(sys.orig_argv))
if served:
    with open(os.environ["NOTED"], "a") as file:
        file.write(served[1] + "\\n")
"""
MODULES = ["trainer.task"]
UNJUDGED = ("hydra.sweeper.winner=null", "promotion.promote=false")  # which would take longer than the jobs


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The environments of what has been started early, by a process that is no job, on four cores."""
    found: list[dict[str, str]] = []
    monkeypatch.setattr(server_process, "start_early", lambda _modules, variables: found.append(variables))
    monkeypatch.delitem(sys.modules, "sweeps.executor.local.child", raising=False)
    monkeypatch.setattr(early, "_cores", lambda: 4)
    for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR"):
        monkeypatch.delenv(f"{name}_NUM_THREADS", raising=False)
    return found


def begin(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(sys, "argv", ["trainer", *line.split()])
    early.import_early(MODULES, "sweep", {"ADDED": "1"})


@pytest.mark.parametrize(
    ("line", "threads"),
    [
        ("-m training.learning_rate=1e-4,1e-3", "1"),
        ("--multirun model=mlp,dcn +experiment=ctr_quick", "1"),
        ("-m sweep.n_jobs=2", "2"),
        ("-m sweep.n_jobs=null", "1"),
        ("-m sweep.n_jobs=16", "1"),
        ("-m hydra.sweeper.resume=latest", "1"),
        ("-m sweep.n_jobs=2 sweep.threads=3", "3"),
    ],
)
def test_a_sweep_begins_to_import_with_the_threads_of_its_jobs(
    monkeypatch: pytest.MonkeyPatch, started: list[dict[str, str]], line: str, threads: str
) -> None:
    begin(monkeypatch, line)
    (variables,) = started
    assert variables["OMP_NUM_THREADS"] == threads
    assert variables["ADDED"] == "1"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "training.learning_rate=1e-4",
        "--help",
        "-m --help",
        "-m --cfg job",
        "--shell-completion query=bash",
        "-m hydra/launcher=basic seed=1,2",
        "-m +hydra/sweeper=optuna seed=1,2",
        "-m hydra.launcher.preload=[] seed=1,2",
        "-m ~hydra.launcher.preload seed=1,2",
        "-m sweep.dry_run=true seed=1,2",
        "-m hydra.sweeper.dry_run=true seed=1,2",
        "-m sweep.gpus=[0,1] seed=1,2",
    ],
)
def test_any_other_command_starts_no_process(
    monkeypatch: pytest.MonkeyPatch, started: list[dict[str, str]], line: str
) -> None:
    begin(monkeypatch, line)
    assert started == []


def test_a_job_starts_no_process(monkeypatch: pytest.MonkeyPatch, started: list[dict[str, str]]) -> None:
    monkeypatch.setitem(sys.modules, "sweeps.executor.local.child", sys)
    begin(monkeypatch, "-m seed=1,2")
    assert started == []


def test_one_core_starts_no_process(monkeypatch: pytest.MonkeyPatch, started: list[dict[str, str]]) -> None:
    monkeypatch.setattr(early, "_cores", lambda: 1)
    begin(monkeypatch, "-m seed=1,2")
    assert started == []


@pytest.mark.parametrize(
    ("words", "served"),
    [
        (["seed=1,2", "sweep.grace_s=5"], [MODULES]),
        (["seed=1,2", "training.epochs=none"], [MODULES]),
        (["seed=1", "hydra.launcher.preload=[]"], [[]]),  # each job would import torch by itself
    ],
    ids=["a sweep", "a refused config", "nothing to import"],
)
def test_a_command_starts_one_forkserver(tmp_path: Path, words: list[str], served: list[Any]) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOTE)
    path = os.pathsep.join(
        [str(tmp_path), str(Path(early.__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    )
    command = [sys.executable, "-m", "trainer", "-m", "data.rows=200", "training.epochs=1", *UNJUDGED]
    answer = subprocess.run(
        [*command, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "NOTED": str(tmp_path / "noted")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    is_refused = "training.epochs=none" in words
    assert answer.returncode == is_refused, answer.stderr
    noted = (tmp_path / "noted").read_text().replace("'", '"').splitlines()
    assert [json.loads(each) for each in noted] == served
