"""Deliveries: how long each took, by its distance, its parcels and the weather."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PARTS = {"train": (0, 3000), "choose": (3000, 4000), "promotion": (4000, 6000)}


@dataclass(frozen=True)
class Orders:
    """Rows of the table; `row` is the number of each order."""

    row: np.ndarray
    km: np.ndarray
    parcels: np.ndarray
    weather: np.ndarray
    minutes: np.ndarray


def part(name: str) -> Orders:
    """Return the rows to train on, to choose by, or to promote by. No row is in two of them."""
    random = np.random.default_rng(0)
    km, parcels = random.uniform(0.5, 12, 6000), random.integers(1, 6, 6000).astype(float)
    weather = random.choice(["dry", "rain"], 6000, p=[0.8, 0.2])
    usual = 8 + 2 * km + 0.12 * km**2 + 1.5 * parcels + 0.5 * km * (weather == "rain")
    minutes = usual + random.normal(0, 4, 6000)
    start, end = PARTS[name]
    here = slice(start, end)
    return Orders(np.arange(start, end), km[here], parcels[here], weather[here], minutes[here])


def from_file(path: str) -> Orders:
    """Return the rows of a CSV file with the columns order, km, parcels, weather and minutes."""
    with Path(path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = {name: np.array([float(row[name]) for row in rows]) for name in ("km", "parcels", "minutes")}
    return Orders(
        row=np.array([int(row["order"]) for row in rows]),
        weather=np.array([row["weather"] for row in rows]),
        **numbers,
    )
