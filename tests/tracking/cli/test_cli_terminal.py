"""What a terminal is shown: tables that fit its width, cut at columns and spaces and nowhere else."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tracking import ExperimentTracker, ModelRegistry
from tracking.cli.toolkit.fitting import Column
from tracking.cli.toolkit.tables import say_table

ROOT = Path(__file__).parents[3]


def on_terminal(columns: int, *arguments: str) -> str:
    """What a command writes to a terminal of so many columns, escape codes included."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tracking", *arguments]
    with subprocess.Popen(command, stdout=follower, stdin=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        try:
            while part := os.read(leader, 65536):
                shown += part
        except OSError:
            pass  # how a terminal says that the other side is closed
    os.close(leader)
    assert process.returncode == 0
    return shown.decode().replace("\r\n", "\n")


def test_watch_draws_one_table_anew_until_ctrl_c(tracker: ExperimentTracker, base: Path) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    run.log({"loss": 0.5}, step=1)
    leader, follower = pty.openpty()
    environment = {
        **os.environ,
        "COLUMNS": "80",
        "LINES": "12",
        "TERM": "xterm-256color",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "tracking", "watch", "x", "--interval", "0.1", "--store", str(base)]
    with subprocess.Popen(command, stdout=follower, stdin=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        while b"0.5000" not in shown:
            shown += os.read(leader, 65536)
        run.log({"loss": 0.25}, step=2)
        while b"0.2500" not in shown:
            shown += os.read(leader, 65536)
        process.send_signal(signal.SIGINT)
        process.wait()
    os.close(leader)
    assert process.returncode == 0
    assert "x: 1 running" in plain(shown.decode())


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_terminal_gets_a_table_that_fits_it(store: Path) -> None:
    for columns in (60, 80, 100, 120, 200):
        text = on_terminal(columns, "compare", "ctr_model")
        assert "\x1b[1m" in text
        lines = plain(text).splitlines()
        rows = [line for line in lines if line.startswith("run_0")]
        assert len(rows) == 4
        assert max(map(len, rows)) <= columns
        header = lines[lines.index(next(line for line in lines if line.startswith("run_id"))) :]
        assert header[1].startswith("───")
        assert header[2].startswith("run_002")  # no cell goes on in a line of its own
        assert ("no room for" in plain(text)) == (columns < 200)


def test_a_list_on_a_narrow_terminal_breaks_no_id_and_names_the_columns_it_leaves_out(
    tracker: ExperimentTracker, base: Path
) -> None:
    for number in range(40):
        tracker.create_run(f"click_through_{number % 2}")
    for number, status in enumerate(["failed", "killed"], 1):
        tracker.finish_run(f"run_{number:03d}", status)
    whole = [f"run_{number:03d}" for number in range(1, 41)]
    for columns in (60, 80, 120):
        lines = plain(on_terminal(columns, "list", "--store", str(base))).splitlines()
        assert max(map(len, lines)) <= columns
        header = re.split(" {2,}", lines[1].strip())
        left_out = " ".join(lines).partition("no room for: ")[2].partition(";")[0].strip()
        assert [*header, *filter(None, left_out.split(", "))] == [
            *("experiment", "runs", "running", "completed", "failed", "killed", "run ids")
        ]
        if "run ids" in header:
            assert sorted(set(re.findall(r"run_\d*", "\n".join(lines)))) == whole
    assert "run ids" in header


def test_the_history_of_a_model_breaks_only_at_spaces(models: ModelRegistry) -> None:
    models.promote("ctr", 1, reason="the challenger outperforms the champion on every slice of the data")
    for columns in (60, 80):
        lines = plain(on_terminal(columns, "history", "ctr")).splitlines()
        assert max(map(len, lines)) <= columns
        words = " ".join(lines).split()
        assert {"registered", "promoted"} <= set(words)
        assert {"outperforms", "challenger"} <= set(words) or "room for: why;" in " ".join(words)
    assert "outperforms" in words


def test_a_terminal_is_told_which_metrics_it_is_not_shown(tracker: ExperimentTracker, base: Path) -> None:
    run_id = tracker.create_run("wide")
    tracker.log_metrics(run_id, {f"m{number}": float(number) for number in range(10)})
    for command in (["list", "wide"], ["watch", "wide", "--once"]):
        text = plain(on_terminal(200, *command, "--store", str(base)))
        assert "not shown: m8, m9; --columns chooses" in text


@pytest.mark.parametrize(
    ("encoding", "cells"),
    [("ascii", ["\\u65e5", "\\xe9"]), ("latin-1", ["\\u65e5", "é"]), ("utf-8", ["日", "é"])],
)
def test_columns_stay_in_line_where_the_encoding_lacks_a_character(encoding: str, cells: list[str]) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace")
    say_table([Column("name", ["日", "é"]), Column("é", ["1", "2"])], file=out)
    out.flush()
    lines = raw.getvalue().decode(encoding).splitlines()
    assert [line.split() for line in lines[1:]] == [[cells[0], "1"], [cells[1], "2"]]
    assert len({len(line) for line in lines}) == 1
