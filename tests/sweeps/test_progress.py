"""What a sweep shows while it runs."""

import io

import pytest
from rich.console import Console

from sweeps.executor.base import Event, JobStatus, Outcome
from sweeps.progress import Progress
from sweeps.settings import At, Direction, Objective
from sweeps.table import duration, short_names

OBJECTIVE = Objective("val_auc", Direction.MAX, At.BEST)


def jobs(count: int) -> list[dict[str, float]]:
    return [{"training.lr": 10.0**-n} for n in range(count)]


def screen(terminal: bool, height: int = 30) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, height=height)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_in_a_pipe_a_finished_job_is_one_line_that_says_all() -> None:
    console = screen(terminal=False)
    with Progress(console, jobs(2), ["training.lr"], OBJECTIVE) as progress:
        progress.heard(Event("started", 1, {}))
        progress.heard(Event("run", 1, {"run": "run_007"}))
        progress.finished(Outcome(1, JobStatus.COMPLETED, 12.34, runs=("run_007",)), 0.91234)
    assert shown(console) == "[1/2]  job 1  completed  val_auc=0.9123  12.3 s  lr=0.1  run_007\n"


def test_an_error_with_brackets_is_shown_as_it_is() -> None:
    console = screen(terminal=False)
    with Progress(console, jobs(1), [], OBJECTIVE) as progress:
        progress.finished(Outcome(0, JobStatus.FAILED, 1.0, error="KeyError: '[red]'"), None)
    assert "KeyError: '[red]'" in shown(console)


def test_on_a_terminal_the_table_shows_running_jobs_and_the_best_so_far() -> None:
    now = [100.0]
    console = screen(terminal=True)
    progress = Progress(console, jobs(3), ["training.lr"], OBJECTIVE, clock=lambda: now[0])
    progress.heard(Event("started", 0, {}))
    progress.heard(Event("started", 1, {}))
    now[0] = 107.5
    progress.finished(Outcome(0, JobStatus.COMPLETED, 5.0), 0.8)
    console.print(progress._render())
    text = shown(console)
    assert "running" in text
    assert "7.5 s" in text
    assert "1/3 done | 1 running | 1 queued | 0 failed | best val_auc 0.8000 (job 0)" in text


def test_a_sweep_of_many_jobs_fits_the_terminal() -> None:
    console = screen(terminal=True, height=24)
    progress = Progress(console, jobs(500), ["training.lr"], OBJECTIVE)
    for number in range(400):
        progress.finished(Outcome(number, JobStatus.COMPLETED, 1.0), 0.5)
    for number in range(400, 404):
        progress.heard(Event("started", number, {}))
    console.print(progress._render())
    text = shown(console)
    assert len(text.splitlines()) <= 24
    assert text.count("running") == 5  # four jobs, and the summary


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1:00"), (3725, "1:02:05")]
)
def test_durations_read_well(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_keys_are_shortened_only_where_that_is_unambiguous() -> None:
    assert short_names(["a.lr", "b.size", "c.lr"]) == {"a.lr": "a.lr", "b.size": "size", "c.lr": "c.lr"}
