"""Models that are drawn: what they predict for the rows of a split, and how good they truly are."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

Array = np.ndarray[Any, Any]
POSITIVE = 0.3  # share of the rows
SIGNAL = 1.5  # how far the positive rows lie from the others, in spreads of what no model sees
NOISE = 0.4  # a model's own


@dataclass(frozen=True)
class Split:
    """Rows of two classes. All models see the same part of each row, and add noise of their own."""

    stream: np.random.Generator
    target: Array
    seen: Array

    @classmethod
    def drawn(cls, stream: np.random.Generator, rows: int) -> "Split":
        """Draw a split."""
        target = (stream.random(rows) < POSITIVE).astype(np.int64)
        return cls(stream, target, SIGNAL * target + stream.normal(size=rows))

    def predictions(self, models: int = 1, noise: float = NOISE) -> Array:
        """Return the scores of models of one skill, [models, rows]."""
        return np.asarray(self.seen + noise * self.stream.normal(size=(models, len(self.seen))))


def true_auc(noise: float, *, more: float = 0.0) -> float:
    """Return the AUC on endlessly many rows of a model with so much noise, which sees so much more of the signal."""
    return float(ndtr((SIGNAL + more) / math.sqrt(2 * (1 + noise**2))))


def more_for(gain: float, noise: float) -> float:
    """Return how much more of the signal a model sees whose true AUC is better by `gain`."""
    wanted = true_auc(noise) + gain
    return float(ndtri(wanted)) * math.sqrt(2 * (1 + noise**2)) - SIGNAL


def chances(logits: Array) -> Array:
    """Return probabilities of logits."""
    return np.asarray(1 / (1 + np.exp(-logits)))
