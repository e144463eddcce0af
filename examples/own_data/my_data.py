"""A loader of one's own: a function that returns columns, cut into train, val and test."""

from sklearn.datasets import load_wine

from trainer.data.splits import by_ratio
from trainer.data.tensors import Splits


def load(*, val_fraction: float, test_fraction: float, data_seed: int) -> Splits:
    """Return wines of three growers. The arguments are the keys of the config's `data` section."""
    wines = load_wine()
    columns = dict(zip(wines.feature_names, wines.data.T, strict=True))
    columns["grower"] = wines.target_names[wines.target]
    rows = by_ratio(wines.target, val_fraction=val_fraction, test_fraction=test_fraction, seed=data_seed)
    return Splits.cut(columns, rows, target="grower")
