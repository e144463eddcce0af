"""A job of a sweep keeps what its plots show, and they can be drawn from that at any time."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from trainer.data.target import Target, TaskKind
from trainer.draw.draw_command import main
from trainer.draw.of_run import draw_run, winner
from trainer.errors import LoadError
from trainer.plots import kept
from trainer.plots.kept import SCORES, Kept, keep, read
from trainer.task import train
from trainer.tasks.scores import Scores

CLASSES = Target("y", classes=("no", "yes"))


@pytest.fixture
def in_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the trainer think that it is a job of a sweep."""
    config = {"hydra": {"mode": RunMode.MULTIRUN, "overrides": {"task": []}}}
    monkeypatch.setattr(HydraConfig.instance(), "cfg", OmegaConf.create(config))


def names(run: Path) -> set[str]:
    return {each.name for each in (run / "artifacts" / "plots").glob("*")}


@pytest.mark.usefixtures("plots")
def test_a_single_run_draws_its_plots_and_they_can_be_drawn_again(quick: DictConfig, store: Path) -> None:
    train(quick)
    run = store / "runs" / "run_001"
    first = {each: (run / "artifacts" / "plots" / each).read_bytes() for each in names(run)}
    assert len(first) == 6
    draw_run(run)
    again = {each: (run / "artifacts" / "plots" / each).read_bytes() for each in names(run)}
    pictures = [each for each in first if each.endswith("png")]
    # Predictions are kept in single precision, which no picture of so few rows shows.
    assert {each: again[each] == first[each] for each in pictures} == dict.fromkeys(pictures, True)


@pytest.mark.usefixtures("plots", "in_a_sweep")
def test_a_job_of_a_sweep_draws_none_and_its_winner_is_drawn(quick: DictConfig, store: Path) -> None:
    train(quick)
    run = store / "runs" / "run_001"
    assert (run / "artifacts" / SCORES).exists()
    assert names(run) == set()
    winner(str(run))
    assert {"curves.png", "roc.png", "confusion.png", "calibration.csv"} <= names(run)


def test_the_command_draws_runs_by_id_and_by_folder(
    quick: DictConfig, store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(quick)
    capsys.readouterr()
    assert main(["run_001", f"store={store}"]) == 0
    assert "run_001: 5 plots in" in capsys.readouterr().out
    monkeypatch.chdir(store / "runs")
    assert main([str(store / "runs" / "run_001")]) == 0
    monkeypatch.setenv("PODIUM_STORE", str(store))
    assert main(["run_001"]) == 0
    assert main([f"store={store}"]) == 2
    assert main(["--help"]) == 0


def test_a_wrong_name_or_option_draws_nothing(
    quick: DictConfig, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(quick)
    assert main(["run_001", "run_009", f"store={store}"]) == 1
    assert "run_009: there is no run" in capsys.readouterr().err
    assert main(["run_001", "--store", str(store)]) == 2
    assert "there is no option --store; the store is given as store=FOLDER" in capsys.readouterr().err
    assert names(store / "runs" / "run_001") == set()


def test_a_run_that_keeps_no_scores_is_refused_but_may_win(quick: DictConfig, store: Path) -> None:
    train(quick)
    run = store / "runs" / "run_001"
    (run / "artifacts" / SCORES).unlink()
    winner(str(run))
    with pytest.raises(LoadError, match=r"keeps no scores\.npz to draw"):
        draw_run(run)


def test_the_command_loads_no_torch() -> None:
    code = "import sys, trainer.draw.of_run; sys.exit(bool({'torch', 'sklearn', 'pandas', 'hydra'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def several(rows: int) -> Scores:
    draw = np.random.default_rng(0)
    return Scores(
        0.5, 0.6, 0.7, draw.dirichlet(np.ones(4), rows), draw.integers(0, 4, rows), TaskKind.MULTICLASS
    )


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        (Scores(0.5, 0.6, 0.7, np.linspace(0, 1, 9), np.arange(9.0) % 2, weight=np.arange(9.0)), CLASSES),
        (several(20), Target("y", TaskKind.MULTICLASS, tuple("abcd"))),
        (Scores(0.5, np.nan, np.nan, np.linspace(-1, 1, 9), np.linspace(-1.5, 1, 9), TaskKind.REGRESSION), Target("y", TaskKind.REGRESSION, mean=3.5)),
        (Scores(np.nan, 0.5, np.nan, np.full(3, np.nan), np.ones(3)), CLASSES),
    ],
)  # fmt: skip
def test_what_is_kept_is_read_again(tmp_path: Path, scores: Scores, labels: Target) -> None:
    keep(tmp_path / SCORES, Kept(scores, labels, 3, 0.25))
    found = read(tmp_path / SCORES)
    assert (found.labels, found.epoch, found.threshold) == (labels, 3, 0.25)
    np.testing.assert_allclose(found.scores.target, scores.target, rtol=1e-6)
    np.testing.assert_allclose(found.scores.probabilities, scores.probabilities, rtol=1e-6)
    assert (found.scores.weight is None) == (scores.weight is None)
    numbers = (scores.loss, scores.accuracy, scores.auc)
    np.testing.assert_array_equal((found.scores.loss, found.scores.accuracy, found.scores.auc), numbers)
    assert found.scores.task is scores.task


def test_of_very_many_predictions_every_nth_row_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST", 100)
    scores = several(60)
    keep(tmp_path / SCORES, Kept(scores, Target("y", TaskKind.MULTICLASS, tuple("abcd")), 1, None))
    found = read(tmp_path / SCORES).scores
    assert found.target.tolist() == scores.target[::3].tolist()
    assert len(found.probabilities) == 20


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / SCORES).write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(LoadError, match=r"scores\.npz is damaged"):
        read(tmp_path / SCORES)
    np.savez_compressed(tmp_path / SCORES, facts=np.frombuffer(json.dumps({}).encode(), np.uint8))
    with pytest.raises(LoadError, match=r"scores\.npz is damaged"):
        read(tmp_path / SCORES)
