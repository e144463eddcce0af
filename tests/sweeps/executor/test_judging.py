"""Jobs are judged while they run, in real processes: those that ask, those that only log, and what ends them."""

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from omegaconf import DictConfig
from waiting_jobs import WaitingJobs

from sweeps.executor.conformance_app import PATIENCE_S, App, await_file
from sweeps.executor.local.executor import LocalExecutor
from sweeps.executor.waiting import PRUNED
from sweeps.jobs import EventKind, Job, JobStatus, Outcome, Reason
from sweeps.settings.launcher_settings import LauncherSettings
from sweeps.state.job_runs import JobRuns
from tracking import ExperimentTracker, RunRecord

pytestmark = pytest.mark.usefixtures("hydra_restore_singletons")

Arrivals = Sequence[tuple[int, int, Path]]
LOGS = """
import sys, time
from tracking import ExperimentTracker
does, store = sys.argv[1:]
with ExperimentTracker(store).start_run("inner") as run:
    for epoch in range(1, 2000):
        run.log({"score": epoch / 10}, step=epoch)
        if does == "asks" and run.should_stop():
            break
        time.sleep(0.02)
"""


def task(config: DictConfig) -> float:
    """Do what the config says: log in a process of its own, ignore signals, fail, or end by itself."""
    does, store = config.does, f"{config.folder}/experiments"
    if does.startswith("in a process"):
        command = [sys.executable, "-c", LOGS, does.split()[-1], store]
        return float(subprocess.run(command, check=True).returncode)
    if does == "ignore signals":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with ExperimentTracker(store).start_run("judged") as run:
        for epoch in range(1, 3 if does.startswith("end") else 2000):
            run.log({"score": config.value + epoch / 10}, step=epoch)
            if does in {"ignore signals", "log"}:
                time.sleep(0.02)
            elif does == "die in turns" or (
                does == "die once" and epoch == 3 and (run.run_dir.parent / "run_002").exists() is False
            ):
                os.kill(os.getpid(), signal.SIGKILL)
            elif not does.startswith("end") and run.should_stop():
                if does == "fail":
                    raise ValueError("a bug while it stops")
                if does == "exit":
                    sys.exit(0)
                return 0.0
        if does == "end":  # and look no more until the request is there
            await_file(run.run_dir / "stop")
        if does == "end with one more value":
            atexit.register(time.sleep, PATIENCE_S)  # the signal comes meanwhile
            await_file(run.run_dir / "stop")
            run.log({"score": config.value}, step=3)
    return 1.0


class Sweep:
    """Jobs of `task` in an executor that judges them."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.app = replace(App.made_in(folder), task_function=task)
        self.settings = LauncherSettings(2, 1, (), **{"grace_s": 60.0, **settings})
        self.asked: list[tuple[int, int]] = []
        self.tracker = ExperimentTracker(folder / "experiments")
        self.events: list[Any] = []

    def run(self, *jobs: Job, goes_on: Mapping[int, int | None] | None = None) -> list[Outcome]:
        """Run jobs; `goes_on` tells which level comes after each that a job passes."""

        def judge(arrivals: Arrivals) -> dict[int, int | None]:
            self.asked += [(job, level) for job, level, _ in arrivals]
            return {job: (goes_on or {})[level] for job, level, _ in arrivals if level in (goes_on or {})}

        executor = LocalExecutor(self.settings, self.app.common)
        return list(executor.run(jobs, self.events.append, judge))

    def job(self, does: str, until: int | None = 2) -> Job:
        return replace(self.app.jobs(does)[0], until=until)

    def record(self, outcome: Outcome) -> RunRecord:
        found = self.tracker.record(Path(outcome.runs[-1]).name)
        assert found is not None
        return found


def test_a_run_of_another_process_is_followed_and_ended_with_that(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    (outcome,) = sweep.run(sweep.job("in a process that logs"), goes_on={2: 5})
    assert sweep.asked == [(0, 2), (0, 5)]
    assert (outcome.status, outcome.error, outcome.reason) == (JobStatus.PRUNED, None, None)
    run = sweep.record(outcome)
    assert (run.status, run.error) == ("pruned", None)
    assert run.summary["score"].count >= 5


def test_a_run_of_another_process_that_asks_ends_by_itself(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    (outcome,) = sweep.run(sweep.job("in a process that asks"))
    assert (outcome.status, outcome.error) == (JobStatus.PRUNED, None)
    assert sweep.record(outcome).status == "pruned"


def test_a_job_that_ignores_signals_is_killed_after_the_grace_period_and_its_run_says_pruned(
    tmp_path: Path,
) -> None:
    sweep = Sweep(tmp_path, grace_s=0.2)
    (outcome,) = sweep.run(sweep.job("ignore signals"))
    assert (outcome.status, outcome.error, outcome.reason) == (JobStatus.PRUNED, None, None)
    assert sweep.record(outcome).status == "killed"  # shown as such, until the sweep finishes it
    JobRuns(tmp_path / "experiments", tmp_path.name).close(0, outcome.runs, outcome.status, outcome.error)
    run = sweep.record(outcome)
    assert (run.status, run.error) == ("pruned", None)
    assert run.summary["score"].max_step == run.summary["score"].count


def test_a_job_that_only_logs_says_who_ended_it_and_shows_no_traceback(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    job = sweep.job("log")
    (outcome,) = sweep.run(job)
    assert (outcome.status, outcome.error, outcome.note) == (JobStatus.PRUNED, None, None)
    run = sweep.record(outcome)
    assert (run.status, run.error) == ("pruned", None)
    assert (job.folder / "output.log").read_text() == PRUNED


def test_a_job_whose_work_was_done_before_the_signal_has_nothing_wrong(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    (outcome,) = sweep.run(sweep.job("end with one more value"))
    assert (outcome.status, outcome.error, outcome.note) == (JobStatus.COMPLETED, None, None)
    assert sweep.record(outcome).status == "completed"


def test_an_error_after_the_order_to_stop_is_the_jobs_failure(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    (outcome,) = sweep.run(sweep.job("fail"))
    assert (outcome.status, outcome.reason) == (JobStatus.FAILED, Reason.ERROR)
    assert outcome.error == "ValueError: a bug while it stops"


def test_a_job_that_exits_in_order_when_it_is_told_to_stop_is_pruned(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    (outcome,) = sweep.run(sweep.job("exit"))
    assert (outcome.status, outcome.error, outcome.reason) == (JobStatus.PRUNED, None, None)


def test_a_job_that_ended_by_itself_after_the_order_to_stop_has_completed(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    (outcome,) = sweep.run(sweep.job("end"))
    assert sweep.asked == [(0, 2)]
    assert (outcome.status, outcome.value) == (JobStatus.COMPLETED, 1.0)
    assert sweep.record(outcome).status == "completed"


def test_a_job_that_runs_to_its_end_is_not_judged(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    (outcome,) = sweep.run(sweep.job("end at once", until=3))
    assert sweep.asked == []
    assert outcome.status is JobStatus.COMPLETED


def test_a_job_that_asks_late_is_judged_at_each_level_that_it_has_passed(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    job = sweep.job("ask", until=1)
    (first,) = sweep.run(replace(job, until=7))
    assert sweep.asked == [(0, 7)]
    again = replace(job, attempt=2, previous=first.runs, until=2)
    (second,) = sweep.run(again, goes_on={2: 4, 4: 6, 6: 8})
    assert sweep.asked[1:] == [(0, 2), (0, 4), (0, 6), (0, 8)]
    assert second.runs == first.runs
    assert second.status is JobStatus.PRUNED


def test_a_judge_that_names_a_level_that_is_behind_a_job_is_asked_again_at_the_next(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    (outcome,) = sweep.run(sweep.job("ask", until=2), goes_on={2: 2, 3: 1})
    assert sweep.asked == [(0, 2), (0, 3), (0, 4)]
    assert outcome.status is JobStatus.PRUNED


def test_a_job_that_is_tried_again_is_judged_at_the_next_level_only(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, retries=1)
    (outcome,) = sweep.run(sweep.job("die once"), goes_on={2: 5})
    assert [event.kind for event in sweep.events if event.kind is EventKind.RETRY] == [EventKind.RETRY]
    assert sweep.asked == [(0, 2), (0, 5)]
    assert (outcome.status, outcome.attempt, len(outcome.runs)) == (JobStatus.PRUNED, 2, 2)


PARENT = """
import sys, time
from dataclasses import replace
from pathlib import Path
from sweeps.executor.conformance_app import App
from sweeps.executor.local.executor import LocalExecutor
from sweeps.settings.launcher_settings import LauncherSettings

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    app = App.made_in(folder)

    def judge(arrivals):
        (folder / "judging").touch()
        time.sleep(600)

    jobs = [replace(job, until=2) for job in app.jobs("ask")]
    settings = LauncherSettings(1, 1, (), grace_s=60.0)
    list(LocalExecutor(settings, app.common).run(jobs, lambda event: None, judge))
"""


def test_a_job_that_waits_ends_with_the_process_of_its_sweep_and_can_be_resumed(tmp_path: Path) -> None:
    script, folder = tmp_path / "parent.py", tmp_path / "sweep"
    script.write_text(PARENT)
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, script, folder])
    assert await_file(folder / "judging")
    family = psutil.Process(parent.pid).children(recursive=True)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
    assert alive == []
    run = ExperimentTracker(folder / "experiments").record("run_001")
    assert run is not None
    assert (run.status, run.summary["score"].count) == ("killed", 2)


def test_jobs_of_a_search_join_those_that_are_left_in_their_process(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    sweep.settings = replace(sweep.settings, n_jobs=1)
    does = ["ask", "ask", "fail", "ask", "ask"]
    jobs = [replace(each, group="all", until=2) for each in sweep.app.jobs(*does)]
    untils = {0: 3, 1: 9, 3: 4}
    running: set[int] = set()
    most = 0

    def judge(arrivals: Arrivals) -> dict[int, int | None]:
        return {job: untils[job] for job, level, _ in arrivals if level == 2 and job in untils}

    def hear(event: Any) -> None:
        nonlocal most
        sweep.events.append(event)
        if event.kind is EventKind.STARTED:
            running.add(event.job)
            most = max(most, len(running))

    outcomes = {}
    for outcome in LocalExecutor(sweep.settings, sweep.app.common).run(WaitingJobs(jobs), hear, judge):
        running.discard(outcome.job)
        outcomes[outcome.job] = outcome
    statuses = {number: str(outcome.status) for number, outcome in sorted(outcomes.items())}
    assert statuses == {0: "pruned", 1: "pruned", 2: "failed", 3: "pruned", 4: "pruned"}
    started = [event.data for event in sweep.events if event.kind is EventKind.STARTED]
    assert len(started) == 5
    assert len({each["pid"] for each in started}) == 1
    assert most == 2
    levels = {number: sweep.record(outcome).summary["score"].count for number, outcome in outcomes.items()}
    assert levels == {0: 3, 1: 9, 2: 2, 3: 4, 4: 2}


def test_a_job_that_joined_runs_again_alone_when_the_process_is_cut_off(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    sweep.settings = replace(sweep.settings, n_jobs=1)
    jobs = [replace(each, group="all", until=2) for each in sweep.app.jobs("ask", "ask", "die in turns")]

    def judge(arrivals: Arrivals) -> dict[int, int | None]:
        return {job: 50 if level == 2 else None for job, level, _ in arrivals if job == 0}

    outcomes = LocalExecutor(sweep.settings, sweep.app.common).run(
        WaitingJobs(jobs), sweep.events.append, judge
    )
    ended = {each.job: (str(each.status), each.attempt) for each in outcomes}
    assert ended == {0: ("completed", 2), 1: ("pruned", 1), 2: ("killed", 2)}
