"""A process that is started while a run is open finds the run and logs into it as one writer more."""

import copy
import json
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tracking import ExperimentTracker, Run, active_run

HEAD = "import os, sys, signal\nfrom tracking import ExperimentTracker, active_run\n"


@pytest.fixture(autouse=True)
def no_run_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PODIUM_RUN_DIR", raising=False)


def child(code: str, *, code_of_exit: int = 0, **variables: str) -> str:
    """Run `code` in a process of its own; return what it printed."""
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", HEAD + code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **variables},
    )
    assert answer.returncode == code_of_exit, answer.stderr
    return answer.stdout


def values(run: Run) -> list[float]:
    """All points of the metric `a`, and nothing but whole files left."""
    tracker = ExperimentTracker(run.run_dir.parents[1])
    assert not list(run.run_dir.glob("metrics*.jsonl"))
    return sorted(point["value"] for point in tracker.get_run(run.run_id)["metrics"]["a"])


def log_rank(rank: int) -> None:
    run = active_run()
    assert run is not None
    assert run is active_run()
    run.log({"a": rank}, step=rank)


def test_a_subprocess_logs_into_the_run_and_leaves_it_going_on(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        run.log({"a": 0})
        printed = child(
            "with active_run() as run:\n"
            "    run.log({'a': 1})\n    run.log_params({'rank': 1})\n    run.set_tags({'seen': 'yes'})\n"
            "print(run.run_id, run.run_dir, active_run().should_stop())"
        )
        assert printed.split() == [run.run_id, str(run.run_dir), "False"]
        assert tracker.record(run.run_id).status == "running"
        assert active_run() is run
        run.log({"a": 2})
    record = tracker.record(run.run_id)
    assert (record.status, record.params, record.tags) == ("completed", {"rank": 1}, {"seen": "yes"})
    assert values(run) == [0, 1, 2]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_ranks_of_multiprocessing_log_into_the_run(tracker: ExperimentTracker, method: str) -> None:
    context = multiprocessing.get_context(method)
    with tracker.start_run("x") as run:
        ranks = [context.Process(target=log_rank, args=(rank,)) for rank in range(1, 3)]
        for rank in ranks:
            rank.start()
        for rank in ranks:
            rank.join(60)
        assert [rank.exitcode for rank in ranks] == [0, 0]
        log_rank(0)
    assert tracker.record(run.run_id).status == "completed"
    assert values(run) == [0, 1, 2]


@pytest.mark.parametrize(
    ("end", "code", "status", "error"),
    [
        ("pass", 0, "completed", None),
        ("raise ValueError", 1, "failed", "ValueError"),
        ("sys.exit(3)", 3, "failed", "SystemExit: 3"),
        ("os._exit(4)", 4, "completed", None),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, "completed", None),
        ("os.kill(os.getpid(), signal.SIGTERM)", -15, "completed", None),
    ],
)
def test_however_a_child_ends_the_run_goes_on_and_an_error_of_the_child_is_kept(
    tracker: ExperimentTracker, end: str, code: int, status: str, error: str | None
) -> None:
    with tracker.start_run("x") as run:
        run.log({"a": 0})
        child(f"with active_run() as run:\n    run.log({{'a': 1}})\n    {end}", code_of_exit=code)
        assert tracker.record(run.run_id).status == "running"
    record = tracker.record(run.run_id)
    assert (record.status, record.error) == (status, error)
    assert values(run) == [0, 1]


def test_the_innermost_open_run_stands_in_the_environment_and_the_outer_one_after_it(
    tracker: ExperimentTracker,
) -> None:
    def told() -> str | None:
        return os.environ.get("PODIUM_RUN_DIR")

    with tracker.start_run("x") as outer:
        assert told() == str(outer.run_dir)
        with tracker.start_run("y") as inner:
            assert told() == str(inner.run_dir)
        assert told() == str(outer.run_dir)
        first, second = tracker.start_run("a"), tracker.start_run("b")
        first.finish()
        assert told() == str(second.run_dir)
        second.finish()
        assert told() == str(outer.run_dir)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: tracker.start_run("z").finish()).result()
        assert told() == str(outer.run_dir)
    assert told() is None
    tracker.finish_run(tracker.create_run("x"))  # which no block is open for
    assert told() is None


def test_a_child_that_opens_a_run_of_its_own_gets_that_one_and_then_the_outer_one_again(
    tracker: ExperimentTracker, base: Path
) -> None:
    with tracker.start_run("x") as run:
        printed = child(
            f"tracker = ExperimentTracker({str(base)!r})\n"
            "with tracker.start_run('own') as own:\n    assert active_run() is own\n"
            "print(active_run().run_id, os.environ['PODIUM_RUN_DIR'])"
        )
        assert printed.split() == [run.run_id, str(run.run_dir)]
    assert [record.status for record in tracker.records()] == ["completed", "completed"]


def test_a_child_that_outlives_the_run_has_no_active_run_any_more(tracker: ExperimentTracker) -> None:
    code = "active_run().log({'a': 1})\nprint('logged', flush=True)\ninput()\nprint(active_run())"
    with tracker.start_run("x") as run:
        process = subprocess.Popen(
            [sys.executable, "-c", HEAD + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "logged\n"
    assert process.communicate("\n", timeout=60)[0] == "None\n"
    assert tracker.record(run.run_id).status == "completed"
    assert values(run) == [1]  # the child put the files in order as it ended


def test_a_change_of_the_run_does_not_change_the_handle(tracker: ExperimentTracker) -> None:
    code = "first = active_run()\nprint('there', flush=True)\ninput()\nprint(active_run() is first)"
    with tracker.start_run("x") as run:
        process = subprocess.Popen(
            [sys.executable, "-c", HEAD + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "there\n"
        run.set_tags({"seen": "yes"})
        assert process.communicate("\n", timeout=60)[0] == "True\n"


def test_a_variable_that_names_no_run_that_goes_on_is_ignored(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracker.start_run("finished") as finished:
        pass
    running = tracker.create_run("running")
    monkeypatch.setenv("PODIUM_RUN_DIR", str(base / "runs" / running))
    assert active_run().run_id == running
    dead = child(
        f"print(ExperimentTracker({str(base)!r}).create_run('dead'), flush=True)\nos._exit(0)"
    ).strip()
    damaged = tracker.create_run("damaged")
    (base / "runs" / damaged / "run.json").write_text("{")
    newer = tracker.create_run("newer")
    path = base / "runs" / newer / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    (tmp_path / "run.json").write_text("{}")
    (base / "runs" / "folder" / "run.json").mkdir(parents=True)
    monkeypatch.chdir(base / "runs")
    for stale in (
        str(finished.run_dir),
        str(base / "runs" / dead),
        str(base / "runs" / damaged),
        str(base / "runs" / newer),
        str(base / "runs" / "run_099"),
        str(base / "runs" / "folder"),
        str(base),
        str(tmp_path),
        running,
        f"../runs/{running}",
        "x" * 10_000,
        "",
        "/",
        "~",
    ):
        monkeypatch.setenv("PODIUM_RUN_DIR", stale)
        assert active_run() is None, stale
    assert tracker.get_run(dead)["status"] == "killed"


def test_leaving_a_block_in_a_forked_child_leaves_the_run_alone(tracker: ExperimentTracker) -> None:
    child_pid = 0
    with tracker.start_run("x") as run:
        child_pid = os.fork()
        if child_pid == 0:
            active_run().log({"a": 1})
        else:  # the run goes on until the child has left the block and ended
            os.waitid(os.P_PID, child_pid, os.WEXITED | os.WNOWAIT)
            assert tracker.record(run.run_id).status == "running"
    if child_pid == 0:
        os._exit(0 if active_run() is None and "PODIUM_RUN_DIR" not in os.environ else 1)
    assert os.waitpid(child_pid, 0)[1] == 0
    assert tracker.record(run.run_id).status == "completed"


def test_a_handle_that_is_passed_to_a_process_logs_beside_the_first_one(
    tracker: ExperimentTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracker.start_run("x") as run:
        process = multiprocessing.get_context("forkserver").Process(target=run.log, args=({"b": 2.0},))
        monkeypatch.chdir(tmp_path)
        process.start()
        process.join(60)
        assert process.exitcode == 0
        assert str(tracker.record(run.run_id).status) == "running"  # type: ignore[union-attr]
        copy.deepcopy(run).log({"c": 3.0})
        run.log({"a": 1.0})
    found = tracker.get_run(run.run_id)
    assert (found["status"], sorted(found["metrics"])) == ("completed", ["a", "b", "c"])
