"""Rows and predictions whose true gain is known, or follows from many of them."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Case = tuple[Array, Array, Array, Array | None]  # target, challenger, champion, cluster


def logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def two_classes(stream: np.random.Generator, rows: int) -> Case:
    """Two models that share what makes a row hard; the challenger is a little better."""
    target = (stream.random(rows) < 0.3).astype(np.int64)
    common = 0.8 * stream.normal(size=rows)
    base = np.log(0.3 / 0.7) - 0.7
    ours = base + 1.2 * (1.3 * target + common + 0.5 * stream.normal(size=rows))
    theirs = base + 1.2 * (1.2 * target + common + 0.55 * stream.normal(size=rows))
    return target, logistic(ours), logistic(theirs), None


def shifted(stream: np.random.Generator, rows: int) -> Case:
    """One model says too much to every row and the other too little: what tells them apart is the share of a class alone."""
    target = (stream.random(rows) < 0.3).astype(np.int64)
    logit = np.log(0.3 / 0.7) + 0.2 * stream.normal(size=rows)
    return target, logistic(logit + 0.2), logistic(logit - 0.2), None


def several_classes(stream: np.random.Generator, rows: int) -> Case:
    target = stream.choice(3, rows, p=[0.5, 0.35, 0.15])
    common, found = stream.normal(size=(rows, 3)), []
    for strength in (1.5, 1.4):
        parts = np.exp(strength * np.eye(3)[target] + common + 0.5 * stream.normal(size=(rows, 3)))
        found.append(parts / parts.sum(axis=1, keepdims=True))
    return target, found[0], found[1], None


def numbers(stream: np.random.Generator, rows: int) -> Case:
    truth = stream.normal(size=rows)
    target = truth + 0.5 * stream.standard_t(5, size=rows)
    ours = 0.95 * truth + 0.2 * stream.normal(size=rows)
    return target, ours, 0.9 * truth + 0.05 + 0.25 * stream.normal(size=rows), None


def clusters(stream: np.random.Generator, rows: int) -> Case:
    """Ten rows of each cluster share what both models get wrong about it; neither model is better."""
    cluster = np.repeat(np.arange(rows // 10), 10)
    own, ours, theirs = stream.normal(size=(3, rows // 10))[:, cluster]
    target = (stream.random(rows) < logistic(1.5 * own)).astype(np.int64)
    noise = 0.1 * stream.normal(size=(2, rows))
    return (
        target,
        logistic(1.5 * own + 0.8 * ours + noise[0]),
        logistic(1.5 * own + 0.8 * theirs + noise[1]),
        cluster,
    )
