"""The tables of the training benchmarks, drawn anew from a seed, and the networks that train on them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ALONE, LOOP, STACK, EVALUATE = (
    "alone",
    "ordinary script",
    "podium, stack of 16",
    "evaluate",
)  # what is measured


@dataclass(frozen=True)
class Shape:
    """A table and a network: training rows, columns of numbers, categories per column of text, hidden layers."""

    title: str
    rows: int
    numbers: int
    cardinalities: tuple[int, ...]
    hidden: tuple[int, ...]


SHAPES = (
    Shape("7,000 x 16, [256,128,64]", 7_000, 16, (), (256, 128, 64)),
    Shape("20,000 x (13 + 8), [64,32]", 20_000, 13, (10, 20, 50, 100, 200, 500, 1_000, 2_000), (64, 32)),
)


def drawn(shape: Shape, rows: int) -> tuple[Any, Any, Any]:
    """Return numbers [N, F], codes [N, C] and a target [N] of zeros and ones that depends on some of them."""
    draw = np.random.default_rng(0)
    numeric = draw.normal(size=(rows, shape.numbers)).astype(np.float32)
    codes = np.stack(
        [draw.integers(0, size, rows) for size in shape.cardinalities] or [np.zeros(rows, np.int64)], axis=1
    )[:, : len(shape.cardinalities)]
    weights = draw.normal(size=shape.numbers)
    score = numeric @ weights + 2 * numeric[:, 0] * numeric[:, 1] + codes.sum(axis=1) % 7 - 3
    noisy = score + 2 * draw.normal(size=rows)
    return numeric, codes, (noisy > np.median(noisy)).astype(np.int64)


def write_table(file: Path, shape: Shape, *, rows: int) -> Path:
    """Write a table as CSV, with its target in the column `y`, unless the file is there; return the file."""
    if not file.exists():
        import pandas as pd

        numeric, codes, target = drawn(shape, rows)
        columns = {f"n{place}": each.round(5) for place, each in enumerate(numeric.T)}
        columns |= {f"c{place}": np.char.add("v", each.astype(str)) for place, each in enumerate(codes.T)}
        pd.DataFrame({**columns, "y": target}).to_csv(file, index=False)
    return file
