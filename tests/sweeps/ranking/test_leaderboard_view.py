"""A leaderboard in a notebook: one short line, and a table in which all text is escaped."""

import html
import io
import re
from dataclasses import replace
from pathlib import Path

from sweeps.display.tables import show_leaderboard
from sweeps.jobs import JobState
from sweeps.ranking.leaderboard import Leaderboard, Row
from tracking.objective import Objective

ROWS = (
    Row(
        1,
        3,
        "run_003",
        {"lr": 1e-3, "a": "<i>"},
        0.81234567,
        {"test_auc": 0.8},
        5,
        12.3,
        JobState.COMPLETED,
        None,
    ),
    Row(None, 4, None, {"lr": 1e-2, "a": "b"}, None, {}, 5, 12.3, JobState.FAILED, "ValueError: <b>"),
)


def board(*rows: Row) -> Leaderboard:
    return Leaderboard(
        "2026-01-01_x", Objective.of("val_auc", "max", "best"), ("lr", "a"), ("test_auc",), rows
    )


def test_the_line_names_the_sweep_its_jobs_and_the_best() -> None:
    assert repr(board(*ROWS)) == "Leaderboard('2026-01-01_x', 2 jobs, best val_auc=0.8123 in job 3)"
    assert repr(board(ROWS[1])) == "Leaderboard('2026-01-01_x', 1 job, none ranked)"


def test_what_went_wrong_after_a_task_is_a_note_and_no_error_and_told_once_per_kind(tmp_path: Path) -> None:
    note = "cut off {} s after its task returned, waiting for its exit handlers"
    noted = [replace(ROWS[0], job=job, note=note.format(s)) for job, s in ((3, 10), (5, 10.2))]
    frame = board(*noted, ROWS[1]).frame()
    assert list(frame.columns[-2:]) == ["error", "note"]
    assert frame["error"].isna().tolist() == [True, True, False]
    out = io.StringIO()
    show_leaderboard(board(*noted, ROWS[1]), tmp_path, file=out)
    assert out.getvalue().count("after its task returned") == 1
    assert f"2 jobs (3, 5) completed: {note.format(10)}" in out.getvalue()


def test_the_table_has_the_columns_of_the_files_with_rounded_numbers_and_escaped_text() -> None:
    page = board(*ROWS)._repr_html_()
    head, *rows = (
        [html.unescape(cell) for cell in re.findall(r"<t[hd] [^>]*>(.*?)<", row)]
        for row in page.split("<tr>")[1:]
    )
    assert head == [
        "rank",
        "run",
        "lr",
        "a",
        "val_auc",
        "test_auc",
        "epochs",
        "duration_s",
        "status",
        "error",
    ]
    assert rows[0] == ["1", "run_003", "0.001", "<i>", "0.8123", "0.8000", "5", "12.3", "completed", "-"]
    assert rows[1][-2:] == ["failed", "ValueError: <b>"]
    assert "Leaderboard of sweep 2026-01-01_x, by the best val_auc" in page
