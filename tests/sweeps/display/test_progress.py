"""What a sweep shows while it runs."""

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from sweeps.display.live import LiveTable
from sweeps.display.plain import Lines
from sweeps.display.scoreboard import Scoreboard
from sweeps.display.tables import short_names
from sweeps.jobs import Event, EventKind, JobStatus, Outcome, PlannedJob
from tracking.objective import At, Direction, Objective
from tracking.values.units import format_clock

OBJECTIVE = Objective("val_auc", Direction.MAX, At.BEST)


def scoreboard(count: int, **settings: Any) -> Scoreboard:
    jobs = [PlannedJob(n, (), {"training.lr": 10.0 ** -(n % 9)}, f"key{n}") for n in range(count)]
    return Scoreboard(jobs, ["training.lr"], OBJECTIVE, **{"slots": 2, **settings})


def screen(height: int = 30, width: int = 100) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def lines_of(board: Scoreboard) -> tuple[Lines, io.StringIO]:
    out = io.StringIO()
    return Lines(out, board), out


def drawn(board: Scoreboard, record: Callable = lambda _run: None, height: int = 30, width: int = 100) -> str:
    console = screen(height, width)
    console.print(LiveTable(console, board, record).render())
    return shown(console)


def completed(board: Scoreboard, job: int, objective: float | None, wall_s: float = 1.0) -> None:
    board.finished(Outcome(job, JobStatus.COMPLETED, wall_s), objective)


def at_step(step: int, value: float) -> object:
    return SimpleNamespace(summary={"val_auc": SimpleNamespace(last=value, last_step=step)})


def test_in_a_pipe_a_finished_job_is_one_line_that_says_all() -> None:
    lines, out = lines_of(scoreboard(2))
    lines.heard(Event(EventKind.STARTED, 1, {}))
    lines.heard(Event(EventKind.RUN, 1, {"run": "run_007"}))
    lines.finished(Outcome(1, JobStatus.COMPLETED, 12.34, runs=("run_007",)), 0.91234)
    assert out.getvalue() == "[1/2]  job 1  completed  val_auc=0.9123  12.3 s  lr=0.1  run_007\n"


def test_an_error_with_brackets_is_shown_as_it_is() -> None:
    lines, out = lines_of(scoreboard(1))
    lines.finished(Outcome(0, JobStatus.FAILED, 1.0, error="KeyError: '[red]'"), None)
    assert "KeyError: '[red]'" in out.getvalue()


EVENTS = st.sampled_from([EventKind.STARTED, EventKind.RETRY, EventKind.RESUMED, None])


@given(st.lists(st.tuples(st.integers(0, 4), EVENTS)))
def test_jobs_that_wait_are_counted_whatever_happens(steps: list[tuple[int, EventKind | None]]) -> None:
    board, waits = scoreboard(5), dict.fromkeys(range(5), True)
    for job, kind in steps:
        if kind is None:
            completed(board, job, 0.5)
        else:
            board.heard(Event(kind, job, {}))
        waits[job] = kind in {EventKind.RETRY, EventKind.RESUMED}
        assert board.queued == sum(waits.values())


def test_places_of_nodes_are_the_slots_from_when_a_job_starts_there() -> None:
    board = scoreboard(2, slots=8)
    board.heard(Event(EventKind.STARTED, 0, {"node": "first", "places": 1}))
    assert board.slots == 1


def test_on_a_terminal_the_table_shows_running_jobs_and_the_best_so_far() -> None:
    now = [100.0]
    board = scoreboard(3, clock=lambda: now[0])
    board.heard(Event(EventKind.STARTED, 0, {}))
    board.heard(Event(EventKind.STARTED, 1, {}))
    now[0] = 107.5
    completed(board, 0, 0.8, 5.0)
    text = drawn(board)
    assert "running" in text
    assert "7.5 s" in text
    assert "1/3 done | 1 running | 1 queued | 0 failed" in text
    assert "best val_auc 0.8000 (job 0)" in text


def test_a_running_job_shows_its_last_step_and_the_last_value_of_the_objective() -> None:
    board = scoreboard(1)
    board.heard(Event(EventKind.STARTED, 0, {}))
    board.heard(Event(EventKind.RUN, 0, {"run": "run_001"}))
    text = drawn(board, lambda _run: at_step(41, 0.73))
    assert "41" in text
    assert "0.7300" in text


def test_a_run_is_looked_at_once_a_second_and_less_often_where_that_takes_long() -> None:
    now, looks = [0.0], []

    def record(run: str) -> None:
        looks.append(now[0])
        now[0] += 0.001 if len(looks) < 3 else 0.5

    board = scoreboard(1, clock=lambda: now[0])
    board.heard(Event(EventKind.STARTED, 0, {}))
    board.heard(Event(EventKind.RUN, 0, {"run": "run_001"}))
    live = LiveTable(screen(), board, record, clock=lambda: now[0])
    for quarter in range(120):
        now[0] = max(now[0], quarter / 4)
        live.render()
    assert looks == [0, 1, 2, 27]


@pytest.mark.parametrize("height", [12, 24, 40])
@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("running", [2, 64])
def test_a_sweep_of_many_jobs_fits_the_terminal(height: int, width: int, running: int) -> None:
    board = scoreboard(500)
    for number in range(400):
        completed(board, number, 0.5 - number / 1000)
    for number in range(400, 400 + running):
        board.heard(Event(EventKind.STARTED, number, {}))
    lines = drawn(board, height=height, width=width).splitlines()
    assert len(lines) < height
    assert max(len(Text.from_ansi(line).plain) for line in lines) <= width
    assert f"400/500 done | {running} running" in "".join(lines)


def test_the_leader_stays_in_the_table_when_others_have_ended_since() -> None:
    board = scoreboard(100)
    completed(board, 7, 0.99)
    for number in range(10, 90):
        completed(board, number, 0.5)
    first_row = drawn(board).splitlines()[2]
    assert "7" in first_row
    assert "0.9900" in first_row


def test_what_fails_is_told_above_the_table_as_it_happens() -> None:
    console = screen()
    live = LiveTable(console, scoreboard(3), lambda _run: None)
    live.finished(Outcome(0, JobStatus.COMPLETED, 1.0), 0.5)
    assert shown(console) == ""
    live.finished(Outcome(1, JobStatus.FAILED, 1.0, error="ValueError: no such luck"), None)
    assert "job 1  failed  1.0 s  lr=0.1  ValueError: no such luck" in shown(console)


def test_nan_leads_nothing() -> None:
    board = scoreboard(2)
    completed(board, 0, float("nan"))
    assert board.best is None
    completed(board, 1, 0.1)
    assert board.best is not None
    assert board.best.number == 1


def test_the_time_left_comes_from_earlier_sweeps_and_from_the_jobs_of_this_one() -> None:
    now = [0.0]
    took = {"key0": 10.0, "key1": 30.0}
    board = scoreboard(4, expected_s=took.get, clock=lambda: now[0])
    assert board.left_s() is None  # of two jobs nobody knows anything
    board.heard(Event(EventKind.STARTED, 1, {}))
    completed(board, 0, 0.5, 10.0)
    now[0] = 10.0
    assert board.left_s() == pytest.approx((20 + 10 + 10) / 2)
    completed(board, 2, 0.5, 10.0)
    completed(board, 3, 0.5, 10.0)
    assert board.left_s() == pytest.approx(20)
    assert scoreboard(3, typical_s=4.0).left_s() == pytest.approx(6)


def test_jobs_that_share_a_process_share_its_time() -> None:
    now = [0.0]
    board = scoreboard(6, typical_s=10.0, clock=lambda: now[0])
    for job in range(4):
        board.heard(Event(EventKind.STARTED, job, {"pid": 7}))
    now[0] = 8.0  # 2 s for each of the four
    assert board.left_s() == pytest.approx(4 * 8)
    board.heard(Event(EventKind.STARTED, 4, {"pid": 8}))
    now[0] = 16.0
    assert board.left_s() == pytest.approx(4 * 6)
    assert scoreboard(1, typical_s=10.0).left_s() == 10
    for job in range(4):
        board.finished(Outcome(job, JobStatus.COMPLETED, 20.0, share_s=5.0), 0.5)
    assert board.left_s() == pytest.approx(5)  # as long as the shares, not as the processes


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1:00"), (3725, "1:02:05")]
)
def test_durations_read_well(seconds: float | None, text: str) -> None:
    assert format_clock(seconds) == text


def test_keys_are_shortened_only_where_that_is_unambiguous() -> None:
    assert short_names(["a.lr", "b.size", "c.lr"]) == {"a.lr": "a.lr", "b.size": "size", "c.lr": "c.lr"}


def warned(job: int, text: str) -> Event:
    return Event(EventKind.WARNING, job, {"how": "WARNING", "text": text})


def test_a_warning_stays_below_the_table_with_its_number_of_jobs_and_fits_a_line() -> None:
    board = scoreboard(3)
    table = LiveTable(console := screen(width=60), board, lambda _run: None)
    for job in range(3):
        table.heard(warned(job, f"step {job} is slow, {'very ' * 20}slow"))
    assert shown(console) == ""  # printed lines would scroll away
    console.print(table.render())
    (line,) = [each for each in shown(console).splitlines() if "warns" in each]
    assert Text.from_ansi(line).plain.startswith("job 0 warns (also in 2 further jobs): step 0 is slow, very")
    assert len(Text.from_ansi(line).plain) == 60


def test_of_many_kinds_of_warnings_the_last_ones_are_shown() -> None:
    board = scoreboard(1)
    for name in "abcde":
        board.warned.hear(warned(0, f"column '{name}' is empty"))
    text = drawn(board)
    assert [name for name in "abcde" if f"'{name}'" in text] == ["c", "d", "e"]
    assert "2 more kinds of warnings" in text


def test_a_note_of_several_lines_is_printed_above_the_table() -> None:
    table = LiveTable(console := screen(), scoreboard(1), lambda _run: None)
    with table.drawing():
        table.say("a table\nof two lines")
    assert "of two lines" in shown(console)
    console = screen()
    console.print(table.render())
    assert "of two lines" not in shown(console)
