"""Synthetic click-through data, the default data set: made in memory, with known click probabilities.

Because every row's click probability is known, the AUC of the true probabilities (`bayes_auc`) is logged
beside a model's and shows how far it is from the best possible one. The log-odds are the sum of a skewed
numeric part, a weight per category, and products: of latent vectors of category pairs (user and ad), and of
numeric columns with categories. Category frequencies follow a power law, as in real traffic; a tenth of one
column is missing.
"""

import numpy as np

from tracking.statistics import ranked
from trainer.data.division import Folds, Way
from trainer.data.encode import Array
from trainer.data.tensors import Splits

_LATENT = 2  # length of the latent vectors


def load(
    *,
    rows: int,
    numeric_columns: int,
    categorical_columns: int,
    max_cardinality: int,
    positive_rate: float,
    signal: float,
    val_fraction: float,
    test_fraction: float,
    data_seed: int,
    folds: int | None = None,
    fold: int | None = None,
    promotion_fraction: float = 0.0,
) -> Splits:
    """Draw `rows` impressions and split them; `signal` is the standard deviation of the true log-odds.

    With `folds` the rows that are not for testing are cut into so many, and `fold` is the one to validate on.
    `promotion_fraction` is the share of the test rows that is kept for the gate.
    """
    draw = np.random.default_rng([data_seed, 0])
    numeric = _numeric(draw, rows, numeric_columns)
    codes = _codes(draw, rows, categorical_columns, max_cardinality)
    score = _score(draw, numeric, codes)
    truth = _probabilities(score * (signal / score.std()), positive_rate)
    clicked = (draw.random(rows) < truth).astype(np.float32)

    visible = np.exp(numeric)  # skewed and positive, as in a log of requests
    visible[draw.random(rows) < 0.1, 0] = np.nan
    categories = {f"c{index}": values for index, values in enumerate(codes.T, 1)}
    columns = {f"n{index}": values for index, values in enumerate(visible.T, 1)} | categories
    asked = Folds.asked(folds, fold)
    way = Way(val_fraction, test_fraction, data_seed, asked, promotion=promotion_fraction)
    division = way.divide(clicked)
    test = division.rows[2]
    return Splits.cut(
        {**columns, "clicked": clicked},
        division.rows,
        target="clicked",
        categorical=[*categories],
        reference={"bayes_auc": ranked.roc_area(clicked[test] > 0, truth[test])},
        folds=division.folds,
    )


def _numeric(draw: np.random.Generator, rows: int, columns: int) -> Array:
    """Return normal columns with a common part, as counters of the same user have."""
    common = draw.normal(size=(rows, 1))
    return np.asarray(0.5 * common + draw.normal(size=(rows, columns)))


def _codes(draw: np.random.Generator, rows: int, columns: int, largest: int) -> Array:
    """Return category codes of power-law frequency; cardinalities rise geometrically up to the largest."""
    sizes = np.geomspace(min(4, largest), largest, columns).round().astype(int)
    codes = np.empty((rows, columns), np.int64)
    for column, size in enumerate(sizes):
        weight = np.arange(1, size + 1) ** -1.1
        codes[:, column] = np.searchsorted(np.cumsum(weight / weight.sum())[:-1], draw.random(rows))
    return codes


def _score(draw: np.random.Generator, numeric: Array, codes: Array) -> Array:
    """Return the true log-odds, up to shift and scale: single effects, then interactions."""
    rows, columns = codes.shape
    # Not a matrix product: BLAS sums in an order that depends on its threads.
    score = (np.tanh(numeric) * draw.normal(size=numeric.shape[1])).sum(axis=1) * 0.5
    score += 0.7 * np.sin(2 * numeric[:, 0]) + 0.5 * numeric[:, 1 % numeric.shape[1]] * numeric[:, -1]
    latent = np.zeros((rows, columns, _LATENT))
    for column in range(columns):
        size = int(codes[:, column].max()) + 1
        score += 0.5 * draw.normal(size=size)[codes[:, column]]
        score += 0.1 * draw.normal(size=size)[codes[:, column]] * numeric[:, column % numeric.shape[1]]
        latent[:, column] = draw.normal(size=(size, _LATENT))[codes[:, column]]
    for column in range(0, columns - 1, 2):
        score += 0.25 * (latent[:, column] * latent[:, column + 1]).sum(axis=1)
    return np.asarray(score)


def _probabilities(score: Array, positive_rate: float) -> Array:
    """Return probabilities from log-odds, shifted so that their mean is the wanted rate."""
    low, high = -30.0 - score.max(), 30.0 - score.min()
    for _ in range(60):  # 60 bisections are exact in double precision
        middle = (low + high) / 2
        rate = (1 / (1 + np.exp(-(score + middle)))).mean()
        low, high = (middle, high) if rate < positive_rate else (low, middle)
    return np.asarray(1 / (1 + np.exp(-(score + low))))
