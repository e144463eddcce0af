"""The lock of a sweep: one parent, told to who asks, and no obstacle where there are no locks."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from sweeps.errors import SweepError
from sweeps.state.lock import Parent, await_jobs, hold_as_job, locked, parent_of


def test_the_parent_is_known_while_it_holds_the_lock_and_not_after(tmp_path: Path) -> None:
    assert parent_of(tmp_path) is None
    with locked(tmp_path):
        parent = parent_of(tmp_path)
        assert parent is not None
        assert parent.pid == os.getpid()
        assert parent.is_here()
        with pytest.raises(SweepError, match=f"still runs \\(process {os.getpid()} on "), locked(tmp_path):
            pass
    assert parent_of(tmp_path) is None


def test_a_later_process_of_the_same_number_is_not_taken_for_the_parent(tmp_path: Path) -> None:
    with locked(tmp_path):
        parent = parent_of(tmp_path)
    assert parent is not None
    assert not Parent(parent.pid, "1", parent.host).is_here()
    assert not Parent(parent.pid, parent.started, "elsewhere").is_here()


def test_a_job_that_does_not_go_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await_jobs(tmp_path)
    hold_as_job(tmp_path)
    monkeypatch.setattr("sweeps.state.lock.JOBS_WAIT_S", 0.0)
    with pytest.raises(SweepError, match="a job of its last session still runs"):
        await_jobs(tmp_path)


def test_a_file_system_without_locks_keeps_nobody_from_working(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_handle: int, _kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr("tracking.files.locks._without_locks", set())
    with locked(tmp_path):
        hold_as_job(tmp_path)
    assert caplog.text.count("has no locks") == 1


def test_a_folder_that_cannot_be_locked_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="cannot lock"), locked(tmp_path / "gone"):
        pass


def test_a_full_disk_is_an_error_that_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(SweepError, match=f"cannot lock {tmp_path}: .*No space left"), locked(tmp_path):
        pass
