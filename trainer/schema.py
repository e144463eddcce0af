"""Types and limits of every key of the config.

A schema is a class that is never made: `trainer.config` reads its annotations to check plain values. A
section whose `_target_` is not listed in TARGETS is somebody's own class, so its keys are free. This module
must import nothing slow, such as torch or pandas.
"""

from dataclasses import dataclass
from typing import Annotated, Any

LOGGED_PER_EPOCH = {  # the metrics an objective can name, and how each improves
    "train_loss": "min",
    "train_acc": "max",
    "val_loss": "min",
    "val_acc": "max",
    "val_auc": "max",
}


@dataclass(frozen=True)
class Limits:
    """Limits of a value beyond its type; for a list, those of each entry.

    An optional key may be absent from the config, because the class that gets it has a default.
    """

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    choices: tuple[Any, ...] = ()
    length: int | None = None  # of a list
    pattern: str | None = None  # of a text; `wanted` describes it to the user
    wanted: str = ""
    optional: bool = False


_Fraction = Annotated[float, Limits(gt=0, lt=1)]
_Seed = Annotated[int, Limits(ge=0, le=2**64 - 1)]
_Name = Annotated[str, Limits(pattern=r"\S.*", wanted="a name")]


class _Data:
    dataset: Annotated[str, Limits(pattern=r"[\w.-]+", wanted="a name of letters, digits, '_', '-' and '.'")]
    val_fraction: _Fraction
    data_seed: _Seed
    numeric_transform: Annotated[str, Limits(choices=("standard", "quantile", "bins"), optional=True)]
    min_frequency: Annotated[int, Limits(ge=1, optional=True)]


class Ctr(_Data):
    """Synthetic click-through data."""

    rows: Annotated[int, Limits(ge=100)]
    numeric_columns: Annotated[int, Limits(ge=1)]
    categorical_columns: Annotated[int, Limits(ge=0)]
    max_cardinality: Annotated[int, Limits(ge=2)]
    positive_rate: _Fraction
    signal: Annotated[float, Limits(gt=0)]
    test_fraction: _Fraction


class TableFile(_Data):
    """A CSV or Parquet file."""

    path: str
    target: str
    positive: Annotated[str | int | float | bool | None, Limits(optional=True)]
    numeric: Annotated[list[str] | None, Limits(optional=True)]
    categorical: Annotated[list[str] | None, Limits(optional=True)]
    drop: Annotated[list[str], Limits(optional=True)]
    missing_values: Annotated[list[str], Limits(optional=True)]
    separator: Annotated[str | None, Limits(pattern=r".|\\t", wanted="one character", optional=True)]
    encoding: Annotated[str, Limits(optional=True)]
    test_path: Annotated[str | None, Limits(optional=True)]
    time_column: Annotated[str | None, Limits(optional=True)]
    test_fraction: _Fraction


class Adult(_Data):
    """UCI Census Income."""

    path: str
    drop: list[str]


class BreastCancer(_Data):
    """Breast cancer data of scikit-learn."""

    test_fraction: _Fraction


class TabularClassifier:
    """Multi-layer perceptron."""

    hidden_dims: Annotated[list[int], Limits(ge=1)]
    dropout: Annotated[float, Limits(ge=0, lt=1)]
    embedding_dim: Annotated[int, Limits(ge=1, optional=True)]


class LogisticRegression:
    """Logistic regression, which has nothing to set."""


class Adam:
    """Adam and AdamW."""

    betas: Annotated[list[float], Limits(ge=0, lt=1, length=2, optional=True)]
    eps: Annotated[float, Limits(gt=0, optional=True)]
    amsgrad: Annotated[bool, Limits(optional=True)]


class Sgd:
    """Stochastic gradient descent."""

    momentum: Annotated[float, Limits(ge=0, lt=1, optional=True)]
    nesterov: Annotated[bool, Limits(optional=True)]
    dampening: Annotated[float, Limits(ge=0, lt=1, optional=True)]


class ConstantLR:
    """A factor on the learning rate."""

    factor: Annotated[float, Limits(gt=0, le=1)]
    total_iters: Annotated[int, Limits(ge=1, optional=True)]


class CosineAnnealingLR:
    """Half a cosine down to `eta_min`."""

    T_max: Annotated[int, Limits(ge=1)]
    eta_min: Annotated[float, Limits(ge=0, optional=True)]


class ReduceLROnPlateau:
    """A smaller learning rate when the objective stops improving."""

    factor: Annotated[float, Limits(gt=0, lt=1)]
    patience: Annotated[int, Limits(ge=0)]


class Training:
    """The training loop."""

    learning_rate: Annotated[float, Limits(gt=0)]
    batch_size: Annotated[int, Limits(ge=1)]
    epochs: Annotated[int, Limits(ge=1)]
    limit_batches: Annotated[int | None, Limits(ge=1, optional=True)]
    weight_decay: Annotated[float, Limits(ge=0)]
    early_stopping_patience: Annotated[int | None, Limits(ge=1)]
    threads: Annotated[int | None, Limits(ge=1, optional=True)]
    checkpoint_every_s: Annotated[float | None, Limits(ge=0, optional=True)]


class ObjectiveSection:
    """The metric that runs are ranked by."""

    metric: Annotated[
        str, Limits(choices=tuple(LOGGED_PER_EPOCH), wanted="a metric that is logged per epoch:")
    ]
    mode: Annotated[str | None, Limits(choices=("max", "min"), optional=True)]  # null: as the metric improves
    at: Annotated[str, Limits(choices=("best", "last"))]


class Tracking:
    """Names and tags of a run."""

    experiment_name: _Name
    tags: dict[str, Any]
    description: str


class Promotion:
    """Conditions for a winner to become champion."""

    promote: bool
    model_name: _Name
    min_delta: Annotated[float, Limits(ge=0)]
    thresholds: dict[str, float]
    files: list[str]
    loader: Annotated[str | None, Limits(optional=True)]


class Paths:
    """Folders."""

    experiments: Annotated[str, Limits(pattern=r"\S.*", wanted="a folder")]


class Root:
    """Keys outside of any section."""

    seed: _Seed
    device: Annotated[str, Limits(pattern=r"auto|cpu|cuda(:\d+)?", wanted="auto, cpu, cuda or cuda:N")]


SECTIONS: dict[str, type] = {
    "training": Training,
    "objective": ObjectiveSection,
    "tracking": Tracking,
    "promotion": Promotion,
    "paths": Paths,
}
TARGETS: dict[str, dict[str, type]] = {  # sections with a `_target_`, and the schemas of the classes we know
    "data": {
        "trainer.data.ctr.load": Ctr,
        "trainer.data.table.load": TableFile,
        "trainer.data.adult.load": Adult,
        "trainer.data.breast_cancer.load": BreastCancer,
    },
    "model": {
        "trainer.models.tabular.TabularClassifier": TabularClassifier,
        "trainer.models.tabular.LogisticRegression": LogisticRegression,
    },
    "optimizer": {"torch.optim.Adam": Adam, "torch.optim.AdamW": Adam, "torch.optim.SGD": Sgd},
    "scheduler": {
        "torch.optim.lr_scheduler.ConstantLR": ConstantLR,
        "torch.optim.lr_scheduler.CosineAnnealingLR": CosineAnnealingLR,
        "torch.optim.lr_scheduler.ReduceLROnPlateau": ReduceLROnPlateau,
    },
}
MODEL_KEYS = tuple(key for schema in TARGETS["model"].values() for key in schema.__annotations__)
FREE = ("sweep",)  # sections that another package checks
