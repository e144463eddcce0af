"""Locks keep threads and processes apart; a file system without them costs one warning."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tracking import ExperimentTracker
from tracking.errors import StoreUnwritableError
from tracking.files import locks, try_lock


def refuse(_handle: int, _kind: int) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(locks, "_without_locks", set())


def test_waiting_for_a_lock_ends_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "LOCK_WAIT_S", 0.0)
    failures: list[Exception] = []

    def wait() -> None:
        try:
            with locks.lock(tmp_path / "x.lock"):
                pass
        except StoreUnwritableError as error:
            failures.append(error)

    with locks.lock(tmp_path / "x.lock"):
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert "another process has locked it" in str(failures[0])
    with locks.lock(tmp_path / "x.lock"):
        pass


def test_a_thread_takes_a_lock_it_holds_under_any_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LOCK_WAIT_S", 0.0)
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(tmp_path)
    with locks.lock_folder(folder), locks.lock_folder(folder), locks.lock_folder(link / "folder"):
        pass


def test_shared_locks_exclude_only_the_exclusive_one(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with path.open("w") as one, path.open() as two, path.open() as three:
        assert try_lock(one.fileno(), path, is_shared=True)
        assert try_lock(two.fileno(), path, is_shared=True)
        assert not try_lock(three.fileno(), path)


def test_a_child_forked_while_a_lock_is_held_does_not_keep_it(tmp_path: Path) -> None:
    with locks.lock(tmp_path / "x.lock"):
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
    try:
        code = (
            "import sys; from pathlib import Path; from tracking.files import locks; locks.LOCK_WAIT_S = 0.0\n"
            "with locks.lock(Path(sys.argv[1])): print('held')"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "x.lock")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == "held\n", done.stderr
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_without_locks_work_goes_on_after_one_warning_for_the_file_system(
    tmp_path: Path, no_locks: None, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.lock", "b.lock"):
        with locks.lock(tmp_path / name), locks.lock_folder(tmp_path):
            pass
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'a.lock'}: the file system has no locks (No locks available); "
        "do not change one run, model or sweep from two processes at once"
    ]


def test_without_locks_processes_that_write_runs_of_their_own_damage_nothing(base: Path) -> None:
    code = """
import errno, fcntl, sys
def refuse(*_): raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = refuse
from tracking import ExperimentTracker
tracker = ExperimentTracker(sys.argv[1])
for number in range(10):
    with tracker.start_run("x", params={"number": number}) as run:
        run.log({"a": number})
"""
    command = [sys.executable, "-c", code, str(base)]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for writer in writers:
        warnings = writer.communicate()[1].splitlines()
        assert writer.returncode == 0, warnings
        assert ["has no locks" in line for line in warnings] == [True]
    assert isinstance(json.loads((base / "metadata.json").read_text()), list)
    tracker = ExperimentTracker(base)
    tracker.publish()
    published = json.loads((base / "metadata.json").read_text())
    assert [entry["run_id"] for entry in published] == [f"run_{n:03d}" for n in range(1, 41)]
    for entry in published:
        run = tracker.get_run(entry["run_id"])
        assert entry["status"] == "completed"
        assert [point["value"] for point in run["metrics"]["a"]] == [run["params"]["number"]]
