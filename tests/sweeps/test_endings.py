"""However a sweep's parent ends, and whatever is lost of its ledger: the sweep goes on and ends as an undisturbed one."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quadratic import APP, Sweep, await_true

from sweeps import aggregate
from tracking import ExperimentTracker
from tracking.files import read_json

SWEEP = (
    "-m", "x=1,2,3,4", "fault=waits_at_first_if_three", "hydra.sweeper.name=mine", "hydra.launcher.n_jobs=2",
)  # fmt: skip


def waits(folder: Path) -> bool:
    return bool(list(folder.glob("waiting-*")))


def resumed(podium: Callable[..., Sweep]) -> None:
    result = podium("resume", "mine")
    assert result.code == 0, result.err
    assert [(row["job"], row["status"], row["objective"]) for row in result.rows] == [
        (1, "completed", 0.0),
        (0, "completed", 1.0),
        (2, "completed", 1.0),
        (3, "completed", 4.0),
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_every_process_of_a_sweep_is_one_to_its_parent(
    start_interpreter: Callable, finish: Callable, podium: Callable, tmp_path: Path, number: signal.Signals
) -> None:
    process = start_interpreter(*SWEEP)
    await_true(lambda: waits(tmp_path))
    everybody = psutil.Process(process.pid).children(recursive=True)  # as a batch system does it
    assert len(everybody) >= 2
    for member in [psutil.Process(process.pid), *everybody]:
        with contextlib.suppress(psutil.NoSuchProcess):  # the first signal may have ended it
            member.send_signal(number)
    result = finish(process)
    assert result.code == 128 + number
    assert f"stopped by {number.name}" in result.err
    assert "Traceback" not in result.err
    (ended,) = (row for row in result.rows if row["job"] == 2)
    assert ended["status"] == "killed"
    assert psutil.wait_procs(everybody, timeout=30)[1] == []
    resumed(podium)


def test_a_sweep_whose_terminal_is_closed_stops_in_order(tmp_path: Path, podium: Callable) -> None:
    terminal, inside = pty.openpty()
    process = in_terminal(inside, sys.executable, str(APP), *SWEEP, folder=tmp_path)
    os.close(inside)
    drain(terminal, lambda: waits(tmp_path))
    os.close(terminal)
    assert process.wait(timeout=60) == 128 + signal.SIGHUP
    rows = {row["job"]: row["status"] for row in read_json(folder_of(tmp_path) / "leaderboard.json")["rows"]}
    assert rows[2] == "killed"
    resumed(podium)


def test_nohup_keeps_a_sweep_going_when_its_terminal_is_closed(tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    process = in_terminal(inside, "nohup", sys.executable, str(APP), *SWEEP, folder=tmp_path)
    os.close(inside)
    drain(terminal, lambda: waits(tmp_path))
    os.close(terminal)
    process.send_signal(signal.SIGHUP)
    (waiting,) = tmp_path.glob("waiting-*")
    os.kill(
        int(waiting.name.removeprefix("waiting-")), signal.SIGTERM
    )  # only now may the sweep come to its end
    assert process.wait(timeout=60) == 1
    rows = {row["job"]: row["status"] for row in read_json(folder_of(tmp_path) / "leaderboard.json")["rows"]}
    assert rows == {0: "completed", 1: "completed", 2: "killed", 3: "completed"}


def test_what_power_took_from_the_ledger_is_judged_by_the_runs_or_runs_again(
    sweep: Callable, podium: Callable, tmp_path: Path
) -> None:
    whole = sweep("-m", "x=1,2,3", "hydra.sweeper.name=mine")
    expected = [(row["job"], row["rank"], row["objective"]) for row in whole.rows]
    ledger = whole.dir / "jobs.jsonl"
    kept = ledger.read_bytes()
    for share in (0.0, 0.2, 0.5, 0.7, 0.9):
        ledger.write_bytes(kept[: int(len(kept) * share)])
        result = podium("resume", "mine")
        assert result.code == 0, result.err
        assert [(row["job"], row["rank"], row["objective"]) for row in result.rows] == expected
        states = {str(record.status) for record in ExperimentTracker(tmp_path / "experiments").records()}
        assert "running" not in states


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1))
def test_a_ledger_cut_anywhere_is_ranked(done: Sweep, share: float) -> None:
    ledger = done.dir / "jobs.jsonl"
    kept = ledger.read_bytes()
    try:
        ledger.write_bytes(kept[: int(len(kept) * share)])
        rows = aggregate(done.dir).rows
    finally:
        ledger.write_bytes(kept)
    assert len(rows) == 3
    assert {row.status for row in rows} <= {"completed", "unfinished"}


@pytest.fixture
def done(sweep: Callable) -> Sweep:
    result: Sweep = sweep("-m", "x=1,2,3", "hydra.sweeper.name=mine")
    return result


def folder_of(folder: Path) -> Path:
    return folder / "experiments" / "sweeps" / "mine"


def in_terminal(inside: int, *command: str, folder: Path) -> "subprocess.Popen[bytes]":
    """Start a command whose terminal this is, as a shell would in the foreground."""
    taking_it = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-c", taking_it, *command],
        cwd=folder,
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": f"{APP.parents[4]}:{APP.parent}", "TERM": "xterm"},
    )


def drain(terminal: int, until: Callable[[], bool]) -> None:
    """Read what is shown, as a terminal does, until something has happened."""
    os.set_blocking(terminal, False)

    def happened() -> bool:
        with contextlib.suppress(OSError):  # nothing to read yet, or nobody writes to it any more
            os.read(terminal, 1 << 16)
        return until()

    await_true(happened)
