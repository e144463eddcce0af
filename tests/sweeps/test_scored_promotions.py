"""Sweeps of an app with a scorer of its own: the winner is judged on rows, told in words, and judged once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps.ranking.promotion import Decision
from tracking import ModelRegistry
from tracking.files import read_json

SCRIPT = """
import hydra
from tracking import ExperimentTracker

@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(cfg):
    with ExperimentTracker().start_run("e", capture_output=False) as run:
        run.log({"val_auc": cfg.skill / 10, "test_auc": cfg.skill / 11})
        run.log_text(str(cfg.skill), "skill.txt")
    return cfg.skill

if __name__ == "__main__":
    main()
"""
CONFIG = """
defaults: [{override hydra/sweeper: podium}, {override hydra/launcher: podium}]
skill: 0
hydra:
  sweeper:
    objective: {metric: val_auc}
    promotion:
      promote: true
      model_name: clicks
      files: [skill.txt]
      scorer: own_scorer.score
      draws: 100
      rules: {not_worse: {log_loss: 0.05}}
"""
SCORER = """
import pathlib, time
import numpy as np

def score(folder, split):
    print("a scorer may print")
    skill = float((folder / "skill.txt").read_text())
    random = np.random.default_rng(1)
    signal = random.normal(size=3000)
    noise = np.random.default_rng(int(100 * skill)).normal(size=3000)
    target = (random.random(3000) < 1 / (1 + np.exp(-signal))).astype(int)
    prediction = 1 / (1 + np.exp(-skill / 5 * signal + noise / 2))
    return {"prediction": prediction, "target": target}

def hang(folder, split):
    pathlib.Path("scoring.txt").touch()
    time.sleep(600)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "own_scorer.py").write_text(SCORER)
    (tmp_path / "app.py").write_text(SCRIPT)
    return tmp_path


def test_sweeps_in_a_row_promote_what_is_better_and_refuse_what_may_be_chance(
    run_script: Callable, app: Path
) -> None:
    first = run_script(SCRIPT, "-m", "skill=1,2", "hydra.sweeper.name=first")
    assert first.returncode == 0, first.stderr
    assert "Champion of clicks: v1 (run_00" in first.stdout
    assert "there was no champion before" in first.stdout
    second = run_script(SCRIPT, "-m", "skill=4,5,6", "hydra.sweeper.name=second")
    assert "judging v2 against the champion v1 on 3,000 rows ..." in second.stdout
    assert "\nChampion of clicks: v2 (run_00" in second.stdout
    assert "\n  - auc is 0.7" in second.stdout
    assert "as the best of 3 jobs it looked" in second.stdout
    assert "All of it: python -m tracking verdict clicks@2 --store experiments\n" in second.stdout
    third = run_script(SCRIPT, "-m", "skill=6.1,6.2", "hydra.sweeper.name=third")
    assert third.returncode == 0, third.stderr
    assert "Not promoted to champion of clicks:\n  - auc is 0.7" in third.stdout
    assert "may be chance" in third.stdout
    assert "a scorer may print" not in third.stdout + third.stderr
    kept = read_json(app / "experiments" / "sweeps" / "third" / "promotion.json")
    assert kept["verdict"] == "models/clicks/v3/verdict.json"
    verdict = read_json(app / "experiments" / kept["verdict"])
    assert (verdict["sentence"], verdict["reasons"]) == (kept["sentence"], kept["reasons"])
    assert verdict["look"]["number"] == 2
    assert verdict["selection"]["jobs"] == 2
    again = run_script(SCRIPT, "-m", "skill=6.1,6.2", "hydra.sweeper.resume=third")
    assert "judging" not in again.stdout
    events = [event.kind.value for event in ModelRegistry(app / "experiments").history("clicks")]
    assert events == [
        "registered",
        "promoted",
        "registered",
        "looked",
        "promoted",
        "registered",
        "looked",
        "refused",
    ]


def test_events_tell_of_the_judgement_in_json(run_script: Callable, app: Path) -> None:
    run_script(SCRIPT, "-m", "skill=1,2")
    done = run_script(SCRIPT, "-m", "skill=5,6", "hydra.sweeper.output=json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"judging v2 against the champion v1 on 3,000 rows ..."} <= {event.get("text") for event in events}
    (promotion,) = (event for event in events if event["event"] == "promotion")
    assert promotion["promoted"]
    assert promotion["sentence"].startswith("v2 of clicks is promoted over v1")


def heeds_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background job ignores it


def test_ctrl_c_while_the_gate_scores_ends_it_and_a_resumed_sweep_judges(
    run_script: Callable, app: Path
) -> None:
    run_script(SCRIPT, "-m", "skill=1,2")
    hanging = ["-m", "skill=5,6", "hydra.sweeper.name=mine", "hydra.sweeper.promotion.scorer=own_scorer.hang"]
    sweep = subprocess.Popen(
        [sys.executable, "-u", "app.py", *hanging],
        cwd=app,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heeds_ctrl_c,
    )
    assert sweep.stdout is not None
    for line in sweep.stdout:
        if "the gate loads v2" in line:
            os.kill(sweep.pid, signal.SIGINT)
            break
    rest, _ = sweep.communicate()
    assert sweep.returncode == 130, rest
    registry = ModelRegistry(app / "experiments")
    assert [event.kind.value for event in registry.history("clicks")] == [
        "registered",
        "promoted",
        "registered",
    ]
    assert registry.verdict("clicks", 2) is None
    done = run_script(SCRIPT, "-m", "skill=5,6", "hydra.sweeper.resume=mine")
    assert "Champion of clicks: v2" in done.stdout, done.stdout + done.stderr


def test_a_decision_with_few_short_reasons_is_one_line() -> None:
    short = Decision("m", True, 1, "run_001", ("val_auc 0.8 passes", "there was no champion before"))
    assert str(short) == "Champion of m: v1 (run_001): val_auc 0.8 passes; there was no champion before"
    assert short.look(Path("store")) is None
    many = Decision("m", False, 2, "run_002", tuple(f"reason {n} " + "x" * 40 for n in range(8)), "s", "v")
    assert str(many).startswith("Not promoted to champion of m:\n  - reason 0")
    assert str(many).endswith("\n  - and 2 more")
    assert many.look(Path("a store")) == "python -m tracking verdict m@2 --store 'a store'"
