"""What is printed while a run is open is in its stdout.log, and printing is what it was before."""

import contextlib
import errno
import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracking import ExperimentTracker, Run
from tracking.provenance import output as output_module
from tracking.provenance.output import capture_output

ROOT = Path(__file__).parents[3]


def out(text: str) -> None:
    sys.stdout.write(text)


def err(text: str) -> None:
    sys.stderr.write(text)


def copied(run: Run) -> str:
    return (run.run_dir / "stdout.log").read_text()


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    yield
    assert output_module._outputs == []
    assert "write" not in vars(sys.stdout)
    assert "write" not in vars(sys.stderr)


def test_both_streams_are_copied_in_order_and_still_printed(
    tracker: ExperimentTracker, capsys: pytest.CaptureFixture[str]
) -> None:
    out("before\n")
    with tracker.start_run("x") as run:
        out("one\n")
        err("two\n")
        sys.stdout.writelines(["three\n", "four\n"])
        out("no end")
    out("\nafter\n")
    assert copied(run) == "one\ntwo\nthree\nfour\nno end\n"
    assert capsys.readouterr() == ("before\none\nthree\nfour\nno end\nafter\n", "two\n")


def test_a_quiet_run_has_no_file_and_one_may_opt_out(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as quiet:
        pass
    with tracker.start_run("x", capture_output=False) as private:
        out("said\n")
    assert not (quiet.run_dir / "stdout.log").exists()
    assert not (private.run_dir / "stdout.log").exists()


def test_logging_handlers_that_hold_the_stream_are_copied(tracker: ExperimentTracker) -> None:
    logger = logging.Logger("old")
    logger.addHandler(logging.StreamHandler(sys.stderr))
    with tracker.start_run("x") as run:
        logger.warning("from a handler")
    assert copied(run) == "from a handler\n"


def test_a_redrawn_line_is_kept_in_its_last_state(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        for percent in range(0, 101, 10):
            err(f"\r{percent}%")
        err("\n")
        out("windows\r\n")
        out("bar 1\rbar 2\r")
    assert copied(run) == "100%\nwindows\nbar 2\n"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text("ab\n\u20ac", max_size=5), max_size=20))
def test_all_text_is_copied_however_it_is_split_into_writes(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str], writes: list[str]
) -> None:
    path = tmp_path_factory.mktemp("run") / "stdout.log"
    stop = capture_output(path)
    for text in writes:
        out(text)
    stop()
    whole = "".join(writes)
    expected = whole if whole.endswith("\n") or not whole else f"{whole}\n"
    assert (path.read_text() if path.exists() else "") == expected


def test_a_very_long_line_does_not_wait_for_its_end(tmp_path: Path) -> None:
    stop = capture_output(tmp_path / "stdout.log")
    out("x" * 10_000)
    assert (tmp_path / "stdout.log").stat().st_size == 10_000
    stop()


def test_both_of_two_nested_runs_copy_the_output(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as outer:
        out("outer\n")
        with tracker.start_run("x") as inner:
            out("inner\n")
        out("outer again\n")
    assert copied(outer) == "outer\ninner\nouter again\n"
    assert copied(inner) == "inner\n"


def test_runs_of_threads_copy_their_own_thread_and_those_without_a_run(tracker: ExperimentTracker) -> None:
    barrier = threading.Barrier(3, timeout=60)
    runs: dict[str, Run] = {}

    def work(name: str) -> None:
        with tracker.start_run(name) as run:
            runs[name] = run
            out(f"{name}\n")
            barrier.wait()
            barrier.wait()

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    barrier.wait()
    out("main\n")
    barrier.wait()
    for thread in threads:
        thread.join()
    assert copied(runs["a"]) == "a\nmain\n"
    assert copied(runs["b"]) == "b\nmain\n"


def test_many_threads_print_at_once_and_no_line_is_lost(tracker: ExperimentTracker) -> None:
    def work(name: int) -> None:
        for number in range(200):
            out(f"{name}-{number}\n")

    with tracker.start_run("x") as run:
        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(copied(run).split()) == sorted(f"{name}-{n}" for name in range(8) for n in range(200))


def test_threads_do_not_end_each_others_lines(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        out("main ")
        thread = threading.Thread(target=out, args=("thread\n",))
        thread.start()
        thread.join()
        out("goes on\n")
    assert copied(run) == "thread\nmain goes on\n"


def test_a_replaced_stream_is_still_copied_and_its_replacement_is_not(tracker: ExperimentTracker) -> None:
    elsewhere = io.StringIO()
    with tracker.start_run("x") as run:
        with contextlib.redirect_stdout(elsewhere):
            out("hidden\n")
        out("seen\n")
    assert copied(run) == "seen\n"
    assert elsewhere.getvalue() == "hidden\n"


def test_writing_to_a_closed_stream_still_fails(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        with tracker.start_run("x") as run:
            out("said\n")
            stream.close()
            with pytest.raises(ValueError, match="closed file"):
                out("unsaid\n")
            err("still heard\n")
    assert copied(run) == "said\nstill heard\n"


@pytest.mark.parametrize("stream", [None, object()], ids=["none", "foreign"])
def test_a_stream_that_takes_no_attributes_is_left_alone(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch, stream: Any
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        with tracker.start_run("x") as run:
            err("heard\n")
    assert copied(run) == "heard\n"


def test_a_later_wrapper_of_the_stream_is_kept(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), write_through=True)
    heard: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        with tracker.start_run("x") as first:
            ours = stream.write

            def wrapped(text: str) -> int:
                heard.append(text)
                return ours(text)

            stream.write = wrapped  # type: ignore[method-assign]
            out("one\n")
        out("two\n")
        with tracker.start_run("x") as second:
            out("three\n")
        assert heard == ["one\n", "two\n", "three\n"]
        assert (copied(first), copied(second)) == ("one\n", "three\n")
        stream.write = ours  # type: ignore[method-assign]
        with tracker.start_run("x"):
            pass
        assert "write" not in vars(stream)


class Notebook:
    """Runs cells as IPython does: the stream's `write` is replaced for the length of a cell, and then put back."""

    def __init__(self, *, asks_again: bool) -> None:
        self.asks_again = asks_again  # for the stream, when it puts `write` back
        self.shown: list[str] = []

    def run(self, cell: Callable[[], object]) -> None:
        stream = sys.stdout
        before = stream.write

        def tee(text: str) -> int:
            self.shown.append(text)
            return before(text)

        stream.write = tee  # type: ignore[method-assign]
        try:
            cell()
        finally:
            (sys.stdout if self.asks_again else stream).write = before  # type: ignore[method-assign]


@pytest.mark.parametrize("asks_again", [False, True])
def test_what_the_cells_of_a_notebook_print_is_copied_once_while_a_run_is_open(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch, asks_again: bool
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    notebook, runs = Notebook(asks_again=asks_again), list[Run]()
    notebook.run(lambda: (runs.append(tracker.start_run("x")), out("one\n")))
    for text in ("two\n", "three\n"):
        notebook.run(lambda text=text: print(text, end=""))  # noqa: T201 - what a cell does
    assert sys.stdout.encoding == stream.encoding
    notebook.run(lambda: (sys.stdout.writelines(["four\n", "five\n"]), runs[0].finish()))
    notebook.run(lambda: out("no run is open\n"))

    def whole() -> None:
        with tracker.start_run("x") as run:
            runs.append(run)
            out("in one cell\n")

    notebook.run(whole)
    notebook.run(whole)
    assert [copied(run) for run in runs] == ["one\ntwo\nthree\nfour\nfive\n", *["in one cell\n"] * 2]
    printed = "one\ntwo\nthree\nfour\nfive\nno run is open\nin one cell\nin one cell\n"
    assert stream.buffer.getvalue().decode() == printed  # type: ignore[attr-defined]
    assert {"two\n", "three\n", "no run is open\n", "in one cell\n"} <= set(notebook.shown)
    assert sys.stdout is stream


def test_the_copy_ends_at_its_limit_and_says_so(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output_module, "MAX_BYTES", 10)
    with tracker.start_run("x") as run:
        out("12345678\n")
        out("90\n")
        out("more\n")
    assert copied(run) == "12345678\n9\n[output beyond 10 bytes is not kept]\n"
    assert capsys.readouterr().out == "12345678\n90\nmore\n"


def test_an_error_in_writing_the_copy_is_logged_once_and_printing_continues(
    tracker: ExperimentTracker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(output_module.atomic, "write_all", full)
    stop = capture_output(tracker.base_dir.parent / "stdout.log")
    out("one\n")
    out("two\n")
    stop()
    assert capsys.readouterr().out == "one\ntwo\n"
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "output is no longer copied to the run: [Errno 28] No space left on device",
    ]


def test_text_that_is_not_unicode_is_copied_readably(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = capture_output(tmp_path / "stdout.log")
    out("name \udcff\n") if sys.stdout.errors == "surrogateescape" else err("name \udcff\n")
    stop()
    assert (tmp_path / "stdout.log").read_text() == "name \\udcff\n"


def test_a_failed_start_gives_the_streams_back(tracker: ExperimentTracker) -> None:
    with pytest.raises(ValueError, match="parameter"):
        tracker.start_run("x", params={"seed": 10**309})
    assert output_module._outputs == []


# From here on in processes of their own: terminals, signals, forks.
