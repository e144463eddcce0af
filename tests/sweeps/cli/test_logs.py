"""`sweeps logs`: bytes for a pipe, for a terminal and `--tail` what a terminal would show."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from written import ROOT, on_terminal, write_sweep

from sweeps.cli.app import main
from sweeps.display.screen import Screen, lines_of
from sweeps.state.lock import locked
from tracking.files import append_line

BAR = "".join(f"\rstep {number}/20000" for number in range(20_001))
TITLE = "\x1b]0;pwned\x07\x1b]52;c;cHduCg==\x07"
PATIENCE_S = 60.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The empty log of the only job of a sweep."""
    folder = write_sweep(tmp_path, [{"x": 1}], name="mine") / "jobs" / "0"
    folder.mkdir(parents=True)
    return folder / "output.log"


@pytest.fixture
def say(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., bytes]:
    """Run `sweeps logs` in a pipe; what it writes."""

    def say(*words: str) -> bytes:
        assert main(["logs", "mine", "0", *words, "--store", str(tmp_path)]) == 0
        sys.stdout.flush()
        return capfdbinary.readouterr().out

    return say


def test_a_pipe_gets_the_bytes_of_the_log(log: Path, say: Callable[..., bytes]) -> None:
    written = f"{TITLE}a\r\n{BAR}".encode() + b"\xff\x00 end"
    log.write_bytes(written)
    assert say() == written
    assert say("--follow") == written


def test_the_last_lines_are_the_last_states_of_bars_without_what_a_terminal_obeys(
    log: Path, say: Callable[..., bytes]
) -> None:
    log.write_text(f"first\n{BAR}\n\x1b[31m{TITLE}done\u202e\x1b[0m\n")
    lines = ["first", "step 20000/20000", "done\\u202e"]
    for count in (1, 2, 3, 9):
        assert say("--tail", str(count)).decode().splitlines() == lines[-count:]
    assert say("--tail", "0") == b""
    assert say("--tail", "2", "--follow").decode().splitlines() == lines[-2:]
    assert json.loads(say("--json"))["text"] == "first\nstep 20000/20000\ndone\u202e\n"
    assert json.loads(say("--json", "--tail", "1"))["text"] == "done\u202e\n"
    assert b"\\u202e" in say("--json")


def test_a_terminal_gets_nothing_that_it_would_obey(log: Path, tmp_path: Path) -> None:
    log.write_text(f"a\tb\n{TITLE}{BAR}\n\x1b[2J\x1b[?1049h\x1b[3;4Hend \x9b31m\u2066x")
    for words in ([], ["--tail", "3"], ["--follow"], ["--follow", "--tail", "3"]):
        text = on_terminal(80, "logs", "mine", "0", *words, "--store", str(tmp_path))
        # a terminal driver may widen tabs
        assert text.expandtabs().splitlines() == [
            "a       b",
            "step 20000/20000",
            "end \\u2066x",
        ]


class Follower:
    """`sweeps logs --follow` on a terminal of 40 columns, in a sweep that runs."""

    def __init__(self, store: Path, *words: str) -> None:
        self.screen = Screen()
        leader, self._end = pty.openpty()
        self._leader = leader
        environment = {**os.environ, "COLUMNS": "40", "LINES": "12", "PYTHONPATH": str(ROOT)}
        command = [
            sys.executable,
            "-m",
            "sweeps",
            "logs",
            "mine",
            "0",
            "--follow",
            *words,
            "--store",
            str(store),
        ]
        self.process = subprocess.Popen(command, stdout=self._end, stdin=self._end, env=environment)
        os.close(self._end)
        self.written = b""

    def await_rows(self, *rows: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while [row for row in self.screen.rows if row] != list(rows):
            assert time.monotonic() < deadline, self.screen.rows
            self.read()

    def read(self) -> bytes:
        try:
            part = os.read(self._leader, 65536)
        except OSError:
            part = b""
        self.written += part
        self.screen.feed(part.replace(b"\r\n", b"\n"))
        return part

    def end(self) -> str:
        while self.read():
            pass
        os.close(self._leader)
        assert self.process.wait(PATIENCE_S) == 0
        return self.written.decode()


def running(log: Path) -> None:
    """Turn the sweep of a log into one whose only job runs."""
    ledger = log.parents[2] / "jobs.jsonl"
    ledger.unlink()
    append_line(ledger, {"event": "started", "job": 0})


def end_job(log: Path) -> None:
    event = {"event": "finished", "job": 0, "status": "completed", "wall_s": 1.0, "runs": []}
    append_line(log.parents[2] / "jobs.jsonl", event)


def test_a_terminal_that_follows_sees_bars_move_in_place(log: Path, tmp_path: Path) -> None:
    running(log)
    log.write_text("begin\n")
    with locked(log.parents[2]):
        follower = Follower(tmp_path)
        follower.await_rows("begin")
        wide = "w" * 90  # takes three lines of this terminal
        with log.open("a") as stream:

            def add(text: str) -> None:
                stream.write(text)
                stream.flush()

            add("\router 0\n\rinner 0\x1b[A")
            follower.await_rows("begin", "outer 0", "inner 0")
            add(f"\n\rinner 1{TITLE}\x1b[A")
            follower.await_rows("begin", "outer 0", "inner 1")
            add("\router 1\x1b[K\n\r\x1b[2K\x1b[A")
            follower.await_rows("begin", "outer 1")
            add("\n\nplain\n")
            follower.await_rows("begin", "outer 1", "plain")
            add(wide)
            add("\rW")
        end_job(log)
        text = follower.end()
    assert TITLE not in text
    assert follower.screen.rows[-2] == f"W{wide[1:]}"
    assert follower.screen.rows[-1] == ""


def test_a_terminal_follows_from_the_last_lines_on(log: Path, tmp_path: Path) -> None:
    running(log)
    log.write_text("".join(f"line {number}\n" for number in range(3000)) + "\rbar 1")
    with locked(log.parents[2]):
        follower = Follower(tmp_path, "--tail", "2")
        follower.await_rows("line 2999", "bar 1")
        with log.open("a") as stream:
            stream.write("\rbar 2\nend\n")
        follower.await_rows("line 2999", "bar 2", "end")
        end_job(log)
        follower.end()


def test_a_log_longer_than_the_screen_is_all_there(log: Path, tmp_path: Path) -> None:
    log.write_text("".join(f"line {number}\n" for number in range(2500)) + "last")
    text = on_terminal(80, "logs", "mine", "0", "--follow", "--store", str(tmp_path))
    display = Screen()
    assert [*display.feed(text.encode()), *display.close()] == list(lines_of(log))


def test_a_pipe_that_follows_from_the_last_lines_gets_all_bytes_after_them(log: Path, tmp_path: Path) -> None:
    running(log)
    log.write_text(f"{BAR}\nsecond\nhalf a ")
    with locked(log.parents[2]):
        command = [sys.executable, "-m", "sweeps", "logs", "mine", "0", "--tail", "2", "-f"]
        process = subprocess.Popen([*command, "--store", str(tmp_path)], stdout=subprocess.PIPE, bufsize=0)
        assert process.stdout is not None
        assert process.stdout.readline() == b"second\n"
        with log.open("ab") as stream:
            stream.write(b"line\r\xff\n")
        end_job(log)
        assert process.communicate(timeout=PATIENCE_S)[0] == b"half a line\r\xff\n"
