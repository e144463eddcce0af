"""The model: a polynomial of the distance, and a line of the parcels."""

from typing import Any

import numpy as np
from orders import Orders


def features(orders: Orders, degree: int) -> np.ndarray:
    """Return a column for each power of the distance, and one for the parcels."""
    return np.column_stack([*(orders.km**power for power in range(degree + 1)), orders.parcels])


def predict(model: dict[str, Any], orders: Orders) -> np.ndarray:
    """Return the minutes that each order is expected to take."""
    return features(orders, model["degree"]) @ np.array(model["weights"])
