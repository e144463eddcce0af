"""Metrics of a user."""

from typing import Any

import numpy as np


def profit(target: Any, chances: Any, *, win: float = 10.0, weights: Any = None) -> float:
    """Return what is won by acting on rows above one half."""
    counts = np.ones(len(target)) if weights is None else weights
    return float((counts * (chances > 0.5) * (target * win - 1)).sum() / counts.sum())


def share_right(target: Any, predictions: Any) -> float:
    assert predictions.dtype.kind == "i"
    return float((target == predictions).mean())


def worst(target: Any, values: Any) -> float:
    return float(np.abs(target - values).max())


def never(_target: Any, _chances: Any) -> float:
    return float("nan")


def broken(_target: Any, _chances: Any) -> float:
    raise KeyError("column")


def cost(target: Any, chances: Any, price: float, *, fee: float) -> float:
    return float((target * price - chances * fee).sum())


def no_number(_target: Any, _chances: Any) -> Any:
    return {"a": 1}


def of_one(target: Any) -> float:
    return float(target.mean())
