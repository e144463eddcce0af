"""The bar of a single run: on a terminal alone, below what is printed, and gone at the end."""

import contextlib
import os
import pty
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pytest

from trainer.predict import bar as bar_of_rows
from trainer.training.loop import Objective
from trainer.watching.progress import Bar


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[IO[str], Callable[[], str]]]:
    """A stream to a terminal, and what has arrived there."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    stream = os.fdopen(slave, "w", buffering=1, encoding="utf-8")

    def arrived() -> str:
        stream.flush()
        parts = []
        with contextlib.suppress(BlockingIOError):
            while part := os.read(master, 65536):
                parts.append(part)
        return b"".join(parts).decode()

    yield stream, arrived
    stream.close()
    os.close(master)


def bar(stream: IO[str] | None, **settings: Any) -> Bar:
    objective = Objective("val_auc")
    ticks = iter(range(10_000))
    given = {
        "epochs": 3,
        "rows": 100,
        "objective": "val_auc",
        "clock": lambda: float(next(ticks)),
        **settings,
    }
    return Bar(is_better=objective.is_better, stream=stream, **given)


def last(text: str) -> str:
    """The line of the terminal's cursor, without control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", re.split(r"\r\x1b\[2K|\n", text)[-1]).strip()


def test_it_shows_epoch_share_and_the_best_objective_so_far(terminal: Any) -> None:
    stream, arrived = terminal
    with bar(stream) as shown:
        assert shown.each_batch is not None
        shown.each_batch(50)
        assert re.match(r"epoch 1/3 \S+ +17%", last(arrived()))
        log = shown.telling(lambda _metrics, _epoch: None)
        log({"val_auc": 0.8}, 1)
        log({"val_auc": 0.7}, 2)
        text = last(arrived())
        assert text.startswith("epoch 3/3 ")
        assert " 67% " in text
        assert text.endswith("val_auc 0.8000")
    assert last(arrived()) == ""


def test_what_is_printed_stands_above_it(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, arrived = terminal
    monkeypatch.setattr(sys, "stdout", stream)
    with bar(stream) as shown:
        assert shown.each_batch is not None
        arrived()
        sys.stdout.write("a line\n")
        assert arrived() == "\r\x1b[2Ka line\r\n"
        shown.each_batch(10)
        assert last(arrived()).startswith("epoch 1/3")
        sys.stdout.write("begun")
        shown.each_batch(10)
        assert last(arrived()) == "begun"  # the bar would take it away
        sys.stdout.write(" and ended\n")
        shown.each_batch(10)
        assert last(arrived()).startswith("epoch 1/3")
    assert "write" not in vars(stream)


def test_an_interrupt_takes_it_away(terminal: Any) -> None:
    stream, arrived = terminal
    with pytest.raises(KeyboardInterrupt), bar(stream):
        raise KeyboardInterrupt
    assert last(arrived()) == ""


def test_it_is_drawn_at_most_ten_times_a_second(terminal: Any) -> None:
    stream, arrived = terminal
    times = iter([step / 100 for step in range(10_000)])
    with bar(stream, clock=lambda: next(times)) as shown:
        assert shown.each_batch is not None
        for _ in range(100):
            shown.each_batch(1)
    assert arrived().count("\r\x1b[2K") <= 13


@pytest.mark.parametrize("kind", ["pipe", "dumb", "none"])
def test_without_a_terminal_nothing_is_drawn(
    terminal: Any, monkeypatch: pytest.MonkeyPatch, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stream, arrived = terminal
    if kind == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    with bar({"pipe": sys.stdout, "dumb": stream, "none": None}[kind]) as shown:
        assert shown.each_batch is None
        shown.epoch({"val_auc": 0.8}, 1)
    assert arrived() == capsys.readouterr().out == ""


def test_a_terminal_that_is_closed_does_not_end_the_training(terminal: Any) -> None:
    class Closed:
        encoding = "utf-8"

        def write(self, _text: str) -> int:
            raise OSError(5, "Input/output error")

        flush = close = isatty = lambda self: self.write("")

    stream, _ = terminal
    with bar(stream) as shown:
        assert shown.each_batch is not None
        assert shown._line._terminal is not None
        shown._line._terminal.close()
        shown._line._terminal = Closed()  # type: ignore[assignment]
        shown.each_batch(10)


def test_a_prediction_draws_its_rows_with_the_same_line(
    terminal: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stream, arrived = terminal
    rows = pa.table({"a": ["1"] * 1000})
    (tmp_path / "t.csv").write_text("a\n" + "1\n" * 4000)
    monkeypatch.setattr(bar_of_rows, "_AFTER_S", -1.0)
    monkeypatch.setattr(sys, "stderr", stream)
    with bar_of_rows.Progress(tmp_path / "t.csv") as progress:
        progress.step(rows)
        assert last(arrived()).startswith("1,000 rows")
        sys.stderr.write("warning: odd\n")
        progress.step(rows)
        assert re.search(r"warning: odd\r\n.*2,000 rows", arrived(), re.DOTALL)
    assert last(arrived()) == ""
