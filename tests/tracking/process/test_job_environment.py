"""A job's context stands in the environment: processes that a job starts open runs of the job."""

import json
import logging
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracking import ExperimentTracker, ModelRegistry, job_context
from tracking.process.announcements import announced
from tracking.process.sweep_context import current_job

JOB = {"sweep": "s", "job": 3, "key": "k", "config_hash": "h", "attempt": 2}
IDENTITY = {"id": "s", "job": 3, "key": "k", "config_hash": "h", "attempt": 2}
OPEN = "from tracking import ExperimentTracker; ExperimentTracker('experiments').start_run('child').finish()"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PODIUM_JOB", raising=False)
    monkeypatch.delenv("PODIUM_RUN_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    assert current_job() is None
    assert not {"PODIUM_JOB", "PODIUM_RUN_DIR"} & os.environ.keys()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "jobs" / "3"
    folder.mkdir(parents=True)
    return folder


def open_one() -> None:
    ExperimentTracker("experiments").start_run("child").finish()


def python(code: str, **where: Any) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, **where)


def by_subprocess() -> None:
    python(OPEN)


def by_shell() -> None:
    subprocess.run(f'cd / && {sys.executable} -c "{OPEN}"', shell=True, check=True, timeout=60)


def by_grandchild() -> None:
    python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {OPEN!r}], check=True)")


def by_multiprocessing(method: str) -> None:
    process = multiprocessing.get_context(method).Process(target=open_one)
    process.start()
    process.join(60)
    assert process.exitcode == 0


def by_os_fork() -> None:
    child = os.fork()
    if child == 0:
        try:
            open_one()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


WAYS = {
    "subprocess": by_subprocess,
    "shell": by_shell,
    "grandchild": by_grandchild,
    "fork": lambda: by_multiprocessing("fork"),
    "spawn": lambda: by_multiprocessing("spawn"),
    "os.fork": by_os_fork,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_of_a_process_that_a_job_started_names_the_job_and_is_announced(
    tmp_path: Path, folder: Path, way: str
) -> None:
    told: list[str] = []
    with job_context(**JOB, folder=folder, on_start=lambda run_id, _dir: told.append(run_id)):
        ExperimentTracker("experiments").start_run("own").finish()
        WAYS[way]()
    runs = tmp_path / "experiments" / "runs"
    assert announced(folder, 2) == [(str(runs / "run_001"), False), (str(runs / "run_002"), True)]
    assert announced(folder, 1) == []
    assert told == ["run_001"]  # which only the job's own process can tell
    tracker = ExperimentTracker(tmp_path / "experiments")
    assert [record.sweep for record in tracker.records()] == [IDENTITY, IDENTITY]
    open_one()
    assert tracker.records()[-1].sweep is None


OWN = ("fork", "spawn", "os.fork")  # ways to a process that runs the job's own program


@pytest.mark.parametrize("way", WAYS)
def test_a_run_remembers_what_makes_its_job_unless_a_command_of_its_own_says_it(
    tmp_path: Path, folder: Path, way: str
) -> None:
    overrides = ["x=2", "db.password=hunter2", "name='a b'"]
    with job_context(**JOB, folder=folder, overrides=overrides):
        assert "hunter2" not in os.environ["PODIUM_JOB"]
        ExperimentTracker("experiments").start_run("own").finish()
        ExperimentTracker("experiments").start_run("given", overrides=["y=1"]).finish()
        WAYS[way]()
    own, given, child = (tmp_path / f"experiments/runs/run_00{number}" for number in (1, 2, 3))
    expected = '- "x=2"\n- "db.password=***"\n- "name=\'a b\'"\n'
    assert (own / "overrides.yaml").read_text() == expected
    assert (given / "overrides.yaml").read_text() == '- "y=1"\n'
    assert (child / "overrides.yaml").exists() is (way in OWN)
    if way in OWN:
        assert (child / "overrides.yaml").read_text() == expected
    told = [json.loads((each / "env.json").read_text()).get("own_command") for each in (own, given, child)]
    assert told == [None, None, None if way in OWN else True]
    assert [record.sweep for record in ExperimentTracker("experiments").records()] == [IDENTITY] * 3


def test_a_job_of_very_many_overrides_can_start_processes(tmp_path: Path, folder: Path) -> None:
    with job_context(**JOB, folder=folder, overrides=[f"x{number}={'1' * 100}" for number in range(2000)]):
        by_subprocess()
        ExperimentTracker("experiments").start_run("own").finish()
    kept = tmp_path / "experiments/runs/run_002/overrides.yaml"
    assert len(kept.read_text().splitlines()) == 2000


def test_a_relative_store_lies_where_the_sweep_was_started_whatever_folder_a_job_works_in(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with job_context(**JOB, folder=folder):
        monkeypatch.chdir(elsewhere)
        run = ExperimentTracker("experiments").start_run("x")
        assert run.run_dir == tmp_path / "experiments" / "runs" / "run_001"
        run.finish()
        python(OPEN, cwd=folder)
        assert len(ExperimentTracker(tmp_path / "experiments").list_runs()) == 2
        assert ModelRegistry("experiments").models() == []
        absolute = ExperimentTracker(elsewhere / "mine").start_run("x")
        assert absolute.run_dir.is_relative_to(elsewhere)
        absolute.finish()
        listed = subprocess.run(
            [sys.executable, "-m", "tracking", "list", "--json", "--store", "experiments"],
            capture_output=True,
            timeout=60,
        )
        assert (listed.returncode, len(json.loads(listed.stdout))) == (0, 2)
    outside = ExperimentTracker("experiments").start_run("x")
    assert outside.run_dir.is_relative_to(elsewhere)
    outside.finish()


def test_the_folder_of_the_sweep_can_be_told_where_the_job_has_changed_its_own(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with job_context(**JOB, folder=folder, cwd=tmp_path):
        assert current_job().cwd == tmp_path
        python(OPEN)
    assert (tmp_path / "experiments" / "runs" / "run_001").exists()


def test_the_environment_is_as_before_after_a_job_and_after_one_inside_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PODIUM_RUN_DIR", "/outer")
    with job_context(**JOB, folder=folder):
        outer = os.environ["PODIUM_JOB"]
        assert "PODIUM_RUN_DIR" not in os.environ  # the run around the sweep is not the job's
        with pytest.raises(KeyError, match="4"), job_context(**{**JOB, "job": 4}):
            raise KeyError(json.loads(os.environ["PODIUM_JOB"])["job"])
        assert os.environ["PODIUM_JOB"] == outer
        assert json.loads(outer) == {**JOB, "folder": str(folder), "cwd": str(Path.cwd())}
    assert os.environ["PODIUM_RUN_DIR"] == "/outer"
    monkeypatch.delenv("PODIUM_RUN_DIR")


def test_a_job_that_left_its_run_open_leaves_no_active_run_to_the_next(folder: Path, tmp_path: Path) -> None:
    from tracking import active_run

    with job_context(**JOB, folder=folder):
        left = ExperimentTracker("experiments").start_run("x")
        assert active_run() is left
    assert active_run() is None
    sys.stdout.write("after the job\n")
    left.log({"a": 1})
    left.finish()
    assert not (left.run_dir / "stdout.log").exists()
    assert ExperimentTracker(tmp_path / "experiments").record(left.run_id).summary["a"].count == 1


def test_earlier_runs_go_by_their_ids_in_the_store_of_the_run(tmp_path: Path, folder: Path) -> None:
    here, there = tmp_path / "experiments" / "runs" / "run_007", tmp_path / "other" / "runs" / "run_007"
    with job_context(**JOB, folder=folder, previous=[str(here), str(there), "run_005"]):
        python(OPEN)
        ExperimentTracker("other").start_run("x").finish()
    (first,) = ExperimentTracker("experiments").records()
    assert first.sweep["previous"] == ["run_007", str(there), "run_005"]
    (second,) = ExperimentTracker("other").records()
    assert second.sweep["previous"] == [str(here), "run_007", "run_005"]


def told_of(folder: Path | str, **more: object) -> str:
    return json.dumps({**JOB, "folder": str(folder), "cwd": "/", **more})


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "",
        "{",
        "null",
        "5",
        "[]",
        "{}",
        '{"sweep": "s"}',
        '{"sweep": 5, "job": 1}',
        '{"sweep": "s", "job": "1"}',
        '{"sweep": "s", "job": true}',
        '{"sweep": "s", "job": 1, "attempt": "2"}',
        '{"sweep": "s", "job": 1, "previous": 5}',
        '{"sweep": "s", "job": 1, "folder": "jobs/3"}',
        '{"sweep": "s", "job": 1, "folder": 5}',
        '{"sweep": "s", "job": 1, "cwd": "here"}',
        "[" * 100_000,
        told_of("/nowhere/jobs/3"),
        told_of("/etc/passwd"),
    ],
)
def test_a_variable_that_names_no_job_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("PODIUM_JOB", text)
    open_one()
    (record,) = ExperimentTracker("experiments").records()
    assert record.sweep is None
    assert record.run_dir == tmp_path / "experiments" / "runs" / "run_001"
    monkeypatch.delenv("PODIUM_JOB")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_whatever_the_variable_holds_nothing_is_raised(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PODIUM_JOB", text)
        patch.setenv("PODIUM_RUN_DIR", text)
        from tracking import active_run

        assert current_job() is None
        assert active_run() is None


def test_what_cannot_be_read_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PODIUM_JOB", '{"sweep": "said once"}')
    open_one()
    open_one()
    monkeypatch.delenv("PODIUM_JOB")
    assert caplog.text.count("PODIUM_JOB is ignored, because it does not name a job") == 1
    assert "said once" in caplog.text


def test_a_run_that_cannot_be_announced_is_kept_and_named(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "runs.jsonl").mkdir()  # no file can be appended to
    monkeypatch.setenv("PODIUM_JOB", told_of(folder, cwd=str(tmp_path)))
    with caplog.at_level(logging.WARNING, "tracking"):
        open_one()
    monkeypatch.delenv("PODIUM_JOB")
    (record,) = ExperimentTracker("experiments").records()
    assert (record.status, record.sweep) == ("completed", IDENTITY)
    assert f"the sweep may not count {record.run_dir} for its job: " in caplog.text
    assert announced(folder, 2) == []


def test_a_name_that_is_not_text_is_announced_as_it_is(tmp_path: Path, folder: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9"
    with job_context(**JOB, folder=folder):
        run = ExperimentTracker(Path(os.fsdecode(odd))).start_run("x")
        run.finish()
    ((found, _),) = announced(folder, 2)
    assert os.fsencode(found) == odd + b"/runs/run_001"


def test_many_processes_announce_at_once_and_none_is_lost(folder: Path) -> None:
    code = """
import sys
from pathlib import Path
from tracking.process.sweep_context import current_job
for number in range(200):
    current_job().announce(Path(f"/store/runs/{sys.argv[1]}-{number}"))
"""
    with job_context(**JOB, folder=folder):
        writers = [subprocess.Popen([sys.executable, "-c", code, str(n)]) for n in range(4)]
        assert [writer.wait(60) for writer in writers] == [0] * 4
    assert len(announced(folder, 2)) == 800


def test_what_a_run_keeps_of_its_environment_does_not_differ_from_job_to_job(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PODIUM_RUN_DIRS_OF_TRAININGS", str(folder))
    with job_context(**JOB, folder=folder), ExperimentTracker("experiments").start_run("x") as run:
        assert {"PODIUM_JOB", "PODIUM_RUN_DIR"} <= os.environ.keys()
    kept = json.loads((run.run_dir / "env.json").read_text())["env"]
    assert not {each for each in kept if each.startswith(("PODIUM_JOB", "PODIUM_RUN_DIR"))}
