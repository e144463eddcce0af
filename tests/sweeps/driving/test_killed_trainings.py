"""A search over trainings whose process is killed at random moments ends as one that was not, to the last digit."""

import random
from pathlib import Path
from typing import Any

import pytest
from killer import NEVER, call, put_killer

from sweeps.ranking.status import SweepState, sweep_status
from tracking.files import read_json, read_lines

COMMAND = (
    "-m", "trainer", "-m", "sweep.name=mine", "sweep.mode=tpe", "sweep.schedule=asha", "sweep.n_trials=8", "sweep.confirm=2",
    "training.learning_rate=tag(log,interval(1e-4,1e-1))", "model.dropout=interval(0,0.6)", "data.rows=1500",
    "training.epochs=6", "training.batch_size=128", "training.checkpoint_every_s=0", "sweep.n_jobs=1",
)  # fmt: skip


def run(folder: Path, kill_before: int = NEVER) -> int:
    """Begin the sweep or resume it; return its exit code."""
    is_begun = (folder / "experiments" / "sweeps" / "mine" / "plan.json").exists()
    more = ["sweep.resume=mine"] if is_begun else []
    result = call(folder, *COMMAND, *more, kill_before=kill_before)
    assert result.returncode in (0, -9), result.stdout + result.stderr
    return result.returncode


def result_of(folder: Path) -> tuple[Any, ...]:
    """What the search decided on, how the jobs were judged and ranked, and what was promoted, without times and ids."""
    sweep = folder / "experiments" / "sweeps" / "mine"
    events = list(read_lines(sweep / "jobs.jsonl"))
    asked = [(each["job"], each["point"], each["until"]) for each in events if each["event"] == "asked"]
    moved = [(each["job"], each["until"]) for each in events if each["event"] == "resumed"]
    judged = [(each["arrivals"], each["go_on"]) for each in events if each["event"] == "rung"]
    status = sweep_status(sweep)
    assert status.state is SweepState.FINISHED
    ranked = [(row.rank, row.job, row.objective, row.epochs, row.metrics) for row in status.board.rows]
    return asked, moved, judged, ranked, read_json(sweep / "promotion.json")["promoted"]


@pytest.mark.slow
@pytest.mark.parametrize("kills", [4, pytest.param(10, marks=pytest.mark.exhaustive)])
def test_a_search_over_trainings_that_is_killed_ends_as_if_it_had_not_been(
    tmp_path: Path, kills: int
) -> None:
    for name in ("whole", "killed"):
        put_killer(tmp_path / name)
    whole, killed, source = tmp_path / "whole", tmp_path / "killed", random.Random(7)
    assert run(whole) == 0
    changes = int((whole / "changes").read_text())
    killed_times = sum(run(killed, source.randint(5, changes // 4)) == -9 for _ in range(kills))
    assert killed_times > kills // 2  # the last lives may be too short
    assert run(killed) == 0
    assert result_of(killed) == result_of(whole)
