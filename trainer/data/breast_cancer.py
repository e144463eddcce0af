"""The Wisconsin breast cancer data that come with scikit-learn.

569 biopsies with 30 numeric columns: the mean, the error and the worst value of ten features of the cell
nuclei in an image. No value is missing. The positive class is `malignant`.

Source: Wolberg, Mangasarian, Street and Street, 1995, https://archive.ics.uci.edu/dataset/17, CC BY 4.0.
"""

import numpy as np

from trainer.data.division import Folds, Way
from trainer.data.tensors import Splits

TARGET, POSITIVE = "diagnosis", "malignant"


def load(
    *,
    val_fraction: float,
    test_fraction: float,
    data_seed: int,
    folds: int | None = None,
    fold: int | None = None,
    promotion_fraction: float = 0.0,
) -> Splits:
    """Read the data from scikit-learn and split them at random within each class.

    Both fractions are shares of all rows; the other rows are for training. With `folds` those that are not for testing are
    cut into so many, and `fold` is the one to validate on. `promotion_fraction` is the share of the test rows that is kept for
    the gate, unless too few would be.
    """
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    target = (bunch.target == 0).astype(np.float32)  # scikit-learn codes malignant as 0
    asked = Folds.asked(folds, fold)
    way = Way(val_fraction, test_fraction, data_seed, asked, promotion=promotion_fraction)
    division = way.divide(target)

    columns = dict(zip(map(str, bunch.feature_names), bunch.data.T, strict=True))
    columns[TARGET] = target
    return Splits.cut(columns, division.rows, target=TARGET, positive=POSITIVE, folds=division.folds)
