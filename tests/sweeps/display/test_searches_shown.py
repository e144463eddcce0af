"""What a search shows while it runs: which jobs are pruned, which go on, and how many there will be."""

import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from sweeps.display.json_events import JsonLines
from sweeps.display.live import LiveTable
from sweeps.display.plain import Lines
from sweeps.display.scoreboard import Scoreboard
from sweeps.jobs import Event, EventKind, JobStatus, Outcome, PlannedJob, Reason
from sweeps.search.searched_jobs import TOO_OFTEN
from sweeps.settings.search_settings import Mode, Schedule, SearchSettings
from tracking.objective import Objective

AUC = Objective.of("val_auc")


def board_of(jobs: int, **settings: Any) -> Scoreboard:
    search = SearchSettings(Mode.TPE, Schedule.ASHA, (AUC,), **{"n_trials": 5, "max_epochs": 9, **settings})
    planned = [PlannedJob(number, (), {"x": number / 10}) for number in range(jobs)]
    return Scoreboard(planned, ["x", "seed"], AUC, slots=2, search=search)


def pruned(job: int) -> Outcome:
    return Outcome(job, JobStatus.PRUNED, 1.0)


def test_a_job_that_goes_on_is_counted_when_it_ends_again() -> None:
    out = io.StringIO()
    lines = Lines(out, board_of(2))
    lines.finished(pruned(0), 0.8)
    lines.finished(pruned(1), 0.7)
    lines.heard(Event(EventKind.RESUMED, 0, {"until": 9, "was_lost": False}))
    lines.finished(Outcome(0, JobStatus.COMPLETED, 2.0), 0.9)
    lines.heard(Event(EventKind.RESUMED, 1, {"until": None, "was_lost": True}))
    assert out.getvalue().splitlines() == [
        "[1/5]  job 0  pruned  val_auc=0.8000  1.0 s  x=0",
        "[2/5]  job 1  pruned  val_auc=0.7000  1.0 s  x=0.1",
        "job 0 goes on to epoch 9",
        "[2/5]  job 0  completed  val_auc=0.9000  2.0 s  x=0",
        "job 1 was lost and begins again; lost 3 times, it counts as failed",
    ]


def test_a_job_that_was_lost_says_to_what_and_how_often_it_may_be() -> None:
    out = io.StringIO()
    lines = Lines(out, board_of(1))
    lines.finished(Outcome(0, JobStatus.KILLED, 1.0, error="killed by SIGKILL", reason=Reason.SIGNAL), None)
    lines.heard(Event(EventKind.RESUMED, 0, {"until": 9, "was_lost": True}))
    assert out.getvalue().splitlines()[-1] == (
        f"job 0 was lost (killed by SIGKILL) and begins again; lost {TOO_OFTEN} times, it counts as failed"
    )


def test_a_job_that_repeats_another_one_says_so() -> None:
    out = io.StringIO()
    board = board_of(3)
    Lines(out, board).heard(Event(EventKind.ASKED, 1, {"point": {"x": 0.1}, "until": 3, "repeats": None}))
    Lines(out, board).heard(Event(EventKind.ASKED, 2, {"point": {"x": 0.1}, "until": None, "repeats": 0}))
    assert out.getvalue() == "job 2 repeats job 0 with another seed\n"


def test_a_pruned_job_may_be_the_best_so_far() -> None:
    board = board_of(2)
    board.finished(pruned(0), 0.9)
    board.finished(Outcome(1, JobStatus.COMPLETED, 1.0), 0.8)
    assert board.best is not None
    assert board.best.number == 0
    assert (board.failed, board.pruned) == (0, 1)


def test_the_table_counts_pruned_jobs_and_guesses_no_end() -> None:
    board, console = board_of(2), Console(file=io.StringIO(), force_terminal=True, width=100, height=30)
    table = LiveTable(console, board, lambda _run: None)
    table.finished(pruned(0), 0.8)
    table.heard(Event(EventKind.STARTED, 1, {}))
    table.heard(Event(EventKind.RESUMED, 0, {"until": 9, "was_lost": False}))
    table.finished(pruned(0), 0.85)
    console.print(table.render())
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "1/5 done | 1 running | 1 pruned | 0 failed" in text
    assert "left" not in text
    assert "goes on" not in text  # the job is in the table
    assert "seed" not in text


def test_without_a_number_of_jobs_those_that_are_known_are_counted() -> None:
    out = io.StringIO()
    lines = Lines(out, board_of(0, n_trials=None, patience=3))
    lines.began(Path("mine"))
    assert out.getvalue() == "Sweep mine: a search, results in mine\n"


def test_a_script_gets_an_object_for_each_decision() -> None:
    written: list[bytes] = []
    lines = JsonLines(written.append, board_of(1))
    lines.heard(Event(EventKind.ASKED, 0, {"point": {"x": 0}, "until": 3, "repeats": None}))
    lines.heard(Event(EventKind.RUNG, 0, {"level": 3, "values": [None], "goes_on": False, "until": None}))
    lines.heard(Event(EventKind.RESUMED, 0, {"until": 9, "was_lost": False}))
    events = [json.loads(line) for line in written]
    assert [event["event"] for event in events] == ["asked", "rung", "resumed"]
    assert events[1]["values"] == [None]
    assert events[2]["until"] == 9
