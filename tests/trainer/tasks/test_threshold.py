"""The threshold of labels: chosen by a rule on validation rows, kept with the model, logged with the run."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf
from own_models import final, only_run
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from trainer.config import problems
from trainer.errors import ConfigError, ModelError
from trainer.saved_model import load_model
from trainer.task import train
from trainer.tasks.threshold import RULES, choose

Compose = Callable[..., DictConfig]
SCORES = {"accuracy": accuracy_score, "balanced_accuracy": balanced_accuracy_score, "f1": f1_score}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(5))
def test_no_other_cut_is_better_by_the_rule(rule: str, seed: int) -> None:
    draw = np.random.default_rng(seed)
    target = (draw.random(60) < 0.2).astype(np.float32)
    chance = np.round(np.clip(draw.normal(0.2 + 0.2 * target, 0.1), 0.01, 0.99), 2)  # with ties
    found = choose(rule, target, chance)
    between = np.arange(101) / 100 - 0.005
    tried = [SCORES[rule](target, chance >= cut) for cut in between]
    assert SCORES[rule](target, chance >= found) == pytest.approx(max(tried))
    assert found not in chance


def test_of_equally_good_cuts_the_nearest_to_one_half_is_taken() -> None:
    assert choose("accuracy", np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.9, 0.95])) == pytest.approx(0.55)
    assert choose("f1", np.array([1, 1, 1, 0]), np.array([0.7, 0.7, 0.7, 0.6])) == pytest.approx(0.65)


def test_without_two_classes_or_with_nan_it_is_one_half_and_a_number_is_itself() -> None:
    assert choose("f1", np.zeros(3), np.array([0.1, 0.2, 0.3])) == 0.5
    assert choose("f1", np.array([0, 1]), np.array([0.1, np.nan])) == 0.5
    assert choose(0.3, np.zeros(3), np.zeros(3)) == 0.3
    with pytest.raises(
        ConfigError, match="threshold=best: allowed are accuracy, balanced_accuracy, f1 and a number"
    ):
        choose("best", np.array([0, 1]), np.array([0.1, 0.2]))


def test_a_run_keeps_and_logs_its_threshold(quick: DictConfig, store: Path) -> None:
    quick.data.positive_rate, quick.training.epochs = 0.1, 8
    train(quick)
    predictor = load_model("run_001", base_dir=store)
    assert final(only_run(store))["threshold"] == predictor.threshold
    assert 0 < predictor.threshold < 0.3  # a balanced accuracy needs about the share of the positive class
    table = {name: [0.0, 1.0] for name in predictor.encoder.names}
    chances = predictor.predict(table)
    assert predictor.classify(table, threshold=chances.max()).tolist() == [
        predictor.classes[int(each == chances.max())] for each in chances
    ]
    assert set(predictor.classify(table, threshold=0)) == {predictor.classes[1]}

    sidecar = store / "runs/run_001/artifacts/model.json"
    text = json.loads(sidecar.read_text())
    del text["threshold"]
    sidecar.write_text(json.dumps(text))  # as it was before
    assert load_model("run_001", base_dir=store).threshold == 0.5


@pytest.mark.parametrize("value", ["best", 0, 1.5, True])
def test_the_config_refuses_another_threshold(quick: DictConfig, value: object) -> None:
    (line,) = problems({**OmegaConf.to_container(quick, resolve=True), "threshold": value})
    assert line == (
        f"threshold={value}: allowed is one of accuracy, balanced_accuracy, f1 or a number > 0 and < 1"
    )


def test_a_regression_has_no_labels(tmp_path: Path) -> None:
    from saved_models import customers, save

    path = tmp_path / "t.csv"
    customers().to_csv(path, index=False)
    predictor = load_model(save(tmp_path / "m", path, "regression"))
    with pytest.raises(ModelError, match="a regression predicts numbers, and has no classes"):
        predictor.classify(path)
