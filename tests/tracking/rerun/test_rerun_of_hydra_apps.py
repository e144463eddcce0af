"""Hydra apps, jobs of sweeps and the trainer are run again as single runs with the config that they had."""

import json
import os
import subprocess
import sys
from pathlib import Path

import forked
import pytest
from rerun_project import commit, content, git, run

from tracking import ExperimentTracker
from tracking.errors import RerunError
from tracking.rerun import Likeness, rerun

ROOT = Path(__file__).resolve().parents[3]

APP = """
import random
import hydra
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float:
    from tracking import active_run
    draw = random.Random(cfg.seed)
    for step in range(3):
        active_run().log({"loss": cfg.model.scale * cfg.rate * draw.random() + len(cfg.get("password") or "")}, step=step)
    return cfg.rate


if __name__ == "__main__":
    main()
"""

CONFIG = """
defaults:
  - _self_
  - model: small
  - optional local: default
  - override hydra/sweeper: podium
  - override hydra/launcher: podium
  - override hydra/callbacks: podium
rate: 0.1
seed: 0
twice: ${rate}
hydra:
  sweeper:
    objective: {metric: objective, mode: min}
"""


@pytest.fixture
def app(repo: Path) -> Path:
    """The repository with a Hydra app; its `conf/local` is not in git."""
    (repo / "app.py").write_text(APP)
    for name, text in {
        "config": CONFIG,
        "model/small": "scale: 1.0\nname: small\n",
        "model/large": "scale: 2.0\nname: large\n",
        "local/default": "# @package _global_\nrate: 0.3\n",
    }.items():
        path = repo / f"conf/{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with (repo / ".gitignore").open("a") as file:
        file.write("conf/local/\noutputs/\nmultirun/\n")
    commit(repo)
    return repo


def test_an_app_is_run_again_with_the_config_that_it_had(app: Path, store: Path) -> None:
    run(app, "app.py", "model=large", "seed=4")
    (app / "conf/local/default.yaml").write_text("# @package _global_\nrate: 0.9\n")
    (app / "conf/model/large.yaml").write_text("scale: 5.0\n")
    commit(app)
    before = content(app)

    result = rerun("run_001", store)

    assert (result.verdict, result.points) == (Likeness.IDENTICAL, 4)
    assert result.config == ("rate",), "git has all but what conf/local says, which changed"
    assert content(app) == before
    again = ExperimentTracker(store).record(result.new_run)
    assert again is not None
    assert again.params["rate"] == 0.3
    entry = json.loads((store / "runs" / result.new_run / "run.json").read_text())
    assert entry["imported_from"] is None, "the callback tracked below the checkout, which is gone"


def test_a_job_of_a_sweep_is_run_again_as_a_single_run(app: Path, store: Path) -> None:
    run(app, "app.py", "-m", "rate=0.1,0.2", "model=large", "hydra.launcher.n_jobs=1", "hydra.job.name=mine")
    job = next(
        each for each in ExperimentTracker(store).search_runs("params.rate == 0.2") if each.sweep is not None
    )

    result = rerun(job.run_id, store)

    assert (result.verdict, result.points) == (Likeness.IDENTICAL, 4)
    again = ExperimentTracker(store).record(result.new_run)
    assert again is not None
    assert (again.sweep, again.rerun_of, again.params) == (None, job.run_id, job.params)
    assert again.experiment_name == "mine"


def test_the_config_of_the_present_code_gives_way_to_the_recorded_one(app: Path, store: Path) -> None:
    run(app, "app.py", "model=large", "+extra.list=[1,2]")
    (app / "conf/model/large.yaml").write_text("scale: 5.0\nname: large\nnew: 1\n")

    result = rerun("run_001", store, here=True)

    assert result.verdict is Likeness.IDENTICAL
    assert set(result.config) == {"model.scale", "model.new"}


def test_further_runs_of_an_app_get_other_seeds_in_the_config(app: Path, store: Path) -> None:
    run(app, "app.py")
    (app / "app.py").write_text(APP.replace("Random(cfg.seed)", "Random(cfg.seed + 100)"))

    result = rerun("run_001", store, seeds=3, metric="loss", here=True)

    assert result.noise is not None
    assert result.noise.seeds == (1, 2, 3)
    runs = [ExperimentTracker(store).record(name) for name in result.noise.runs]
    assert [each and each.params["seed"] for each in runs] == [1, 2, 3]


def test_a_masked_value_comes_from_where_the_config_takes_it(
    app: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (app / "conf/config.yaml").open("a") as file:
        file.write("password: ${oc.env:SECRET_WORD}\n")
    commit(app)
    monkeypatch.setenv("SECRET_WORD", "hunter2")
    run(app, "app.py")
    run(app, "app.py", "password=hunter22")
    assert "hunter" not in (store / "runs/run_002/config.yaml").read_text()

    assert rerun("run_001", store).verdict is Likeness.IDENTICAL
    with pytest.raises(RerunError, match=r"'password=\*\*\*' \(variable PASSWORD\)"):
        rerun("run_002", store)
    monkeypatch.setenv("PASSWORD", "hunter22")
    assert rerun("run_002", store).verdict is Likeness.IDENTICAL
    monkeypatch.delenv("SECRET_WORD")
    with pytest.raises(RerunError, match="SECRET_WORD"):
        rerun("run_001", store)


def test_another_app_of_hydra_that_tracks_itself_is_run_again(repo: Path, store: Path) -> None:
    (repo / "plain.py").write_text(
        "import hydra\nfrom omegaconf import OmegaConf\nfrom pathlib import Path\n"
        "@hydra.main(version_base='1.3', config_path=None)\n"
        "def main(cfg):\n"
        "    from tracking import ExperimentTracker\n"
        "    with ExperimentTracker('experiments').start_run('x', config=OmegaConf.to_yaml(cfg)) as run:\n"
        "        run.log({'loss': cfg.rate + len(Path('data/rows.csv').read_text())})\n"
        "main()\n"
    )
    commit(repo)
    run(repo, "plain.py", "+rate=1e-3", "hydra.run.dir=outputs/mine", "hydra.output_subdir=null")

    result = rerun("run_001", store)

    assert (result.verdict, result.config) == (Likeness.IDENTICAL, ())


TRAINER = (
    "data=csv",
    "data.path=data/rows.csv",
    "data.target=y",
    "training.epochs=2",
    "training.batch_size=16",
)


@pytest.fixture
def table(repo: Path) -> Path:
    """The repository with a table of 120 rows that git ignores."""
    rows = [f"{(7 * n) % 13},{(5 * n) % 11},{int((7 * n) % 13 + n % 3 > 6)}" for n in range(120)]
    (repo / "data/rows.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    return repo


@pytest.fixture(scope="module", autouse=True)
def server() -> None:
    """Start the process that trainers are forked from in a folder that outlives a test."""
    forked.Server.of("trainer")


def train(folder: Path, *words: str) -> None:
    """Run the trainer from the folder."""
    done = forked.run("-m", "trainer", *words, kind="trainer", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_trainer_is_run_again_with_data_that_git_ignores(table: Path, store: Path) -> None:
    pytest.importorskip("torch")
    train(table, *TRAINER)
    before = content(table)

    result = rerun("run_001", store)

    assert result.verdict is Likeness.IDENTICAL, result.sentence
    assert result.points > 5
    assert result.data[0] is not None
    assert content(table) == before


@pytest.mark.slow
def test_a_job_of_a_sweep_of_the_trainer_is_run_again(table: Path, store: Path) -> None:
    train(
        table,
        "-m",
        *TRAINER,
        "training.learning_rate=0.01,0.1",
        "sweep.n_jobs=2",
        "hydra.sweeper.winner=null",
    )
    (table / "data/rows.csv").write_text((table / "data/rows.csv").read_text() + "1,2,1\n")

    changed = rerun("run_001", store)
    lines = (table / "data/rows.csv").read_text().splitlines()
    (table / "data/rows.csv").write_text("\n".join(lines[:-1]) + "\n")
    same = rerun("run_001", store)

    assert changed.verdict is Likeness.DIFFERENT
    assert "the data changed" in changed.sentence
    assert same.verdict is Likeness.IDENTICAL, same.sentence


@pytest.mark.slow
@pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="an unpacked copy of podium has no commit that could be made again"
)
def test_podium_itself_may_be_the_repository(tmp_path: Path) -> None:
    """A trainer that runs from a checkout is run again from a checkout of its commit."""
    clone, store = tmp_path / "podium", tmp_path / "store"
    git(tmp_path, "clone", "-q", "--shared", str(ROOT), str(clone))
    environment = {**os.environ, "PYTHONPATH": str(clone)}
    words = ["data=breast_cancer", "training.epochs=2", f"paths.experiments={store}"]
    command = [sys.executable, "-m", "trainer", *words]
    subprocess.run(command, cwd=clone, env=environment, check=True, capture_output=True)
    (clone / "trainer/task.py").write_text("raise ValueError('of today')\n")

    result = rerun("run_001", store)

    assert (result.verdict, result.code) == (Likeness.IDENTICAL, ())
