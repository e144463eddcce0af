"""Three answers about a process stay three: alive, gone, unknown."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import Say

from tracking import ExperimentTracker, RunInUseError
from tracking.doctor import examine
from tracking.process import identity, presence
from tracking.process.identity import Life
from tracking.store.store import Store

HERE = {key: value for key, value in identity.owner().items() if key != "token"}
CONTAINER = {"pid_namespace": "pid:[1]"}
NODE = {"host": "node-7", "boot_id": "another"}
MACHINE = {"machine": "another", "boot_id": "another"}
TOKEN = "0123456789abcdef"


@contextmanager
def lock_of_a_process(folder: Path, state: str | None) -> Iterator[None]:
    """The lock that the process with TOKEN holds, has left behind, or never had."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / TOKEN
    match state:
        case "held" | "left":
            handle = os.open(path, os.O_RDWR | os.O_CREAT)
            if state == "held":
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
            os.close(handle)
        case "pipe":
            os.mkfifo(path)
            yield
        case "link":
            (folder / "elsewhere").touch()
            path.symlink_to(folder / "elsewhere")
            yield
        case "folder":
            path.mkdir()
            yield
        case _:
            yield


@pytest.mark.parametrize(
    ("where", "state", "life"),
    [
        ({}, None, Life.ALIVE),
        ({}, "left", Life.ALIVE),  # where the process can be seen, its lock is not asked
        ({"pid": 2**22 + 1}, "held", Life.GONE),
        ({"process_started": 1}, None, Life.GONE),
        ({"boot_id": "earlier"}, "held", Life.GONE),
        (CONTAINER, "held", Life.ALIVE),
        (CONTAINER, "left", Life.GONE),
        (CONTAINER, None, Life.UNKNOWN),
        ({**CONTAINER, "host": "another-container"}, "held", Life.ALIVE),
        ({**CONTAINER, "host": "another-container"}, "left", Life.GONE),
        (NODE, "held", Life.ALIVE),
        (NODE, "left", Life.UNKNOWN),  # the file system may keep the locks of each node to itself
        (MACHINE, None, Life.UNKNOWN),
        *((CONTAINER, state, Life.UNKNOWN) for state in ("pipe", "link", "folder")),
        ({"pid": None}, None, Life.UNKNOWN),
        ({"pid": "7"}, None, Life.UNKNOWN),
    ],
)
def test_what_is_known_of_a_process(
    where: dict[str, Any], state: str | None, life: Life, tmp_path: Path
) -> None:
    with lock_of_a_process(tmp_path / "processes", state):
        assert identity.life({**HERE, **where, "token": TOKEN}, tmp_path / "processes") is life


@pytest.mark.parametrize("token", [None, 5, "", "..", "../x", "/etc/passwd", TOKEN.upper(), f"{TOKEN}\n"])
def test_a_token_leads_nowhere_but_into_the_folder(token: object, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert presence.is_held(tmp_path / "processes", token) is None


@pytest.mark.parametrize("linked", ["", "processes"])
def test_nothing_is_announced_in_a_folder_outside_of_the_store(tmp_path: Path, linked: str) -> None:
    outside, inner = tmp_path / "outside", tmp_path / "store" / ".podium"
    (outside / "processes").mkdir(parents=True)
    inner.parent.mkdir()
    if linked:
        inner.mkdir()
    (inner / linked).symlink_to(outside)
    presence.announce(inner / "processes", TOKEN)
    assert list(outside.rglob("*")) == [outside / "processes"]


def test_the_lock_is_held_until_the_process_ends_in_any_way(base: Path) -> None:
    code = (
        "import sys; from tracking import ExperimentTracker as T; T(sys.argv[1]).create_run('x'); "
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(base)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        entry = json.loads((base / "runs" / "run_001" / "run.json").read_text())
        assert presence.is_held(base / ".podium" / "processes", entry["token"]) is True
        process.kill()
        process.wait()
        assert presence.is_held(base / ".podium" / "processes", entry["token"]) is False


def test_the_same_store_under_two_paths_has_one_lock(base: Path) -> None:
    ExperimentTracker(base).finish_run(ExperimentTracker(base).create_run("x"))
    other = ExperimentTracker(base / ".." / base.name)
    other.finish_run(other.create_run("x"))
    assert len(list((base / ".podium" / "processes").iterdir())) == 1


def left_by(tracker: ExperimentTracker, **where: Any) -> str:
    """A run of a process that cannot be seen."""
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": 1.0})
    tracker.open_run(run_id).release()
    path = tracker.record(run_id).run_dir / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **where, "token": TOKEN}))
    return run_id


def test_what_cannot_be_seen_is_neither_called_alive_nor_dead_and_has_a_way_out(base: Path, say: Say) -> None:
    tracker = ExperimentTracker(base)
    run_id = left_by(tracker, **CONTAINER)
    assert tracker.record(run_id).status == "running"
    code, _, error = say("delete", run_id, "--yes", "--store", str(base))
    assert code == 1
    assert "alive" not in error
    assert "its process cannot be seen from here; if it has ended: python -m tracking finish run_001" in error
    (finding,) = examine(Store(base), repair=True).findings
    assert "of another container, is alive cannot be seen from here" in finding.what
    assert finding.remedy == "if it has ended: python -m tracking finish run_001 --status killed"
    for _ in range(2):  # a second time changes nothing
        assert say("finish", run_id, "--status", "killed", "--store", str(base))[0] == 0
    assert say("delete", run_id, "--yes", "--store", str(base))[0] == 0


def test_a_container_that_was_killed_does_not_keep_its_run_alive(base: Path, say: Say) -> None:
    tracker = ExperimentTracker(base)
    run_id = left_by(tracker, **CONTAINER)
    with lock_of_a_process(base / ".podium" / "processes", "left"):
        assert tracker.record(run_id).status == "killed"
        assert tracker.search_runs("status == 'killed'")
        (finding,) = examine(Store(base), repair=True).findings
        assert finding.what.endswith("has ended")
    assert not list((base / "runs" / run_id).glob("metrics*.jsonl"))
    assert say("finish", run_id, "--store", str(base))[0] == 0
    assert say("delete", run_id, "--yes", "--store", str(base))[0] == 0


def test_the_flag_that_a_refusal_names_is_the_way_out(base: Path, say: Say) -> None:
    tracker = ExperimentTracker(base)
    living = [tracker.create_run("x") for _ in range(3)]
    for command, run_id in (("finish", living[0]), ("delete", living[1])):
        more = ("--yes",) if command == "delete" else ()
        code, _, error = say(command, run_id, *more, "--store", str(base))
        assert (code, "--force" in error, "stop" in error) == (1, True, True)
        assert say(command, run_id, *more, "--force", "--store", str(base))[0] == 0
    assert tracker.record(living[0]).status == "killed"
    assert tracker.record(living[1]) is None
    with pytest.raises(RunInUseError):
        tracker.delete_run(living[2])
    tracker.delete_run(living[2], force=True)


def test_locks_of_processes_that_are_gone_are_leftovers_once_no_run_is_running(base: Path) -> None:
    from tracking.doctor import leftovers

    tracker = ExperimentTracker(base)
    run_id = tracker.create_run("x")
    store, path = Store(base), base / ".podium" / "processes" / TOKEN
    with lock_of_a_process(path.parent, "left"), pytest.MonkeyPatch.context() as patch:
        assert list(leftovers.find_leftovers(store.paths)) == []
        patch.setattr(leftovers, "STALE_S", -3600.0)
        assert path not in leftovers.find_leftovers(store.paths)
        tracker.finish_run(run_id)
        assert list(leftovers.find_leftovers(store.paths)) == [path]
