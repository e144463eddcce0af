"""Real data with nothing to download: the Wisconsin breast cancer set that comes with scikit-learn.

569 biopsies, 30 numeric columns, no missing values; the positive class is `malignant`.
"""

import numpy as np

from trainer.data.splits import by_ratio
from trainer.data.tensors import Splits


def load(*, val_fraction: float, test_fraction: float, data_seed: int) -> Splits:
    """Read the set from scikit-learn and split it, each class in the same share."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    names = tuple(str(name) for name in bunch.feature_names)
    target = (bunch.target == 0).astype(np.float32)  # there, 0 is malignant
    parts = by_ratio(target, val_fraction=val_fraction, test_fraction=test_fraction, seed=data_seed)
    train, val, test = (
        {**dict(zip(names, bunch.data[part].T, strict=True)), "diagnosis": target[part]} for part in parts
    )
    return Splits(
        (train, val, test),
        (target[parts[0]], target[parts[1]], target[parts[2]]),
        names,
        (),
        "diagnosis",
        "malignant",
    )
