"""Samplers: which points they return, and how a sweep asks and tells them."""

import os
from pathlib import Path

import forked
from hypothesis import given
from hypothesis import strategies as st
from quadratic import APP, Sweep

from sweeps.jobs import JobStatus, Outcome
from sweeps.samplers.listed import ListedSampler
from tracking.files import read_json

SETTINGS = ("hydra.launcher.n_jobs=1", "hydra.sweeper.max_failures=1")

# Climbs from 0 while the objective grows; asked when a slot is free, as the number of its points is not known.
CLIMBER = """
import json
from pathlib import Path

import hydra
from omegaconf import DictConfig

import sweeps.sweeper


class Climber:
    total = None
    notes = ("climbing",)

    def __init__(self):
        self.x = 0
        self.told = []

    def ask(self):
        if self.x == 4:
            return None
        self.x += 1
        return (f"x={self.x}",)

    def tell(self, number, outcome, value):
        self.told.append([number, str(outcome.status), value])
        Path("told.json").write_text(json.dumps(self.told))


@hydra.main(version_base="1.3", config_path=FOLDER, config_name="config")
def main(config: DictConfig) -> float:
    if config.x == 3:
        raise ValueError("three is too steep")
    return float(config.x)


if __name__ == "__main__":
    sweeps.sweeper.make_sampler = lambda space, settings, config_of: Climber()
    main()
"""


@given(st.lists(st.tuples(st.text(min_size=1)), max_size=5))
def test_a_listed_sampler_returns_its_points_in_order_whatever_it_is_told(points: list[tuple[str]]) -> None:
    sampler = ListedSampler(points)
    asked = []
    while (point := sampler.ask()) is not None:
        sampler.tell(len(asked), Outcome(len(asked), JobStatus.FAILED, 1.0), None)
        asked.append(point)
    assert asked == points
    assert sampler.total == len(points)
    assert sampler.ask() is None


def climb(folder: Path, *settings: str) -> Sweep:
    (folder / "climb.py").write_text(CLIMBER.replace("FOLDER", repr(str(APP.parent))))
    (folder / "alike.py").write_text("def key(config): return 'all'\n")
    answer = forked.run(
        "climb.py",
        "-m",
        "hydra.sweeper.objective={metric: null, mode: max}",
        *SETTINGS,
        *settings,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{APP.parents[4]}:{APP.parent}"},
    )
    assert answer.returncode == 0, answer.stderr
    return Sweep(answer.returncode, answer.stdout, answer.stderr, folder)


def test_an_open_sampler_is_asked_for_as_many_jobs_as_share_a_process(tmp_path: Path) -> None:
    sweep = climb(tmp_path, "hydra.sweeper.fuse_key=alike.key", "hydra.launcher.fusion_size=1")
    assert len({event["pid"] for event in sweep.events if event["event"] == "started"}) == 4
    (tmp_path / "together").mkdir()
    sweep = climb(tmp_path / "together", "hydra.sweeper.fuse_key=alike.key")
    assert len({event["pid"] for event in sweep.events if event["event"] == "started"}) == 1
    kinds = [(event["event"], event.get("job")) for event in sweep.events]
    assert kinds.index(("asked", 3)) < kinds.index(("started", 0))
    assert sorted(read_json(tmp_path / "together" / "told.json"))[3] == [3, "completed", 4.0]


def test_an_open_sampler_is_asked_when_a_slot_is_free_and_told_every_outcome(tmp_path: Path) -> None:
    sweep = climb(tmp_path)
    assert read_json(sweep.dir / "plan.json")["total"] is None
    assert [job["point"] for job in sweep.planned] == [{"x": 1}, {"x": 2}, {"x": 3}, {"x": 4}]
    kinds = [(event["event"], event.get("job")) for event in sweep.events]
    for number in range(4):
        assert kinds.index(("asked", number)) < kinds.index(("started", number))
    assert kinds.index(("started", 0)) < kinds.index(("asked", 3))
    told = read_json(tmp_path / "told.json")
    assert sorted(told) == [
        [0, "completed", 1.0],
        [1, "completed", 2.0],
        [2, "failed", None],
        [3, "completed", 4.0],
    ]
    assert [row["job"] for row in sweep.rows] == [3, 1, 0, 2]
    assert "climbing" in sweep.out + sweep.err
