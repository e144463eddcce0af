"""A search whose process is killed again and again goes on as one that was not."""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from killer import NEVER, call, put_killer

from sweeps.ranking.status import SweepState, sweep_status
from tracking.files import read_lines

LEARNER = Path(__file__).parents[1] / "apps" / "learner"
COMMAND = (
    "app.py", "-m", "hydra.sweeper.name=mine", "x=interval(0.0,1.0)", "y=0,1,2", "hydra.sweeper.mode=tpe",
    "hydra.sweeper.schedule=asha", "hydra.sweeper.n_trials=9", "hydra.sweeper.confirm=2", "fault=slow",
)  # fmt: skip


def make_app(folder: Path) -> Path:
    put_killer(folder)
    for file in ("app.py", "config.yaml"):
        shutil.copy(LEARNER / file, folder)
    return folder


def run(folder: Path, *settings: str, kill_before: int = NEVER) -> int:
    """Begin the sweep or resume it; return its exit code."""
    is_begun = (folder / "experiments" / "sweeps" / "mine" / "plan.json").exists()
    more = ["hydra.sweeper.resume=mine"] if is_begun else []
    result = call(folder, *COMMAND, *settings, *more, kill_before=kill_before)
    assert result.returncode in (0, -9), result.stdout + result.stderr
    return result.returncode


def decided(folder: Path) -> list[Any]:
    """What the search decided on, in order."""
    ledger = folder / "experiments" / "sweeps" / "mine" / "jobs.jsonl"
    found: list[Any] = []
    for event in read_lines(ledger):
        if event["event"] == "asked":
            found.append((event["job"], event["point"], event["until"], event["repeats"]))
        elif event["event"] == "resumed":
            found.append((event["job"], event["until"]))
    return found


def ranked(folder: Path) -> list[Any]:
    """The leaderboard without what depends on the clock and on the number of attempts."""
    board = sweep_status(folder / "experiments" / "sweeps" / "mine").board
    return [(row.rank, row.job, row.objective, row.epochs, str(row.status)) for row in board.rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search that was not killed."""
    folder = make_app(tmp_path_factory.mktemp("whole") / "app")
    assert run(folder) == 0
    return folder


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.exhaustive)])
def test_with_one_slot_it_decides_and_ranks_as_if_it_had_not_been_killed(
    whole: Path, tmp_path: Path, kills: int
) -> None:
    folder, source = make_app(tmp_path / "app"), random.Random(kills)
    changes = int((whole / "changes").read_text())
    killed = sum(run(folder, kill_before=source.randint(5, changes // 5)) == -9 for _ in range(kills))
    assert killed > kills // 2  # the last lives may be too short
    assert run(folder) == 0
    assert decided(folder) == decided(whole)
    assert ranked(folder) == ranked(whole)
    assert sweep_status(folder / "experiments" / "sweeps" / "mine").state is SweepState.FINISHED


ONLY_LOGS = (
    "asks=false",
    "hydra.sweeper.resumes=false",
    "epochs=30",
    "hydra.sweeper.max_epochs=30",
    "seed=1",
)


@pytest.mark.slow
def test_with_one_slot_an_app_that_only_logs_decides_and_ranks_as_if_it_had_not_been_killed(
    tmp_path: Path,
) -> None:
    whole, folder = make_app(tmp_path / "whole" / "app"), make_app(tmp_path / "app")
    assert run(whole, *ONLY_LOGS) == 0
    assert {status for *_, status in ranked(whole)} == {"completed", "pruned"}
    changes, source = int((whole / "changes").read_text()), random.Random(4)
    killed = sum(run(folder, *ONLY_LOGS, kill_before=source.randint(5, changes // 4)) == -9 for _ in range(4))
    assert killed > 2
    assert run(folder, *ONLY_LOGS) == 0
    assert decided(folder) == decided(whole)
    assert ranked(folder) == ranked(whole)


def test_with_two_slots_no_recorded_job_is_lost_or_repeated(tmp_path: Path) -> None:
    folder, source = make_app(tmp_path / "app"), random.Random(5)
    for _ in range(4):
        run(folder, "hydra.launcher.n_jobs=2", kill_before=source.randint(20, 90))
    assert run(folder, "hydra.launcher.n_jobs=2") == 0
    events = list(read_lines(folder / "experiments" / "sweeps" / "mine" / "jobs.jsonl"))
    asked = [event["job"] for event in events if event["event"] == "asked"]
    assert asked == list(range(9))
    completed = [
        event["job"] for event in events if event["event"] == "finished" and event["status"] == "completed"
    ]
    assert len(completed) == len(set(completed))
    ended = {event["job"] for event in events if event["event"] == "finished"}
    assert ended == set(range(9))
