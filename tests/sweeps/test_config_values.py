"""Apps whose configs hold what OmegaConf allows: paths, enums, numbers of any size, and values that only a job knows."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import pytest

from tracking import ExperimentTracker
from tracking.files import read_json

ROOT = Path(__file__).parents[2]
TYPED = """
import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import hydra
from hydra.core.config_store import ConfigStore


class Kernel(enum.Enum):
    LINEAR = 1
    RBF = 2


@dataclass
class Part:
    dir: Path = Path("../data")
    raw: bytes = b"ab"
    sizes: list[Path] = field(default_factory=lambda: [Path("a")])


@dataclass
class Config:
    defaults: list[Any] = field(default_factory=lambda: [
        "_self_", {"override hydra/sweeper": "podium"}, {"override hydra/launcher": "podium"},
        {"override hydra/callbacks": "podium"},
    ])
    x: Optional[float] = 1.0
    dir: Path = Path("here")
    kernel: Kernel = Kernel.RBF
    big: int = 2**70
    part: Part = field(default_factory=Part)


ConfigStore.instance().store(name="config", node=Config)


@hydra.main(config_path=None, config_name="config", version_base="1.3")
def main(cfg):
    assert isinstance(cfg.dir, Path) and isinstance(cfg.part.raw, bytes) and isinstance(cfg.kernel, Kernel)
    return float(cfg.big % 7) + (cfg.x is None)


if __name__ == "__main__":
    main()
"""
WITH_RESOLVERS = """
import os, signal, uuid

import hydra
from omegaconf import OmegaConf

OmegaConf.register_new_resolver("fresh", lambda: uuid.uuid4().hex)
OmegaConf.register_new_resolver("once", lambda: uuid.uuid4().hex, use_cache=True)


@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(cfg):
    if cfg.x == 2 and not os.path.exists("killed"):
        open("killed", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return float(cfg.twin)


if __name__ == "__main__":
    main()
"""
CONFIG = """
defaults: [{model: big}, _self_, {override hydra/sweeper: podium}, {override hydra/launcher: podium},
           {override hydra/callbacks: podium}]
x: 1
twin: ${x}
seed: 0
name: run_${now:%f}_${fresh:}
id: ${once:}
cluster: {job: "${oc.env:SLURM_JOB_ID}", list: ["${fresh:}", "${x}"]}
paths: {output: "${hydra:runtime.output_dir}", checkpoints: "${.output}/checkpoints"}
chosen: ${hydra:runtime.choices.model}
hydra:
  sweeper: {objective: {metric: objective, mode: min}, name: mine}
"""
Answer = subprocess.CompletedProcess[str]
Run = Callable[..., Answer]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run Python in the folder of the app, as a job of a cluster's batch system."""

    def run(*arguments: str, job: str = "1") -> Answer:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SLURM_JOB_ID": job}
        return forked.run(*arguments, cwd=tmp_path, env=environment)

    return run


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app whose config asks resolvers for the time, the environment, fresh ids and the job's folder."""
    (tmp_path / "app.py").write_text(WITH_RESOLVERS)
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "model").mkdir()
    for name, size in (("big", 9), ("small", 1)):
        (tmp_path / "model" / f"{name}.yaml").write_text(f"size: {size}\n")
    return tmp_path


def points(folder: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_json(folder / "experiments" / "sweeps" / name / "leaderboard.json")[
        "rows"
    ]
    return [row["point"] for row in rows]


def test_every_kind_of_value_is_swept_planned_tracked_and_found(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(TYPED)
    swept = ("x=1,null,inf,nan", f"big={2**64},{2**64 + 1}", "kernel=LINEAR", "dir=a/b")
    answer = run("app.py", "-m", *swept, "hydra.sweeper.name=mine")
    assert answer.returncode == 0, answer.stderr
    plan = read_json(tmp_path / "experiments" / "sweeps" / "mine" / "plan.json")
    assert plan["config"] == {
        "x": 1.0, "dir": "a/b", "kernel": "LINEAR", "big": 2**70,
        "part": {"dir": "../data", "raw": "b'ab'", "sizes": ["a"]},
    }  # fmt: skip
    runs = ExperimentTracker(tmp_path / "experiments").records()
    assert len({record.sweep["key"] for record in runs}) == 8
    assert {record.params["kernel"] for record in runs} == {"LINEAR"}
    assert runs[0].params["part.dir"] == "../data"
    found = run("-m", "tracking", "search", f"big == {2**64 + 1} and x is nan and dir == 'a/b'", "--json")
    assert found.stdout.count('"run_id"') == 1
    again = run(
        "app.py",
        "-m",
        "x=nan,-inf",
        "dir=a/b",
        f"big={2**64}",
        "kernel=LINEAR",
        "hydra.sweeper.reuse=true",
        "hydra.sweeper.objective.metric=objective",
    )
    assert "reuse: 1 of 2 jobs" in again.stdout, again.stderr


def test_a_sweep_goes_on_although_the_time_the_ids_and_the_batch_job_are_others(run: Run, app: Path) -> None:
    first = run("app.py", "-m", "x=1,2,3", "model=big,small")
    assert first.returncode == 1
    again = run("-m", "sweeps", "resume", "mine", job="2")
    assert again.returncode == 0, again.stderr
    assert "resumed with another value of cluster.job (${oc.env:SLURM_JOB_ID}): 1 -> 2" in again.stdout
    assert len(points(app, "mine")) == 6
    runs = ExperimentTracker(app / "experiments").records()
    assert {record.params["chosen"] for record in runs} == {"big", "small"}
    assert not {"paths.output", "paths.checkpoints", "name"} & set(runs[0].params)
    for old, new, said in (
        ("twin: ${x}", "twin: ${seed}", "twin: ${x} -> ${seed}"),
        ("run_${now:%f}", "run_${now:%H}", "name: run_${now:%f}_${fresh:} -> run_${now:%H}_${fresh:}"),
        ("seed: 0", "seed: 1", "seed: 0 -> 1"),
    ):
        (app / "config.yaml").write_text(CONFIG.replace(old, new))
        refused = run("-m", "sweeps", "resume", "mine")
        assert refused.returncode == 1
        assert said in refused.stderr
    (app / "config.yaml").write_text(CONFIG)
    (app / "model" / "small.yaml").write_text("size: ${x}\n")
    refused = run("-m", "sweeps", "resume", "mine")
    assert "job 1 (x=1 model=small): its config: " in refused.stderr
    assert "job 0" not in refused.stderr


def test_conditions_look_past_what_only_the_job_knows(run: Run, app: Path) -> None:
    def jobs(*settings: str) -> str:
        return run(
            "app.py", "-m", "x=1,2,3", "model=big,small", "hydra.sweeper.dry_run=true", *settings
        ).stdout

    both = "twin > 1 and model.size == 9 and chosen == 'big'"
    assert "\n2 jobs, " in jobs(f'hydra.sweeper.filter="{both}"')
    assert "\n4 jobs, " in jobs("hydra.sweeper.when={x:\"chosen == 'small'\"}")
    assert "\n1 job, " in jobs("x=${seed},1", "model=big", "hydra.sweeper.filter='x == 0 and twin < 1'")
    refused = run("app.py", "-m", "x=1,2", "hydra.sweeper.filter=\"paths.checkpoints contains 'a'\"")
    assert refused.returncode == 1
    assert (
        "filter: paths.checkpoints has no value before its job runs, because it is ${.output}/checkpoints"
        in refused.stderr
    )
