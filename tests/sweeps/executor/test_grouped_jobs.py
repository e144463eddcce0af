"""Jobs of one group share a process and take turns; each is a job of its own all the same."""

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import forked
import pytest
from quadratic import Sweep, await_true

from tracking import ExperimentTracker
from tracking.files import read_json

APP = Path(__file__).parents[1] / "apps" / "meets" / "app.py"
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T][\d:,.+]+|\d{8}-\d{6}")


@pytest.fixture
def meet(tmp_path: Path) -> Callable[..., Sweep]:
    """Run the app's sweep in a folder."""

    def meet(*arguments: str, folder: str = "exact") -> Sweep:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(APP.parent)}
        answer = forked.run(str(APP), "-m", *arguments, cwd=place, timeout=100, env=environment)
        return Sweep(answer.returncode, answer.stdout, answer.stderr, place)

    return meet


def meetings(sweep: Sweep) -> list[tuple[int, list[object]]]:
    found = [line.split(" ", 1) for line in (sweep.cwd / "meetings.txt").read_text().splitlines()]
    assert all(text.endswith("] None") for _, text in found if "," in text.partition("]")[0])
    return [(int(pid), json.loads(text.partition("]")[0].replace("'", '"') + "]")) for pid, text in found]


def of(sweep: Sweep, kind: str) -> dict[int, dict]:
    return {event["job"]: event for event in sweep.events if event["event"] == kind}


def record(sweep: Sweep, job: int):
    tracker = ExperimentTracker(sweep.cwd / "experiments")
    return tracker.record(of(sweep, "finished")[job]["runs"][-1])


def left_by(sweep: Sweep, job: int) -> dict[str, object]:
    """Return all that a job has left, without moments and numbers of runs."""
    run = sweep.cwd / "experiments" / "runs" / of(sweep, "finished")[job]["runs"][-1]
    files = [*(sweep.dir / "jobs" / str(job)).rglob("*"), *run.rglob("*")]
    names = {path.name for path in files}
    kept = ("output.log", "meets.log", "stdout.log", "overrides.yaml", "config.yaml", "params.json")
    texts = {path.name: MOMENT.sub("T", path.read_text()) for path in files if path.name in kept}
    metrics = read_json(run / "metrics.json")
    values = [point["value"] for point in json.loads(json.dumps(metrics["value"]))]
    entry = read_json(run / "run.json")
    told = {key: entry[key] for key in ("status", "error")}
    return {"names": names, **texts, "values": values, **told, "sweep": {**entry["sweep"], "id": ""}}


def test_grouped_jobs_leave_what_they_leave_alone(meet: Callable[..., Sweep]) -> None:
    together, alone = meet("x=1,2,3"), meet("x=1,2,3", "hydra.launcher.fusion=off", folder="off")
    assert together.code == alone.code == 0, together.err
    assert [items for _, items in meetings(together)] == [[1, 2, 3]] * 3
    assert sorted(items for _, items in meetings(alone)) == [[x] for x in (1, 2, 3) for _ in range(3)]
    for job in range(3):
        assert left_by(together, job) == left_by(alone, job)
    assert [(row["job"], row["objective"]) for row in together.rows] == [(2, 3.0), (1, 2.0), (0, 1.0)]


def test_each_job_is_in_a_process_of_its_own_as_far_as_it_can_tell(meet: Callable[..., Sweep]) -> None:
    sweep = meet("x=1,2,3", "does=change")
    assert [row["status"] for row in sweep.rows] == ["completed"] * 3, sweep.out
    assert len({pid for pid, _ in meetings(sweep)}) == 1
    for job, x in enumerate((1, 2, 3)):
        output = (sweep.dir / "jobs" / str(job) / "output.log").read_text()
        assert f"a line that is not ended by {x} step 0 of {x}\nstep 1 of {x}\n" in output
        assert not re.search(f"of [{'123'.replace(str(x), '')}]", output)
        assert (sweep.cwd / f"folder-{x}" / "own.log").read_text() == f"own of {x}\n"


def test_jobs_of_a_group_name_one_process_and_their_shares_of_its_time(meet: Callable[..., Sweep]) -> None:
    sweep = meet("x=1,2,3,4", "key=a,b", "hydra.launcher.n_jobs=2")
    started, finished = of(sweep, "started"), of(sweep, "finished")
    for first in (0, 1):  # those of a group are not next to each other
        assert len({started[job]["pid"] for job in range(first, 8, 2)}) == 1
    assert {started[0]["slot"], started[1]["slot"]} == {0, 1}
    assert all(0 < event["share_s"] <= event["wall_s"] for event in finished.values())
    assert sorted(items for _, items in meetings(sweep)) == [[1, 2, 3, 4]] * 6


def test_the_jobs_of_one_group_are_spread_over_all_places(meet: Callable[..., Sweep]) -> None:
    sweep = meet("x=1,2,3,4,5", "hydra.launcher.n_jobs=2")
    assert sorted(len(items) for _, items in meetings(sweep)) == [2] * 3 + [3] * 3


def test_a_job_without_a_group_has_a_process_of_its_own(meet: Callable[..., Sweep]) -> None:
    sweep = meet("x=1,2", "key=null")
    assert [len(items) for _, items in meetings(sweep)] == [1] * 6
    assert "share_s" not in of(sweep, "finished")[0]


def test_a_further_job_takes_the_place_of_one_that_ends(meet: Callable[..., Sweep]) -> None:
    sweep = meet("x=1,2,3,4", "hydra.launcher.fusion_size=2")
    assert sweep.code == 0, sweep.out
    assert {len(items) for _, items in meetings(sweep)} == {2}
    assert [of(sweep, "started")[job]["pid"] for job in range(4)] == [of(sweep, "started")[0]["pid"]] * 4


def test_a_job_that_takes_a_place_joins_the_next_meeting(meet: Callable[..., Sweep]) -> None:
    sweep = meet("x=1,2,3,4", "steps='${x}'", "hydra.launcher.fusion_size=2")
    assert sweep.code == 0, sweep.out
    met = [[1, 2], [2, 3], [3, 4], [3, 4], [4], [4]]
    assert [items for _, items in meetings(sweep)] == met


@pytest.mark.parametrize(
    ("does", "error", "reason"),
    [("raise", "ValueError: no such luck", "error"), ("exit", "called sys.exit(3)", "exit")],
)
def test_a_job_that_fails_fails_alone(meet: Callable[..., Sweep], does: str, error: str, reason: str) -> None:
    sweep = meet(f"does=none,{does}", "x=2,3")
    finished = of(sweep, "finished")
    assert {job: finished[job]["status"] for job in range(4)} == {
        0: "completed", 1: "completed", 2: "failed", 3: "failed",
    }  # fmt: skip
    assert (finished[2]["error"], finished[2]["reason"]) == (error, reason)
    assert [record(sweep, job).status for job in range(4)] == ["completed", "completed", "failed", "failed"]
    assert len({pid for pid, _ in meetings(sweep)}) == 1


def test_an_error_of_common_work_is_one_of_each_job_that_asked(meet: Callable[..., Sweep]) -> None:
    finished = of(meet("does=bad", "x=1,2,3"), "finished")
    assert {event["error"] for event in finished.values()} == {"ValueError: one of them is bad"}
    for event in finished.values():  # none shows where another job was
        assert event["traceback"].count("in squares") == event["traceback"].count(", in main\n") == 1


def test_a_result_that_is_an_error_is_one_of_its_job_alone(meet: Callable[..., Sweep]) -> None:
    finished = of(meet("does='bad alone'", "x=1,2,3"), "finished")
    assert [finished[job].get("error") for job in range(3)] == [None, "ValueError: bad alone", None]


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("os._exit", "the process ended without reporting a result (exit code 4)"),
        ("kill", "killed by SIGKILL"),
        ("terminate", "killed by SIGTERM"),
    ],
)
def test_jobs_that_the_end_of_their_process_cuts_off_run_again_alone(
    meet: Callable[..., Sweep], how: str, error: str
) -> None:
    sweep = meet(f"does='die: {how}'", "x=1,2,3", "hydra.sweeper.max_failures=1")
    finished, again = of(sweep, "finished"), of(sweep, "retry")
    assert sweep.code == 0, sweep.err
    assert [finished[job]["status"] == "completed" for job in range(3)] == [True, False, True]
    assert finished[1]["error"] == error
    assert {event["error"] for event in again.values()} == {f"{error}, in a process of 3 jobs"}
    assert sorted(again) == [0, 1, 2]
    assert {event["attempt"] for event in finished.values()} == {2}
    assert [len(finished[job]["runs"]) for job in range(3)] == [2, 2, 2]
    assert [items for _, items in meetings(sweep)][:2] == [[1, 2, 3]] * 2
    assert {len(items) for _, items in meetings(sweep)[2:]} == {1}


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("os._exit", "the process ended without reporting a result (exit code 4)"),
        ("kill", "killed by SIGKILL"),
        ("terminate", "killed by SIGTERM"),
        ("hang", "took longer than 3 times its timeout of 2 s"),
    ],
)
def test_a_run_that_was_cut_off_says_so_and_counts_nowhere(
    meet: Callable[..., Sweep], how: str, error: str
) -> None:
    limits = ("hydra.launcher.timeout=2",) if how == "hang" else ()
    sweep = meet(f"does='die: {how}'", "x=1,2,3", "hydra.sweeper.max_failures=1", *limits)
    tracker = ExperimentTracker(sweep.cwd / "experiments")
    said = f"{error}, in a process of 3 jobs; the job runs again alone"
    last = [runs[-1] for runs in (of(sweep, "finished")[job]["runs"] for job in range(3))]
    for job, run in enumerate(last):
        cut, whole = (tracker.record(each) for each in of(sweep, "finished")[job]["runs"])
        assert (cut.status, cut.error, cut.tags) == ("killed", said, {"superseded_by": run})
        assert (whole.sweep["previous"], whole.tags) == ([cut.run_id], {})
        assert whole.status == ("completed" if job != 1 else whole.status)
        assert whole.error is None or "in a process" not in whole.error
    assert tracker.get_best_run("value", mode="min", at="best")["run_id"] in last
    assert {event["status"] for event in of(sweep, "retry").values()} == {"killed"}
    assert all(event["cut_off"] for event in of(sweep, "retry").values())
    assert not any("cut_off" in event for event in of(sweep, "finished").values())
    assert sweep.out.count("cut off, runs again alone: ") == 3
    assert "trying again" not in sweep.out
    assert sweep.code == 0, sweep.err


def test_a_run_again_alone_is_no_retry(meet: Callable[..., Sweep]) -> None:
    sweep = meet("does='die: kill'", "x=1,2", "hydra.launcher.retries=1")
    assert of(sweep, "finished")[1]["attempt"] == 3
    assert of(sweep, "finished")[0]["attempt"] == 2


def test_a_timeout_counts_for_each_job_of_a_process(meet: Callable[..., Sweep]) -> None:
    sweep = meet("does='die: hang'", "x=1,2", "hydra.launcher.timeout=2", "hydra.sweeper.max_failures=1")
    finished = of(sweep, "finished")
    said = of(sweep, "retry")[0]["error"]
    assert said == "took longer than 2 times its timeout of 2 s, in a process of 2 jobs"
    assert finished[0]["status"] == "completed"
    assert (finished[1]["error"], finished[1]["reason"]) == ("took longer than its timeout of 2 s", "timeout")
    runs = [ExperimentTracker(sweep.cwd / "experiments").record(run) for run in finished[1]["runs"]]
    assert [run.status for run in runs] == ["killed", "killed"]


def test_a_process_that_a_grouped_job_forked_ends_nobody(meet: Callable[..., Sweep]) -> None:
    sweep = meet("does='die: fork'", "x=1,2,3")
    assert sweep.code == 0, sweep.out
    assert [row["status"] for row in sweep.rows] == ["completed"] * 3
    assert [record(sweep, job).status for job in range(3)] == ["completed"] * 3


def test_a_job_warns_for_itself_whoever_has_warned_before(meet: Callable[..., Sweep]) -> None:
    sweep = meet("does=warn", "x=1,2,3")
    for job, x in enumerate((1, 2, 3)):
        output = (sweep.dir / "jobs" / str(job) / "output.log").read_text()
        assert output.count(f"UserWarning: number {x}") == 1
        assert output.count("UserWarning: number") == 1


def test_a_sweep_that_is_stopped_ends_each_job_as_one_and_resumes_each(
    meet: Callable[..., Sweep], tmp_path: Path
) -> None:
    place = tmp_path / "exact"
    place.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(APP.parent)}
    command = (str(APP), "-m", "x=1,2,3", "does='first two wait, leaves a note'")
    process = forked.start(*command, "hydra.launcher.fusion_size=2", cwd=place, env=environment)
    await_true(lambda: len(list(place.glob("waiting-*"))) == 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    sweep = Sweep(0, "", "", place)
    finished = of(sweep, "finished")
    assert [finished[job]["status"] for job in range(3)] == ["killed", "killed", "cancelled"]
    assert {event["reason"] for event in finished.values()} == {"stopped"}
    assert not of(sweep, "retry")
    assert [record(sweep, job).status for job in range(2)] == ["killed"] * 2
    assert sorted(path.name for path in place.glob("left-*")) == ["left-1", "left-2"]
    again = meet("x=1,2,3", "does='first two wait, leaves a note'", "hydra.sweeper.resume=latest")
    assert again.code == 0, again.err
    assert [row["status"] for row in again.rows] == ["completed"] * 3
    assert [of(again, "finished")[job]["attempt"] for job in range(3)] == [2, 2, 1]
    assert [1, 2, 3] in [items for _, items in meetings(again)]


def test_a_sweep_whose_process_is_killed_is_resumed_with_each_of_its_jobs(
    meet: Callable[..., Sweep], tmp_path: Path
) -> None:
    place = tmp_path / "exact"
    place.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(APP.parent)}
    process = forked.start(
        str(APP), "-m", "x=1,2,3", "does='first two wait, leaves a note'", cwd=place, env=environment
    )
    await_true(lambda: len(list(place.glob("waiting-*"))) == 2)
    process.kill()
    process.wait(60)
    await_true(lambda: len(list(place.glob("left-*"))) == 3)  # each job ends with the sweep, and unwinds
    again = meet("x=1,2,3", "does='first two wait, leaves a note'", "hydra.sweeper.resume=latest")
    assert again.code == 0, again.err
    assert [row["status"] for row in again.rows] == ["completed"] * 3
    assert [of(again, "finished")[job]["attempt"] for job in range(3)] == [2, 2, 2]


def test_a_memory_limit_counts_for_each_job_at_once(meet: Callable[..., Sweep]) -> None:
    sweep = meet(
        "does='die: fill'", "x=1,2", "hydra.launcher.memory_limit=300MB", "hydra.sweeper.max_failures=1"
    )
    finished = of(sweep, "finished")
    assert "more than 2 times its memory_limit of 300 MB" in of(sweep, "retry")[0]["error"]
    assert finished[0]["status"] == "completed"
    assert "more than its memory_limit of 300 MB" in finished[1]["error"]
    assert finished[1]["reason"] == "memory"


def test_a_run_that_is_asked_to_stop_stops_alone(meet: Callable[..., Sweep]) -> None:
    sweep = meet("x=1,2,3", "does='ask 2 to stop'", "steps=4")
    assert sweep.code == 0, sweep.err
    assert [len(items) for _, items in meetings(sweep)] == [3, 3, 3, 2]


def test_jobs_that_an_executor_tracks_for_them_have_each_a_run(meet: Callable[..., Sweep]) -> None:
    sweep = meet("x=1,2,3", "hydra/callbacks=podium")
    runs = [of(sweep, "finished")[job]["runs"] for job in range(3)]
    assert [len(each) for each in runs] == [2, 2, 2]
    tracker = ExperimentTracker(sweep.cwd / "experiments")
    for job, (own, _) in enumerate(runs):
        known = tracker.record(own)
        assert (known.status, known.sweep["job"], known.params["x"]) == ("completed", job, job + 1)


def test_a_sweep_that_fails_fast_stops_those_that_have_begun_and_begins_no_further_job(
    meet: Callable[..., Sweep],
) -> None:
    """The second job has its turn when the first one fails, and keeps it until the order to stop arrives."""
    sweep = meet(
        "x=1,2,3,4",
        "does='first fails, second waits'",
        "hydra.launcher.fusion_size=2",
        "hydra.sweeper.fail_fast=true",
    )
    statuses = [of(sweep, "finished")[job]["status"] for job in range(4)]
    assert statuses == ["failed", "killed", "cancelled", "cancelled"]
    assert sorted(of(sweep, "started")) == [0, 1]
    assert "1 of 4 jobs failed, 1 stopped, 2 cancelled (max_failures=0); resume with: " in sweep.err


def test_many_does_the_task_for_all_jobs(meet: Callable[..., Sweep]) -> None:
    sweep = meet("x=1,2,3", "hydra.sweeper.fuse_key=null", "hydra.launcher.many=meetings.many")
    assert [(row["job"], row["objective"]) for row in sweep.rows] == [(2, 30.0), (1, 20.0), (0, 10.0)]
    assert (sweep.dir / "jobs" / "0" / "output.log").read_text() == "many [10.0, 20.0, 30.0]\n"
    assert (sweep.dir / "jobs" / "1" / ".hydra" / "overrides.yaml").read_text() == "- x=2\n"


def test_a_plain_off_of_yaml_turns_fusion_off(meet: Callable[..., Sweep]) -> None:
    sweep = meet("x=1,2", "hydra.launcher.fusion=false")  # which is how YAML reads it
    assert {len(items) for _, items in meetings(sweep)} == {1}


def test_many_serves_other_sweepers_too(meet: Callable[..., Sweep]) -> None:
    sweep = meet("--config-name", "foreign", "x=1,2")
    assert sweep.code == 0, sweep.err
    assert (sweep.cwd / "out" / "0" / "output.log").read_text() == "many [10.0, 20.0]\n"


def test_many_does_the_task_of_one_job_too(meet: Callable[..., Sweep]) -> None:
    sweep = meet("x=1,2", "hydra.launcher.many=meetings.many", "hydra.launcher.fusion=off")
    assert [(row["job"], row["objective"]) for row in sweep.rows] == [(1, 20.0), (0, 10.0)]


@pytest.mark.parametrize(
    ("does", "errors"),
    [
        ("raise", ["ValueError: no such luck"] * 3),
        ("'too few'", ["ValueError: many returned 1 results for 3 items; one for each is needed"] * 3),
        ("fail,none,exit", ["ValueError: not this one", None, "called sys.exit(3)"]),
    ],
)
def test_what_many_returns_is_the_outcome_of_each_job(
    meet: Callable[..., Sweep], does: str, errors: list[str | None]
) -> None:
    sweep = meet(f"does={does}", "x=1" if "," in does else "x=1,2,3", "hydra.launcher.many=meetings.many")
    finished = of(sweep, "finished")
    assert [finished[job].get("error") for job in range(3)] == errors


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("hydra.sweeper.fuse_key=meetings.nothing", "hydra.sweeper.fuse_key=meetings.nothing: "),
        ("hydra.sweeper.fuse_key=no_such_module.key", "No module named 'no_such_module'"),
        ("key=raises", "hydra.sweeper.fuse_key=meetings.fuse_key: no key today"),
        ("key=number", "hydra.sweeper.fuse_key=meetings.fuse_key returned int: it must return a text"),
        ("hydra.launcher.many=meetings.nothing", "hydra.launcher.many=meetings.nothing: "),
        ("hydra.launcher.fusion=fast", "fusion=fast: allowed are exact, off"),
        ("hydra.launcher.fusion_size=0", "fusion_size=0: allowed is a whole number, 1 or more"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_before_a_job_starts(
    meet: Callable[..., Sweep], setting: str, said: str
) -> None:
    sweep = meet("x=1,2", setting)
    assert sweep.code == 1
    assert said in sweep.err
    assert not list((sweep.cwd / "experiments" / "sweeps").glob("*"))
