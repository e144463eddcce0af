"""Jobs whose task opens its run by its own tracker are made again with the overrides of the job."""

import json
from pathlib import Path

import pytest
from command_line import Say
from rerun_project import commit, run

from tracking import ExperimentTracker
from tracking.errors import RerunError
from tracking.rerun import Likeness, rerun, results_of
from tracking.store.store import Store

APP = """
import random
import hydra
from tracking import ExperimentTracker


@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(cfg):
    params = {"x": cfg.x, "name": cfg.name}
    with ExperimentTracker("experiments").start_run("mine", params=params, seeds={"torch": cfg.fit.seed}) as run:
        run.log({"loss": (cfg.x - 2) ** 2 + cfg.noise * random.SystemRandom().random(), "seed": cfg.fit.seed})


if __name__ == "__main__":
    main()
"""
CONFIG = """
defaults:
  - override hydra/sweeper: podium
  - override hydra/launcher: podium
  - _self_
x: 0
name: none
noise: 0.0
fit: {seed: 4, epochs: 3, lost: "${nothing}"}
hydra:
  sweeper:
    objective: {metric: loss}
"""
STARTS = """
import subprocess, sys
import hydra


@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(cfg):
    subprocess.run([sys.executable, "train.py", str(cfg.x), "--seed", "3"], check=True)


if __name__ == "__main__":
    main()
"""


@pytest.fixture
def app(repo: Path) -> Path:
    """The repository with an app of two parameters."""
    (repo / "app.py").write_text(APP)
    (repo / "config.yaml").write_text(CONFIG)
    with (repo / ".gitignore").open("a") as file:
        file.write("outputs/\nmultirun/\n")
    commit(repo)
    return repo


def of_job(store: Path, x: float, name: str = "x") -> str:
    (found,) = (each for each in ExperimentTracker(store).records() if each.params[name] == x)
    assert found.sweep is not None
    return found.run_id


@pytest.mark.parametrize("launcher", ["podium", "basic"])
def test_a_job_is_made_again_with_its_overrides(app: Path, store: Path, launcher: str) -> None:
    run(app, "app.py", "-m", "x=1,3", "name='a b'", f"hydra/launcher={launcher}")

    result = rerun(of_job(store, 3), store)

    assert (result.verdict, result.points) == (Likeness.IDENTICAL, 2)
    again = ExperimentTracker(store).record(result.new_run)
    assert again is not None
    assert (again.params, again.sweep) == ({"x": 3, "name": "a b"}, None)


def test_a_suggested_job_is_made_again(app: Path, store: Path) -> None:
    run(app, "app.py", "-m", "x=interval(0.0,4.0)", "hydra.sweeper.mode=random", "hydra.sweeper.n_trials=2")
    (first, _) = ExperimentTracker(store).records()

    assert rerun(first.run_id, store).verdict is Likeness.IDENTICAL


@pytest.mark.parametrize("words", [["-m", "noise=0.1,0.2"], ["noise=0.2"]], ids=["job", "run"])
def test_further_runs_of_a_run_without_a_config_get_seeds_where_the_app_has_its_own(
    app: Path, store: Path, words: list[str]
) -> None:
    run(app, "app.py", *words)

    result = rerun("run_001", store, seeds=2, metric="loss")

    assert result.noise is not None
    assert result.noise.seeds == (5, 6)
    assert "2 runs with other seeds" in result.sentence
    runs = [ExperimentTracker(store).record(name) for name in result.noise.runs]
    assert [each and each.last_values["seed"] for each in runs] == [5, 6]


def test_a_program_that_a_job_started_is_made_again_by_its_own_command(app: Path, store: Path) -> None:
    (app / "starts.py").write_text(STARTS)
    commit(app)
    run(app, "starts.py", "-m", "x=0.25,0.5", "hydra.sweeper.objective=null")

    result = rerun(of_job(store, 0.5, "rate"), store)

    assert (result.verdict, result.points) == (Likeness.IDENTICAL, 3)


def test_a_run_with_other_parameters_is_not_the_run_made_again(app: Path, store: Path, say: Say) -> None:
    run(app, "app.py", "-m", "x=1,4", "hydra.launcher.n_jobs=1")
    first = of_job(store, 4)  # whose loss is that of the default
    (store / "runs" / first / "overrides.yaml").unlink()

    with pytest.raises(RerunError, match="has other parameters: x is 0, was 4; the run does not remember"):
        rerun(first, store)
    code, out, err = say("rerun", first, "--store", str(store))

    assert (code, out) == (2, "")
    assert "other parameters: x is 0, was 4" in err
    assert results_of(Store(store).paths.run(first)) == []
    again = json.loads((store / "runs/run_004/run.json").read_text())
    assert again["tags"] == {"rerun_of": first}
