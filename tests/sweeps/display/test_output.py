"""What a sweep says on stdout for people in pipes and for scripts, and how well it used its slots."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from sweeps.display.tables import used
from sweeps.jobs import JobState
from sweeps.ranking.leaderboard import Leaderboard, Row
from sweeps.state.ledger import Usage
from tracking.objective import At, Direction, Objective


def test_with_json_stdout_is_one_object_per_event_and_nothing_else(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2", "fault=none,raise", "hydra.sweeper.output=json")
    assert result.code == 1
    events = [json.loads(line) for line in result.out.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "began"
    assert kinds[-1] == "leaderboard"
    assert (kinds.count("started"), kinds.count("run"), kinds.count("finished")) == (4, 4, 4)
    assert (events[0]["jobs"], events[0]["slots"]) == (4, 2)
    last = [event for event in events if event["event"] == "finished"][-1]
    assert (last["done"], last["failed"], last["best"]) == (4, 2, {"job": 2, "objective": 0.0})
    assert json.loads((result.dir / "leaderboard.json").read_bytes())["rows"] == events[-1]["rows"]
    assert "2 of 4 jobs failed" in result.err


def test_with_json_what_the_users_own_code_prints_goes_to_stderr(sweep: Callable) -> None:
    own = ("hydra.sweeper.check=talkative.check", "hydra.launcher.preload=[talkative]")
    result = sweep("-m", "x=1,2", "hydra.sweeper.output=json", *own)
    assert [json.loads(line)["event"] for line in result.out.splitlines()][-1] == "leaderboard"
    assert "a word at import" in result.err
    assert "a word about 2" in result.err


def test_a_dry_run_as_json_is_the_plan_in_one_line(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2", "hydra.sweeper.dry_run=true", "hydra.sweeper.output=json")
    (plan,) = map(json.loads, result.out.splitlines())
    assert [job["point"] for job in plan["jobs"]] == [{"x": 1}, {"x": 2}]


def test_an_unknown_output_is_refused_with_what_is_allowed(sweep: Callable) -> None:
    result = sweep("-m", "x=1", "hydra.sweeper.output=xml")
    assert result.code == 1
    assert "output=xml: allowed are auto, table, lines, json" in result.err


def test_the_end_tells_how_well_the_slots_were_used_and_the_leaderboard_keeps_it(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2,3")
    usage = json.loads((result.dir / "leaderboard.json").read_bytes())["usage"]
    assert usage["slots"] == 2
    assert 0 < usage["busy_s"] <= usage["available_s"]
    assert f"2 at once, slots busy {usage['utilisation']:.0%} of the time" in result.out


def test_a_stopped_sweep_says_so_in_json_too(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start("-m", "fault=waits", "x=1,2,3", "hydra.sweeper.output=json", "hydra.launcher.grace_s=5")
    assert process.stdout is not None
    running = 0
    while running < 2:
        running += json.loads(process.stdout.readline())["event"] == "run"
    process.send_signal(signal.SIGINT)
    rest = [json.loads(line) for line in process.communicate(timeout=60)[0].splitlines()]
    assert process.returncode != 0
    assert any(event["event"] == "note" and "SIGINT" in event["text"] for event in rest)
    assert rest[-1]["event"] == "leaderboard"


def test_a_reader_that_leaves_does_not_end_the_sweep(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    for mode in ("json", "lines"):
        process = start("-m", "x=1,2", f"hydra.sweeper.output={mode}", f"hydra.sweeper.name={mode}")
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        with process.stderr as stream:
            errors = stream.read()
        assert process.wait(timeout=60) == 0, errors
        assert "Broken" not in errors
        rows = json.loads((tmp_path / "experiments" / "sweeps" / mode / "leaderboard.json").read_bytes())[
            "rows"
        ]
        assert [row["status"] for row in rows] == ["completed", "completed"]


def test_jobs_that_never_ran_are_not_counted_as_done_in_the_time() -> None:
    rows = (
        Row(1, 0, "run_001", {}, 0.5, {}, 1, 4.0, JobState.COMPLETED, None),
        Row(
            None,
            1,
            None,
            {},
            None,
            {},
            None,
            0.0,
            JobState.CANCELLED,
            "the sweep was stopped before it started",
        ),
        Row(None, 2, None, {}, None, {}, None, None, JobState.UNFINISHED, None),
    )
    objective = Objective("loss", Direction.MIN, At.BEST)
    board = Leaderboard("mine", objective, (), (), rows, usage=Usage(2, 125.0, 242.5, 250.0, 0.97))
    assert used(board) == "1 of 3 jobs in 2:05, 2 at once, slots busy 97% of the time"
