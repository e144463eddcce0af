"""A job is ranked by the runs that it and its processes opened, wherever they lie; no other run is ranked or ended."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import pytest
from quadratic import Sweep, await_true

from tracking import ExperimentTracker
from tracking.files import read_lines

CONFIG = """
defaults:
  - _self_
  - override hydra/sweeper: podium
  - override hydra/launcher: podium
how: own
store: experiments
hydra:
  sweeper: {name: mine, objective: {metric: loss, mode: min}}
"""
APP = """
import multiprocessing, os, signal, subprocess, sys, time
import hydra
import part
from tracking import ExperimentTracker, active_run

def child(code):
    subprocess.run([sys.executable, "-c", f"import os, part, time; {code}"], check=True)

@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(cfg):
    how, store = cfg.how, cfg.store
    if how == "own":
        part.track(how, store)
    elif how == "subprocess":
        child(f"part.track({how!r}, {store!r})")
    elif how == "script":
        os.system(f"cd / && PYTHONPATH={os.environ['PYTHONPATH']} {sys.executable} -m part {how} {store}")
    elif how in ("fork", "spawn"):
        process = multiprocessing.get_context(how).Process(target=part.track, args=(how, store))
        process.start()
        process.join()
    elif how == "guest":
        with ExperimentTracker(store).start_run("job"):
            child("part.active_run().log({'loss': 5.0})")
    elif how == "own, then another":
        part.track(how, store)
        child("part.ExperimentTracker('experiments').start_run('evaluation').finish()")
    elif how == "odd store":
        part.track(how, os.fsdecode(b"caf\\xe9"))
    elif how == "dies":
        part.ExperimentTracker(store).start_run("left").log({"loss": 0.0})
        os._exit(3)
    elif how == "its child waits" or (how == "dies at first" and not os.path.exists("died")):
        code = f"part.ExperimentTracker({store!r}).start_run('left').log({{'loss': 0.0}});"
        if how == "dies at first":
            child(code + "os._exit(0)")
            open("died", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        if os.path.exists("may go on"):
            part.track(how, store)
        else:
            child(code + "open('waiting', 'w').close(); time.sleep(600)")
    elif how == "dies at first":
        child(f"part.track({how!r}, {store!r})")

if __name__ == "__main__":
    main()
"""
PART = """
import sys
from tracking import ExperimentTracker, active_run

def track(how, store):
    with ExperimentTracker(store).start_run("part", params={"how": how}) as run:
        run.log({"loss": float(len(how))}, step=0)

if __name__ == "__main__":
    track(*sys.argv[1:])
"""


@pytest.fixture
def begin(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a command in a folder with the app."""
    for name, text in {"config.yaml": CONFIG, "app.py": APP, "part.py": PART}.items():
        (tmp_path / name).write_text(text)

    def begin(*command: str) -> subprocess.Popen[str]:
        return forked.start(
            *command,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": f"{Path(__file__).parents[2]}:{tmp_path}"},
        )

    return begin


def ended(process: subprocess.Popen[str], folder: Path) -> Sweep:
    out, err = process.communicate(timeout=120)
    return Sweep(process.returncode, out, err, folder)


@pytest.fixture
def sweep(begin: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> Callable[..., Sweep]:
    """Run the app as a sweep to its end."""
    return lambda *arguments: ended(begin("app.py", "-m", *arguments), tmp_path)


def by_how(result: Sweep) -> dict[str, dict[str, Any]]:
    return {row["point"].get("how", ""): row for row in result.rows}


WAYS = ("own", "subprocess", "script", "fork", "spawn", "guest", '"own, then another"')


@pytest.mark.parametrize(
    "launcher",
    [(), ("hydra.launcher.isolation=reuse",), ("hydra/launcher=basic", "hydra.sweeper.max_batch_size=99")],
    ids=["process", "reuse", "basic"],
)
@pytest.mark.parametrize("chdir", [(), ("hydra.job.chdir=true",)], ids=["", "chdir"])
def test_however_a_job_opens_its_runs_they_are_the_jobs(
    sweep: Callable, launcher: tuple[str, ...], chdir: tuple[str, ...]
) -> None:
    result = sweep(f"how={','.join(WAYS)}", *launcher, *chdir)
    assert result.code == 0, result.out + result.err
    rows = by_how(result)
    assert {how: row["objective"] for how, row in rows.items()} == {how: float(len(how)) for how in rows}
    tracker = ExperimentTracker(result.cwd / "experiments")
    for row in rows.values():
        record = tracker.record(row["run"])
        assert (record.sweep["id"], record.sweep["job"], str(record.status)) == (
            "mine",
            row["job"],
            "completed",
        )
    finished = {event["job"]: event for event in result.events if event["event"] == "finished"}
    assert [len(finished[job]["runs"]) for job in range(7)] == [1, 1, 1, 1, 1, 1, 2]
    assert len(tracker.records()) == 8


def test_a_job_that_tracks_elsewhere_is_ranked_by_that_run(sweep: Callable, podium: Callable) -> None:
    result = sweep("how=own,subprocess", "store=elsewhere")
    assert result.code == 0, result.out + result.err
    rows = by_how(result)
    for how in ("own", "subprocess"):
        assert rows[how]["objective"] == float(len(how))
        assert Path(rows[how]["run"]).parent == result.cwd / "elsewhere" / "runs"
    assert "elsewhere/runs/run_001" in result.out
    assert str(result.cwd / "elsewhere") not in result.out  # shown as a user would name it
    shown = podium("jobs", "mine", "--json")
    assert [row["runs"] for row in json.loads(shown.out)] == [
        [rows["own"]["run"]],
        [rows["subprocess"]["run"]],
    ]
    for named in ("elsewhere/runs/run_001", rows["own"]["run"]):
        assert podium("logs", "mine", named).code == 0
    again = podium("aggregate", "mine")
    assert again.code == 0, again.err
    assert by_how(result) == rows


def test_a_run_of_the_same_id_in_the_sweeps_store_is_neither_ranked_nor_ended(
    begin: Callable, tmp_path: Path
) -> None:
    bystander = ExperimentTracker(tmp_path / "experiments").start_run("long", capture_output=False)
    bystander.log({"loss": -1.0})
    result = ended(
        begin("app.py", "-m", "how=own,dies", "store=elsewhere", "hydra.sweeper.max_failures=1"), tmp_path
    )
    assert result.code == 0, result.out + result.err
    assert {how: (row["objective"], row["status"]) for how, row in by_how(result).items()} == {
        "own": (3.0, "completed"),
        "dies": (0.0, "failed"),
    }
    bystander_now = ExperimentTracker(tmp_path / "experiments").record(bystander.run_id)
    assert (bystander_now.status, bystander_now.finished_at) == ("running", None)
    bystander.finish()
    elsewhere = ExperimentTracker(tmp_path / "elsewhere").records()
    assert sorted(str(record.status) for record in elsewhere) == ["completed", "failed"]
    assert all(record.finished_at for record in elsewhere)


def test_a_run_that_a_process_of_a_killed_attempt_left_open_is_finished_and_named_to_the_next(
    sweep: Callable,
) -> None:
    result = sweep("how='dies at first'", "hydra.launcher.retries=1")
    assert result.code == 0, result.out + result.err
    (row,) = result.rows
    assert row["objective"] == 13.0
    left, last = ExperimentTracker(result.cwd / "experiments").records()
    assert (left.status, left.finished_at is not None, left.sweep["attempt"]) == ("killed", True, 1)
    assert (last.run_id, last.sweep["attempt"], last.sweep["previous"]) == (row["run"], 2, [left.run_id])
    assert (left.tags, last.tags) == ({"superseded_by": last.run_id}, {})
    (retry,) = (event for event in result.events if event["event"] == "retry")
    assert retry["runs"] == [left.run_id]


def test_a_sweep_whose_parent_was_killed_knows_the_runs_of_its_jobs_processes(
    begin: Callable, tmp_path: Path
) -> None:
    process = begin("app.py", "-m", "how='its child waits'")
    await_true((tmp_path / "waiting").exists)
    process.kill()
    process.communicate()
    (tmp_path / "may go on").touch()
    result = ended(begin("-m", "sweeps", "resume", "mine"), tmp_path)
    assert result.code == 0, result.out + result.err
    left, last = ExperimentTracker(tmp_path / "experiments").records()
    assert (left.status, left.error) == ("killed", "tracking.process.signals.Terminated: 143")
    assert (last.sweep["attempt"], last.sweep["previous"]) == (2, [left.run_id])
    assert [(row["run"], row["objective"]) for row in result.rows] == [(last.run_id, 15.0)]


def test_a_job_whose_child_had_completed_a_run_is_not_taken_for_completed(
    begin: Callable, tmp_path: Path
) -> None:
    process = begin("app.py", "-m", "how='its child waits'")
    await_true((tmp_path / "waiting").exists)
    process.kill()
    process.communicate()
    (run,) = ExperimentTracker(tmp_path / "experiments").records()
    ExperimentTracker(tmp_path / "experiments").open_run(run.run_id).finish()
    (tmp_path / "may go on").touch()
    result = ended(begin("-m", "sweeps", "resume", "mine"), tmp_path)
    assert [(row["run"], row["objective"]) for row in result.rows] == [("run_002", 15.0)]


def test_a_store_whose_name_is_not_text_ends_no_sweep(sweep: Callable) -> None:
    result = sweep("how='odd store',own")
    assert result.code == 0, result.out + result.err
    rows = by_how(result)
    assert {how: (row["status"], row["objective"]) for how, row in rows.items()} == {
        "odd store": ("completed", None),
        "own": ("completed", 3.0),
    }
    assert "is gone" in rows["odd store"]["error"]


def test_a_sweep_in_a_job_of_a_sweep_has_its_own_runs(begin: Callable, tmp_path: Path) -> None:
    (tmp_path / "outer.py").write_text(
        APP.replace("    how, store = cfg.how, cfg.store\n", "    return inner()\n").replace(
            "@hydra",
            "def inner():\n"
            "    command = [sys.executable, os.environ['APP'], '-m', 'how=own,subprocess',\n"
            "               'hydra.sweeper.name=inner']\n"
            "    return subprocess.run(command, check=False).returncode\n\n@hydra",
            1,
        )
    )
    os.environ["APP"] = str(tmp_path / "app.py")
    try:
        process = begin("outer.py", "-m", "hydra.sweeper.objective.metric=null", "hydra.job.chdir=true")
    finally:
        del os.environ["APP"]
    result = ended(process, tmp_path)
    assert result.code == 0, result.out + result.err
    job = tmp_path / "experiments" / "sweeps" / "mine" / "jobs" / "0"
    assert "Sweep inner" in (job / "output.log").read_text()
    ledger = list(read_lines(job / "experiments" / "sweeps" / "inner" / "jobs.jsonl"))
    finished = [event for event in ledger if event["event"] == "finished"]
    assert [len(event["runs"]) for event in finished] == [1, 1]
