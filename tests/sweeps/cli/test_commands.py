"""The commands of ``python -m sweeps``, on sweeps that were run once for all of them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import pytest

from sweeps.cli.app import COMMANDS, main
from sweeps.state.lock import locked
from tracking.files import append_line

APP = Path(__file__).parents[1] / "apps" / "quadratic" / "app.py"
OLD_STORE = Path(__file__).parents[2] / "formats" / "0.1.0" / "quadratic" / "experiments"
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sweeps: a finished one with failures, and one whose parent was killed."""
    folder = tmp_path_factory.mktemp("commands")
    finished = ("fault=none,raise", "x=1,2", "hydra.sweeper.name=one-finished", "hydra.launcher.n_jobs=2")
    forked.run(str(APP), "-m", *finished, cwd=folder)
    killed = ("fault=none,waits", "x=5,6", "hydra.sweeper.name=one-killed", "hydra.launcher.n_jobs=1")
    process = forked.start(
        str(APP), "-m", *killed, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + PATIENCE_S
    while not (waiting := list(folder.glob("waiting-*"))):
        assert time.monotonic() < until
        time.sleep(0.05)
    process.kill()
    process.wait()
    while Path(f"/proc/{waiting[0].name.removeprefix('waiting-')}/root").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    return folder / "experiments"


@pytest.fixture
def say(store: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that succeeds; what it prints."""

    def say(*words: str) -> str:
        code = main([*words, "--store", str(store)])
        answer = capsys.readouterr()
        assert code == 0, answer.err
        assert answer.err == ""
        return answer.out

    return say


@pytest.fixture
def ask(say: Callable[..., str]) -> Callable[..., Any]:
    """Run a command with --json; its answer."""
    return lambda *words: json.loads(say(*words, "--json"))


@pytest.fixture
def refused(store: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run a command that fails; its exit code and the one line it says."""

    def refused(*words: str) -> tuple[int, str]:
        code = main([*words, "--store", str(store)])
        answer = capsys.readouterr()
        assert answer.out == ""
        assert answer.err.count("\n") == 1
        return code, answer.err

    return refused


def test_the_list_tells_how_each_sweep_stands(ask: Callable, say: Callable) -> None:
    first, second = ask("list")
    assert (first["sweep"], first["state"], first["completed"], first["jobs"]) == (
        "one-finished",
        "finished",
        2,
        4,
    )
    assert (first["metric"], first["best"]) == ("loss", 0.0)
    assert (second["sweep"], second["state"], second["completed"]) == ("one-killed", "interrupted", 2)
    text = say("list")
    assert "one-killed" in text
    assert "2/4" in text


def test_a_damaged_sweep_is_named_and_the_others_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "sweeps" / "torn" / "plan.json"
    plan.parent.mkdir(parents=True)
    plan.write_text("{ torn")
    assert main(["list", "--store", str(tmp_path), "--json"]) == 1
    answer = capsys.readouterr()
    assert json.loads(answer.out) == []
    assert answer.err.startswith("sweeps: left out: torn:")


def test_show_tells_what_was_swept_how_it_is_ranked_and_how_it_stands(ask: Callable, say: Callable) -> None:
    shown = ask("show", "one-f")
    assert shown["swept"] == {"fault": ["none", "raise"], "x": [1, 2]}
    assert shown["counts"] == {"completed": 2, "failed": 2}
    assert shown["objective"] == {"metric": "loss", "mode": "min", "at": "best"}
    assert shown["best"]["job"] == 1
    assert shown["usage"]["slots"] == 2
    text = say("show", "one-f")
    assert "ranked by  the best loss (min)" in text
    assert "jobs       4: 2 completed, 2 failed" in text
    assert "slots busy" in text
    assert "sweeps resume" not in text


def test_show_of_an_interrupted_sweep_says_how_to_go_on(ask: Callable, say: Callable) -> None:
    assert ask("show", "one-killed")["state"] == "interrupted"
    assert "python -m sweeps resume one-killed" in say("show", "one-killed")


def test_a_sweep_whose_parent_lives_is_running(ask: Callable, store: Path) -> None:
    with locked(store / "sweeps" / "one-killed"):
        assert ask("show", "one-killed")["state"] == "running"
        assert ask("list")[1]["state"] == "running"
        assert [job["status"] for job in ask("jobs", "one-killed")] == [
            "completed",
            "completed",
            "running",
            "queued",
        ]
        statuses = [row["status"] for row in ask("leaderboard", "one-killed")["rows"]]
        assert statuses == ["completed", "completed", "running", "queued"]


def test_jobs_are_listed_in_order_with_all_that_is_known(ask: Callable) -> None:
    jobs = ask("jobs", "one-finished")
    assert [job["job"] for job in jobs] == [0, 1, 2, 3]
    assert jobs[2]["error"] == "ValueError: no such luck"
    assert jobs[2]["reason"] == "error"
    assert 'raise ValueError("no such luck")' in jobs[2]["traceback"]
    assert jobs[1]["rank"] == 1
    assert Path(jobs[2]["log"]).exists()


def test_jobs_can_be_chosen_by_how_they_ended(ask: Callable, say: Callable) -> None:
    assert [job["job"] for job in ask("jobs", "one-finished", "--failed")] == [2, 3]
    assert [job["job"] for job in ask("jobs", "one-killed", "--status", "unfinished")] == [3]
    assert "job 3: ValueError: no such luck" in say("jobs", "one-finished", "--status", "failed")
    assert "No job of one-finished has this status" in say("jobs", "one-finished", "--status", "cancelled")


def test_logs_are_found_by_the_jobs_number_and_by_its_run(say: Callable, ask: Callable) -> None:
    whole = say("logs", "one-finished", "2")
    assert whole.rstrip().endswith("ValueError: no such luck")
    run = ask("jobs", "one-finished")[2]["run"]
    assert say("logs", "one-finished", run) == whole
    assert say("logs", "one-finished", "2", "--tail", "1") == "ValueError: no such luck\n"
    assert say("logs", "one-finished", "2", "--tail", "0") == ""
    assert ask("logs", "one-finished", "2")["text"] == whole


def test_following_the_log_of_a_job_that_has_ended_prints_it_and_ends(say: Callable) -> None:
    assert say("logs", "one-finished", "2", "--follow") == say("logs", "one-finished", "2")


def test_following_prints_what_is_added_until_the_job_ends(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "experiments" / "sweeps" / "mine"
    (folder / "jobs" / "0").mkdir(parents=True)
    (folder / "plan.json").write_bytes((store / "sweeps" / "one-finished" / "plan.json").read_bytes())
    log, ledger = folder / "jobs" / "0" / "output.log", folder / "jobs.jsonl"
    append_line(ledger, {"event": "started", "job": 0})
    log.write_text("first\n")
    with locked(folder):
        follow = [sys.executable, "-m", "sweeps", "logs", "mine", "0", "--follow"]
        process = subprocess.Popen(follow, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "first\n"
        with log.open("a") as stream:
            stream.write("second\n")
        assert process.stdout.readline() == "second\n"
        with log.open("a") as stream:
            stream.write("last\n")
        append_line(ledger, {"event": "finished", "job": 0, "status": "completed", "wall_s": 1.0, "runs": []})
        assert process.communicate(timeout=PATIENCE_S)[0] == "last\n"
    assert process.returncode == 0


def test_a_ctrl_c_while_following_is_clean(store: Path) -> None:
    folder = store / "sweeps" / "one-killed"
    log = folder / "jobs" / "2" / "output.log"
    before = log.read_bytes()
    log.write_text("something\n")
    with locked(folder):
        follow = [sys.executable, "-m", "sweeps", "logs", "one-killed", "2", "-f", "--store", str(store)]
        process = subprocess.Popen(follow, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "something\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE_S)[1] in {"", "sweeps: interrupted\n"}
    log.write_bytes(before)
    assert process.returncode == 130


@pytest.mark.parametrize("words", ["list", "jobs one-finished", "logs one-finished 2", "list --json"])
def test_a_reader_that_leaves_is_no_error(store: Path, words: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    call = [sys.executable, "-m", "sweeps", *words.split(), "--store", str(store)]
    try:
        answer = subprocess.run(call, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_leaderboard_can_be_shown_and_written_again(ask: Callable, say: Callable, store: Path) -> None:
    board = ask("leaderboard", "one-finished")
    assert board["rows"][0]["objective"] == 0.0
    written = store / "sweeps" / "one-finished" / "leaderboard.json"
    before = written.read_bytes()
    written.unlink()
    assert "leaderboard.json" in say("aggregate", "one-finished")
    assert written.read_bytes() == before


def test_the_latest_sweep_is_the_one_that_was_begun_last(ask: Callable) -> None:
    ask("aggregate", "one-finished")  # which writes into its folder
    assert ask("show")["sweep"] == "one-killed"
    assert ask("show", "latest")["sweep"] == "one-killed"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("show none-such", 1, "none-such: no such sweep in .*; the newest are: one-finished, one-killed"),
        ("show one", 1, "one: 2 sweeps begin with this: one-finished, one-killed"),
        ("logs one-finished 17", 1, "17: no such job in one-finished; it has the jobs 0 to 3, and runs"),
        ("logs one-killed 3", 1, "job 3 of one-killed has not started"),
        ("logs one-finished 2 --follow --json", 2, "leave out --json"),
        ("jobs one-finished --status lost", 2, "'lost' is not one of 'completed'"),
        ("logs one-finished", 2, "Missing argument 'JOB'"),
        ("leader", 2, "No such command 'leader'"),
    ],
)
def test_an_error_is_one_line_that_says_what_is_allowed(
    refused: Callable, words: str, code: int, said: str
) -> None:
    answer, line = refused(*words.split())
    assert answer == code
    assert line.startswith("sweeps: ")
    assert re.search(said, line), line


def test_a_store_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--store", str(tmp_path / "gone")]) == 1
    assert "gone' does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "-h"]) == 0
    assert f"Example: python -m sweeps {name}" in capsys.readouterr().out


def test_the_help_tells_all_commands_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    assert "130  interrupted" in text
    for name in COMMANDS:
        assert f"\n  {name} " in text


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("podium ")


@pytest.mark.parametrize("words", ["list", "show grid", "leaderboard grid", "jobs grid", "logs grid 0"])
def test_looking_loads_nothing_heavy_when_piped(words: str) -> None:
    code = (
        "import sys; from sweeps.cli.app import main; main(sys.argv[1:]); "
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, *words.split(), "--store", str(OLD_STORE)],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {"hydra", "omegaconf", "yaml", "rich", "pydantic", "pandas", "numpy", "torch"}
    assert "typer" in answer.stderr.split()
    assert set(answer.stderr.split()) & heavy == set()
