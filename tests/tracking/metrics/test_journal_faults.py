"""A write that the system refuses: the call raises, the journal stays whole, the next call works."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, Run, StoreUnwritableError
from tracking.metrics import history, journal


def values(tracker: ExperimentTracker, run: Run) -> list[Any]:
    return [point["value"] for point in tracker.get_run(run.run_id)["metrics"]["a"]]


@pytest.fixture
def run(tracker: ExperimentTracker) -> Run:
    run = tracker.open_run(tracker.create_run("x"))
    run.log({"a": 0.0})
    return run


@pytest.fixture
def eager_views(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refresh the views at every call."""
    monkeypatch.setattr(journal, "VIEW_SHARE", 1e-9)


def writing_to_journal(write: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
    """Use `write` for journal lines and `os.write` for everything else."""
    real = os.write
    return lambda handle, data: (write if b'"metrics"' in bytes(data) else real)(handle, data)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_refused_write_raises_and_the_next_call_works(
    tracker: ExperimentTracker, run: Run, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(_handle: int, _data: Any) -> int:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", writing_to_journal(refuse))
        for _ in range(3):
            with pytest.raises(StoreUnwritableError, match=os.strerror(code)):
                run.log({"a": 1.0})
    run.log({"a": 2.0})
    assert values(tracker, run) == [0, 2]
    run.finish()
    assert values(tracker, run) == [0, 2]


@pytest.mark.parametrize("can_be_cut", [True, False])
@pytest.mark.parametrize("kept", [1, 10, -1])
def test_a_partly_written_line_is_removed(
    tracker: ExperimentTracker, run: Run, monkeypatch: pytest.MonkeyPatch, kept: int, can_be_cut: bool
) -> None:
    real = os.write

    def refuse(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", writing_to_journal(lambda handle, data: real(handle, data[:kept])))
        if not can_be_cut:
            patch.setattr(os, "ftruncate", refuse)
        with pytest.raises(StoreUnwritableError, match="No space left"):
            run.log({"a": 1.0})
    assert values(tracker, run) == [0]
    run.log({"a": 2.0})
    assert values(tracker, run) == [0, 2]
    assert tracker.record(run.run_id).summary["a"].count == 2
    for line in (run.run_dir / "metrics.jsonl").read_bytes().splitlines():
        assert line.startswith(b"{") == line.endswith(b"}")


def test_a_view_that_cannot_be_written_does_not_stop_logging(
    tracker: ExperimentTracker,
    eager_views: None,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        run.log({"a": 1.0})
    assert "the views of" in caplog.text
    assert "No space left" in caplog.text
    assert values(tracker, run) == [0, 1]


def test_a_removed_journal_is_started_again(tracker: ExperimentTracker, eager_views: None, run: Run) -> None:
    run.finish()
    run.log({"a": 1.0})
    (run.run_dir / "metrics.jsonl").unlink()
    run.log({"a": 2.0})  # goes with the file that was removed, which shows at the next look at the views
    run.log({"a": 3.0})
    assert values(tracker, run) == [0, 1, 3]  # metrics.json had what the removed journal had


def test_no_log_call_reads_the_history(
    base: Path, tracker: ExperimentTracker, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(20_000):
        run.log({"a": 0.5, "b": 1.5}, step=step)
    run.release()
    size = (run.run_dir / "metrics.jsonl").stat().st_size
    read = 0
    real = os.pread

    def counted(handle: int, count: int, offset: int) -> bytes:
        nonlocal read
        data = real(handle, count, offset)
        read += len(data)
        return data

    def refuse(*_: Any) -> None:
        raise AssertionError("the history was read")

    monkeypatch.setattr(os, "pread", counted)
    monkeypatch.setattr(history, "read_journals", refuse)
    again = ExperimentTracker(base).open_run(run.run_id)
    for step in range(100):
        again.log({"a": 0.5, "b": 1.5}, step=step)
        again.release()
    assert size > 1_000_000
    assert read < size


def test_refreshing_a_view_keeps_to_its_share_of_the_time(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock moves only while chunks are counted, a second for each."""
    now = 0.0
    counted: list[int] = []
    real = journal.parse_blocks

    def slow(text: bytes, path: Path) -> Any:
        nonlocal now
        now += 1.0
        counted.append(len(text))
        return real(text, path)

    monkeypatch.setattr(journal.time, "monotonic", lambda: now)
    monkeypatch.setattr(journal, "parse_blocks", slow)
    run = tracker.open_run(tracker.create_run("x"))
    for step in range(5000):
        run.log({"a": 0.5}, step=step)
    assert len(counted) == 1
    now += 49.0
    run.log({"a": 0.5})
    assert len(counted) == 1
    now += 52.0
    run.log({"a": 0.5})
    assert (
        len(counted) == 1 + 3
    )  # a fiftieth of the time that went by is worth two chunks, looked at after each
    assert max(counted) <= journal.CHUNK_BYTES
