"""The report at the end of a sweep: written by a process of its own, which changes nothing of how the sweep ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from quadratic import APP, Sweep, await_true, completed

from sweeps.dashboard.report.writer import ReportWriter, is_wanted

Run = Callable[..., Sweep]


@pytest.fixture(autouse=True)
def reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sweeps write reports, which the other tests do without."""
    monkeypatch.delenv("PODIUM_REPORT", raising=False)


def test_a_sweep_ends_with_its_report_and_says_where_it_is(sweep: Run) -> None:
    done = completed(sweep("-m", "x=1,2"))
    assert f"Report: experiments/sweeps/{done.dir.name}/report.html" in done.out.splitlines()
    page, text = (done.dir / "report.html").read_text(), (done.dir / "report.md").read_text()
    assert page.endswith("</html>\n")
    assert '"state":"finished"' in page  # although the sweep that asks for it holds its lock
    assert "2 completed in " in text
    assert "still runs" not in text


def test_the_setting_and_the_variable_switch_it_off(sweep: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done = completed(sweep("-m", "x=1", "hydra.sweeper.report_html=false", "hydra.sweeper.name=one"))
    assert "Report:" not in done.out
    monkeypatch.setenv("PODIUM_REPORT", "0")
    done = completed(sweep("-m", "x=1", "hydra.sweeper.name=two"))
    assert "Report:" not in done.out
    assert not list((done.cwd / "experiments" / "sweeps").glob("*/report.*"))


@pytest.mark.parametrize(
    ("value", "wanted"), [(None, True), ("1", True), ("", True), ("0", False), ("Off", False)]
)
def test_the_variable_is_read_as_people_write_it(
    monkeypatch: pytest.MonkeyPatch, value: str | None, *, wanted: bool
) -> None:
    if value is not None:
        monkeypatch.setenv("PODIUM_REPORT", value)
    assert is_wanted() is wanted


def test_a_sweep_that_fails_has_its_report_too(sweep: Run) -> None:
    done = sweep("-m", "x=1,2", "fault=raise")
    assert done.code == 1
    assert "Report: " in done.out
    assert "Failures:" in (done.dir / "report.md").read_text()


def test_a_report_that_cannot_be_written_is_one_line_and_the_sweep_succeeds(
    start: Callable[..., "subprocess.Popen[str]"], finish: Callable[..., Sweep], tmp_path: Path
) -> None:
    process = start("-m", "x=1,2", "hydra.sweeper.name=mine")
    folder = tmp_path / "experiments" / "sweeps" / "mine"
    await_true(folder.exists)
    (folder / "report.html").mkdir()
    done = completed(finish(process))
    (line,) = [line for line in done.out.splitlines() if "report" in line.lower()]
    assert line.startswith("no report was written: ")


def test_an_interrupted_sweep_ends_at_once_without_a_report_and_leaves_no_process(
    start_interpreter: Callable[..., "subprocess.Popen[str]"], finish: Callable[..., Sweep], tmp_path: Path
) -> None:
    process = start_interpreter("-m", "x=1", "fault=waits", "hydra.sweeper.name=mine")
    folder = tmp_path / "experiments" / "sweeps" / "mine"
    await_true(lambda: list(tmp_path.glob("waiting-*")))
    os.killpg(process.pid, signal.SIGINT)
    done = finish(process)
    assert done.code == 130
    assert not list(folder.glob("report.*"))
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_an_interrupt_while_the_report_is_written_ends_both(
    finish: Callable[..., Sweep], tmp_path: Path
) -> None:
    slow = tmp_path / "lib" / "matplotlib"
    slow.mkdir(parents=True)
    asked = tmp_path / "asked"  # to write the report, which the sweep waits for from then on
    (slow / "__init__.py").write_text(
        "import pathlib, select, sys, time\n"
        "select.select([sys.stdin], [], [])\n"
        f"pathlib.Path({str(asked)!r}).touch()\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(APP), "-m", "x=1", "hydra.sweeper.name=mine"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": f"{slow.parent}:{APP.parent}"},
    )
    folder = tmp_path / "experiments" / "sweeps" / "mine"
    await_true(asked.exists)
    os.killpg(process.pid, signal.SIGINT)
    done = finish(process)
    assert done.code == 130
    assert "Traceback" not in done.err
    assert "the sweep is complete; this writes it: " in done.err
    assert "sweeps report mine" in done.err
    assert not list(folder.glob("report.*"))
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_resumed_sweep_without_jobs_left_writes_the_report_that_is_missing(sweep: Run, podium: Run) -> None:
    done = completed(sweep("-m", "x=1,2", "hydra.sweeper.report_html=false"))
    answer = podium("resume", "latest", "--yes")
    assert answer.code == 0, answer.err
    assert not (done.dir / "report.html").exists()  # the command of the sweep says so
    answer = podium("resume", "latest", "--yes", "hydra.sweeper.report_html=true")
    assert (done.dir / "report.html").exists(), answer.out + answer.err


def test_a_report_is_current_until_the_sweep_goes_on(tmp_path: Path) -> None:
    writer = ReportWriter(tmp_path)
    assert not writer.is_current
    (tmp_path / "jobs.jsonl").write_text("")
    (tmp_path / "report.html").write_text("")
    assert writer.is_current
    later = (tmp_path / "report.html").stat().st_mtime_ns + 10**9
    os.utime(tmp_path / "jobs.jsonl", ns=(later, later))
    assert not writer.is_current


def test_a_process_that_was_started_and_is_not_needed_ends_with_the_block(tmp_path: Path) -> None:
    with ReportWriter(tmp_path) as writer:
        writer.start(3)
        writer.start(3)
        process = writer._process
        assert process is not None
        assert process.poll() is None
    assert process.returncode == -signal.SIGKILL


def test_the_fault_of_a_process_that_dies_is_told(tmp_path: Path) -> None:
    with ReportWriter(tmp_path) as writer:
        writer.start(3)
        assert writer._process is not None
        writer._process.kill()
        writer._process.wait()
        assert writer.write(3) == "no report was written: exit code -9"
    with ReportWriter(tmp_path) as writer:
        told = writer.write(3)
    assert told is not None
    assert "plan.json" in told
