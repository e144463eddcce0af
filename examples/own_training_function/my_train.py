"""A training function of one's own: boosted stumps in NumPy, which no gradient of ours could train."""

import json
from pathlib import Path

import numpy as np

from trainer import Checkpoint, load_data


def train(config, run):
    """Add a stump per round, and return the best accuracy on the validation rows."""
    data = load_data(config, run)  # any data set of podium; or read your own
    saved = Checkpoint.of(config, run)
    state = saved.load() or {"stumps": []}  # of an attempt that was killed
    rows, signs = data.train.numeric.numpy(), np.sign(data.train.target.numpy() - 0.5)
    for number in range(1, config.task.rounds + 1):
        if number > len(state["stumps"]):
            margins = signs * score(state["stumps"], rows)
            state["stumps"].append(best_stump(rows, signs, np.exp(-margins), config.task.shrinkage))
            saved.save(state, every_s=5)
        right = (score(state["stumps"][:number], data.val.numeric.numpy()) > 0) == (
            data.val.target.numpy() > 0
        )
        run.log({"val_accuracy": right.mean()}, step=number)
        if run.should_stop():
            saved.save(state)  # a search may let the job go on later
            break
    run.log_dict({"stumps": state["stumps"]}, "stumps.json")


def best_stump(rows, signs, weights, shrinkage):
    """Return the column, the threshold and the step of the stump with the smallest weighted error."""
    best = (0.5, 0, 0.0, 1.0)
    for column in range(rows.shape[1]):
        for threshold in np.quantile(rows[:, column], np.linspace(0.1, 0.9, 9)):
            wrong = weights[(np.where(rows[:, column] > threshold, 1, -1) != signs)].sum() / weights.sum()
            best = min(
                best, (wrong, column, float(threshold), 1.0), (1 - wrong, column, float(threshold), -1.0)
            )
    wrong, column, threshold, sign = best
    wrong = float(np.clip(wrong, 1e-6, 1 - 1e-6))
    return [column, threshold, sign * shrinkage * np.log((1 - wrong) / wrong) / 2]


def score(stumps, rows):
    """Return the sum of the stumps for each row; positive means the positive class."""
    return sum(
        (step * np.where(rows[:, column] > at, 1, -1) for column, at, step in stumps), np.zeros(len(rows))
    )


def load(folder):
    """Return the stumps of a registered model: the loader that the registry calls."""
    return json.loads((Path(folder) / "stumps.json").read_text())["stumps"]
