"""What the gate asks of a version: its predictions for the rows that decide."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from model import predict
from orders import Orders, from_file, part


def score(folder: Path, split: str | None) -> dict[str, Any]:
    """Score the version in a folder on the promotion rows, or on those of a file."""
    model = json.loads((folder / "model.json").read_text())
    orders = part("promotion") if split is None else from_file(split)

    def predict_one(place: int) -> float:
        one = slice(place, place + 1)
        alone = Orders(**{name: values[one] for name, values in vars(orders).items()})
        return float(predict(model, alone)[0])

    return {
        "task": "regression",
        "prediction": predict(model, orders),
        "target": orders.minutes,
        "row": orders.row,
        "split": {"name": "the promotion rows" if split is None else f"the file {Path(split).name}"},
        "columns": {"weather": orders.weather},
        "measures": {"late_error": late_error},
        "predict_one": predict_one,
    }


def late_error(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the share of deliveries that come more than 5 minutes after the promise."""
    return float(np.mean(target - prediction > 5))
