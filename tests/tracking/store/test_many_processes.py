"""Many processes in one store: names are unique, each run is published, and killed processes lose no point."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tracking import ExperimentTracker

ROOT = Path(__file__).resolve().parents[3]
CROWD = Path(__file__).with_name("crowd.py")


class Told(NamedTuple):
    """A call that returned in one of the processes."""

    pid: int
    what: str
    run_id: str
    number: int


class Crowd:
    """The processes of crowd.py; what they tell comes as it happens."""

    def __init__(self, base: Path, *words: object, under: tuple[str, ...] = ()) -> None:
        self.command = [*under, sys.executable, str(CROWD), str(base), *map(str, words)]
        self.ends: list[int] = []
        self.has_locks = "nolock" not in words and not under

    def told(self, *, kills: int = 0, every: int = 1) -> Iterator[Told]:
        """All that is told; the process that told each `every`th line is killed on the spot, until so many are dead."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        with subprocess.Popen(self.command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
            for position, line in enumerate(process.stdout):
                pid, what, *words = line.split()
                if what == "ends":
                    self.ends = list(map(int, words))
                    continue
                yield Told(int(pid), what, words[0], int(words[1]))
                if kills and position % every == every - 1 and int(pid) != process.pid:
                    os.kill(int(pid), signal.SIGKILL)
                    kills -= 1
            said = process.stderr.read().splitlines()
            assert [line for line in said if self.has_locks or "has no locks" not in line] == []
            assert process.wait() == 0


def published(base: Path) -> dict[str, dict[str, object]]:
    entries = json.loads((base / "metadata.json").read_text())
    assert len({entry["run_id"] for entry in entries}) == len(entries)
    return {entry["run_id"]: entry for entry in entries}


def ids(told: list[Told], what: str) -> list[str]:
    return [line.run_id for line in told if line.what == what]


def check_whole(base: Path, told: list[Told], count: int, *, publishes: bool = False) -> None:
    """All runs are there once, published, and hold what was logged; with `publishes`, after one more publication."""
    if publishes:
        ExperimentTracker(base).publish()
    created = {line.run_id: f"{line.pid}.{line.number}" for line in told if line.what == "created"}
    assert len(ids(told, "created")) == len(created) == count
    assert {run_id: entry["tags"]["who"] for run_id, entry in published(base).items()} == created
    assert {entry["status"] for entry in published(base).values()} == {"completed"}
    assert sorted(ids(told, "finished")) == sorted(created)
    tracker = ExperimentTracker(base)
    for line in told:
        if line.what == "finished":
            run = tracker.get_run(line.run_id)
            assert [point["value"] for point in run["metrics"]["n"]] == [line.number]
            assert run["params"] == {"number": line.number}


def check_survivors(base: Path, told: list[Told]) -> None:
    """What was told is there, also of those that were killed; nothing keeps the next process from working."""
    tracker = ExperimentTracker(base)
    tracker.publish()
    listed = {run["run_id"]: run for run in tracker.list_runs()}
    assert {run_id: entry["status"] for run_id, entry in published(base).items()} == {
        run_id: run["status"] if run["status"] != "killed" else "running" for run_id, run in listed.items()
    }
    for line in told:
        assert listed[line.run_id]["tags"] == {"who": f"{line.pid}.{line.number}"}
        if line.what != "created":
            run = tracker.get_run(line.run_id)
            assert [point["value"] for point in run["metrics"]["n"]] == [line.number]
    assert {listed[run_id]["status"] for run_id in ids(told, "finished")} == {"completed"}
    assert {listed[run_id]["status"] for run_id in set(listed) - set(ids(told, "finished"))} <= {
        "killed",
        "completed",  # killed between the finish and telling of it
    }
    new = tracker.create_run("after")
    assert new not in listed
    assert new in published(base)


@pytest.mark.parametrize(
    ("locks", "count"),
    [
        ("", 320),
        ("nolock", 128),
        pytest.param("", 1000, marks=pytest.mark.exhaustive),
        pytest.param("nolock", 1000, marks=pytest.mark.exhaustive),
    ],
    ids=["with locks", "without locks", "a thousand with locks", "a thousand without locks"],
)
def test_sixty_four_processes_create_runs_at_once(base: Path, locks: str, count: int) -> None:
    crowd = Crowd(base, "runs", 64, count, locks)
    told = list(crowd.told())
    assert crowd.ends == [0] * 64
    check_whole(base, told, count, publishes=not crowd.has_locks)


@pytest.mark.parametrize("locks", ["", "nolock"], ids=["with locks", "without locks"])
def test_processes_killed_while_they_write_lose_nothing_acknowledged(base: Path, locks: str) -> None:
    crowd = Crowd(base, "runs", 24, 240, locks)
    told = list(crowd.told(kills=12, every=random.Random(1).randrange(17, 23)))
    killed = crowd.ends.count(-signal.SIGKILL)
    assert 4 <= killed <= 12  # some may have done their part before they are heard of
    assert crowd.ends.count(0) == 24 - killed
    check_survivors(base, told)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_file_system_without_locks_keeps_every_run(base: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    under = ("strace", "-f", "-qq", "-o", str(trace), "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK")
    crowd = Crowd(base, "runs", 8, 40, under=under)
    told = list(crowd.told())
    assert "(INJECTED)" in trace.read_text()
    assert crowd.ends == [0] * 8
    check_whole(base, told, 40, publishes=True)


@pytest.mark.parametrize("kills", [0, 3])
def test_ranks_log_to_one_run_and_every_acknowledged_point_is_there_once(base: Path, kills: int) -> None:
    crowd = Crowd(base, "ranks", 8, 2400)
    told = list(crowd.told(kills=kills, every=97))
    killed = crowd.ends.count(-signal.SIGKILL)
    assert bool(kills) <= killed <= kills  # one may have done its part before it is heard of
    assert crowd.ends.count(0) == 8 - killed
    (run_id,) = set(ids(told, "created"))
    logged = {line.number for line in told if line.what == "logged"} | {-1}
    tried = {line.number for line in told if line.what == "trying"} | {-1}
    tracker = ExperimentTracker(base)
    # one that is killed may have been the last to open the run again
    ends = {"completed", "ended", "killed"} if kills else {"completed"}
    for ending in (ends, {"completed"}):
        points = [(point["step"], point["value"]) for point in tracker.get_run(run_id)["metrics"]["n"]]
        found = [step for step, _ in points]
        assert points == [(step, step) for step in sorted(set(found))]
        assert logged <= set(found) <= tried
        assert tracker.record(run_id).summary["n"].count == len(points)
        assert tracker.get_run(run_id)["status"] in ending
        # once more, after somebody finished it for good
        tracker.finish_run(run_id)


@pytest.mark.exhaustive
@pytest.mark.parametrize("locks", ["", "nolock"], ids=["with locks", "without locks"])
@pytest.mark.parametrize("seed", range(5))
def test_processes_killed_at_any_moment_lose_nothing_acknowledged(base: Path, locks: str, seed: int) -> None:
    crowd = Crowd(base, "runs", 64, 960, locks)
    told = list(crowd.told(kills=40, every=random.Random(seed).randrange(11, 41)))
    assert crowd.ends.count(-signal.SIGKILL) == 40
    check_survivors(base, told)
