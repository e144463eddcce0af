"""Models of small tables, saved without training: what they predict is anything, but always the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trainer.data.load import load
from trainer.models.network import build_module
from trainer.saved_model import save_model

MLP = {"_target_": "trainer.models.tabular.TabularClassifier", "hidden_dims": [8], "dropout": 0.0}
TARGETS = {"binary": "churned", "multiclass": "plan", "regression": "spent"}


def customers(rows: int = 120, *, seed: int = 0) -> pd.DataFrame:
    """A table with a code, numbers written as text, blanks, dates, missing values and three possible targets."""
    draw = np.random.default_rng(seed)
    total = [
        " " if row % 20 == 0 else f"{each:,.2f}" for row, each in enumerate(draw.normal(5000, 1500, rows))
    ]
    return pd.DataFrame(
        {
            "customer": [f"C{row:05}" for row in range(rows)],
            "zip": [f"0{each}" for each in draw.integers(100, 130, rows)],
            "total": total,
            "visits": draw.integers(0, 50, rows),
            "note": draw.choice(['said "no", twice', "plain", "NA"], rows),
            "since": [f"{day:02}/05/2022" for day in draw.integers(1, 28, rows)],
            "churned": draw.choice(["yes", "no"], rows),
            "plan": draw.choice(["basic", "gold", "free"], rows),
            "spent": draw.normal(100, 20, rows).round(3),
        }
    )


def save(
    folder: Path, table: Path, task: str = "binary", *, model: Any = MLP, seed: int = 0, **section: Any
) -> Path:
    """Save an untrained model of a file into a folder; return it."""
    target = TARGETS[task]
    others = [each for each in TARGETS.values() if each != target]
    section = {
        "_target_": "trainer.data.table.load", "dataset": "t", "path": str(table), "target": target, "drop": others,
        "val_fraction": 0.2, "test_fraction": 0.2, "data_seed": 0, **section,
    }  # fmt: skip
    data = load(section, task=task)
    module, spec = build_module(model, data.shape, seed=seed, outputs=data.labels.outputs)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(
        folder, module, spec=spec, section=section, data=data, threshold=0.48 if task == "binary" else None
    )
    return folder
