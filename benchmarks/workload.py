"""The work that all contestants do: the parameters, metrics and tags of a run.

Standard library only: the interpreters of the peers have nothing else of this project.
"""

import math
import random
from typing import Any

EXPERIMENT = "ctr_model"
CURVE_STEPS = 10  # points of history per metric in the stores that are read
TARGET = "val_auc"  # the metric by which the best run is chosen


def params(number: int) -> dict[str, Any]:
    """Return the twelve parameters of run `number`."""
    pick = random.Random(number)
    return {
        "learning_rate": round(10 ** pick.uniform(-5, -1), 8),
        "batch_size": pick.choice([32, 64, 128, 256]),
        "hidden_dims": pick.choice(["64", "128-64", "256-128-64"]),
        "dropout": round(pick.random() / 2, 4),
        "weight_decay": round(10 ** pick.uniform(-8, -2), 10),
        "epochs": pick.randint(5, 50),
        "optimizer": pick.choice(["adam", "sgd", "adamw"]),
        "scheduler": pick.choice(["none", "cosine", "step"]),
        "seed": number,
        "patience": pick.randint(1, 10),
        "embedding_dim": pick.choice([8, 16, 32]),
        "use_batch_norm": pick.random() < 0.5,
    }


def results(number: int) -> dict[str, float]:
    """Return the six metrics that run `number` comes to."""
    pick = random.Random(-number - 1)
    auc = pick.random()
    return {
        "val_auc": auc,
        "val_loss": 1 - auc + pick.random() / 100,
        "train_loss": 0.9 - auc / 2,
        "train_auc": min(1.0, auc + pick.random() / 20),
        "test_auc": max(0.0, auc - pick.random() / 20),
        "test_loss": 1.05 - auc,
    }


def curve(number: int, step: int) -> dict[str, float]:
    """Return the six metrics of run `number` at `step` of its CURVE_STEPS."""
    share = (step + 1) / CURVE_STEPS
    return {name: value * share for name, value in results(number).items()}


def tags(number: int) -> dict[str, str]:
    """Return the three tags of run `number`."""
    return {
        "team": "ml",
        "version": f"v{number % 7}",
        "stage": "candidate" if number % 5 else "baseline",
    }


def point(step: int) -> dict[str, float]:
    """Return the three metrics that are logged at `step`."""
    return {
        "train_loss": 1 / (1 + step / 1000),
        "val_loss": 1.1 / (1 + step / 1000),
        "val_auc": 1 - math.exp(-step / 30000) / 2,
    }
