"""Two sweeps of a user's own model: the second winner is judged on rows that no job saw, and on rows of a file."""

import subprocess
from pathlib import Path

import forked
import numpy as np
import pandas as pd
import pytest

from tracking import ModelRegistry
from tracking.files import read_json

MINE = """
from trainer.models.tabular import TabularClassifier

class Net(TabularClassifier):
    pass

def profit(target, chances, *, win=10.0):
    return float(((chances > 0.5) * (target * win - 1)).mean())
"""
OWN = (
    "data=csv", "data.path=t.csv", "data.target=y", "data.drop=[user]", "model._target_=mine.Net",
    "+metrics.profit._target_=mine.profit", "training.batch_size=64", "sweep.report_html=false",
)  # fmt: skip


def rows(count: int, *, seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    x, kind = draw.normal(size=(count, 2)), draw.choice(list("abcd"), count)
    odds = x[:, 0] + 0.7 * x[:, 1] * x[:, 0] + (kind == "a") * 1.2 + draw.normal(size=count) * 0.7
    named = {
        "x1": x[:, 0].round(4),
        "x2": x[:, 1].round(4),
        "kind": kind,
        "user": draw.integers(0, 300, count),
    }
    return pd.DataFrame({**named, "y": np.where(odds > 0.3, "yes", "no")})


def sweep(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    answer = forked.run("-m", "trainer", "-m", *OWN, *words, kind="trainer", cwd=folder, timeout=280)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer


@pytest.mark.slow
def test_the_second_winner_is_judged_on_rows_that_no_job_saw(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    rows(3000, seed=0).to_csv(tmp_path / "t.csv", index=False)
    rows(1500, seed=1).to_csv(tmp_path / "new.csv", index=False)
    sweep(tmp_path, "training.learning_rate=1e-4", "training.epochs=1")
    registry = ModelRegistry(tmp_path / "experiments")
    champion = registry.champion("t_model")
    assert champion is not None
    assert champion.data["promotion_rows"] == 300
    guards = "promotion.rules.not_worse={profit: 0.1, log_loss: 0.01}"
    sweep(tmp_path, "training.learning_rate=3e-3", "training.epochs=12", guards, "promotion.cluster=user")
    verdict = read_json(tmp_path / "experiments" / "models" / "t_model" / "v2" / "verdict.json")
    assert (verdict["basis"], verdict["promote"]) == ("scores", True)
    assert verdict["split"]["name"].startswith("the promotion rows")
    assert verdict["split"]["rows"] == 300
    assert {each["measure"] for each in verdict["rules"]} >= {"auc", "profit", "log_loss"}
    sweep(
        tmp_path, "training.learning_rate=2e-3", "training.epochs=12", "promotion.split=new.csv",
        "promotion.rules.slices={kind: 0.05}",
    )  # fmt: skip
    verdict = read_json(tmp_path / "experiments" / "models" / "t_model" / "v3" / "verdict.json")
    assert verdict["split"]["rows"] == 1500
    assert verdict["split"]["name"] == "the file new.csv"
    assert {tuple(each["slice"]) for each in verdict["rules"] if each["slice"]} == {
        ("kind", k) for k in "abcd"
    }
    leak = pd.concat([pd.read_csv(tmp_path / "t.csv").head(400), rows(500, seed=2)])
    leak.to_csv(tmp_path / "leak.csv", index=False)
    answer = sweep(tmp_path, "training.learning_rate=1e-3", "training.epochs=1", "promotion.split=leak.csv")
    assert "trained on" in answer.stdout
    champion = registry.champion("t_model")
    assert champion is not None
    assert champion.version in (2, 3)
