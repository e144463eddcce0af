"""Types and limits of every key of the config.

A schema is a class that is never made: `trainer.config` reads its annotations to check plain values. A
section whose `_target_` is not listed in TARGETS names a user's class, so its keys are free. This module must
import nothing slow, such as torch or pandas.
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


class _Ctr(_Data):
    rows: Annotated[int, Limits(ge=100)]
    numeric_columns: Annotated[int, Limits(ge=1)]
    categorical_columns: Annotated[int, Limits(ge=0)]
    max_cardinality: Annotated[int, Limits(ge=2)]
    positive_rate: _Fraction
    signal: Annotated[float, Limits(gt=0)]
    test_fraction: _Fraction


class _TableFile(_Data):
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


class _Adult(_Data):
    path: str
    drop: list[str]


class _BreastCancer(_Data):
    test_fraction: _Fraction


class _TabularClassifier:
    hidden_dims: Annotated[list[int], Limits(ge=1)]
    dropout: Annotated[float, Limits(ge=0, lt=1)]
    embedding_dim: Annotated[int, Limits(ge=1, optional=True)]


class _LogisticRegression:
    """A model with nothing to set."""


class _Adam:
    betas: Annotated[list[float], Limits(ge=0, lt=1, length=2, optional=True)]
    eps: Annotated[float, Limits(gt=0, optional=True)]
    amsgrad: Annotated[bool, Limits(optional=True)]


class _Sgd:
    momentum: Annotated[float, Limits(ge=0, lt=1, optional=True)]
    nesterov: Annotated[bool, Limits(optional=True)]
    dampening: Annotated[float, Limits(ge=0, lt=1, optional=True)]


class _ConstantLR:
    factor: Annotated[float, Limits(gt=0, le=1)]
    total_iters: Annotated[int, Limits(ge=1, optional=True)]


class _CosineAnnealingLR:
    T_max: Annotated[int, Limits(ge=1)]
    eta_min: Annotated[float, Limits(ge=0, optional=True)]


class _ReduceLROnPlateau:
    factor: Annotated[float, Limits(gt=0, lt=1)]
    patience: Annotated[int, Limits(ge=0)]


class _Training:
    learning_rate: Annotated[float, Limits(gt=0)]
    batch_size: Annotated[int, Limits(ge=1)]
    epochs: Annotated[int, Limits(ge=1)]
    limit_batches: Annotated[int | None, Limits(ge=1, optional=True)]
    weight_decay: Annotated[float, Limits(ge=0)]
    early_stopping_patience: Annotated[int | None, Limits(ge=1)]
    threads: Annotated[int | None, Limits(ge=1, optional=True)]
    checkpoint_every_s: Annotated[float | None, Limits(ge=0, optional=True)]


class _ObjectiveSection:
    metric: Annotated[
        str, Limits(choices=tuple(LOGGED_PER_EPOCH), wanted="a metric that is logged per epoch:")
    ]
    mode: Annotated[str | None, Limits(choices=("max", "min"), optional=True)]  # null: as the metric improves
    at: Annotated[str, Limits(choices=("best", "last"))]


class _Tracking:
    experiment_name: _Name
    tags: dict[str, Any]
    description: str


class _Promotion:
    promote: bool
    model_name: _Name
    min_delta: Annotated[float, Limits(ge=0)]
    thresholds: dict[str, float]
    files: list[str]
    loader: Annotated[str | None, Limits(optional=True)]


class _Paths:
    experiments: Annotated[str, Limits(pattern=r"\S.*", wanted="a folder")]


class Root:
    """Keys outside of any section."""

    seed: _Seed
    device: Annotated[str, Limits(pattern=r"auto|cpu|cuda(:\d+)?", wanted="auto, cpu, cuda or cuda:N")]


SECTIONS: dict[str, type] = {
    "training": _Training,
    "objective": _ObjectiveSection,
    "tracking": _Tracking,
    "promotion": _Promotion,
    "paths": _Paths,
}
TARGETS: dict[str, dict[str, type]] = {  # sections with a `_target_`, and the schemas of the classes we know
    "data": {
        "trainer.data.ctr.load": _Ctr,
        "trainer.data.table.load": _TableFile,
        "trainer.data.adult.load": _Adult,
        "trainer.data.breast_cancer.load": _BreastCancer,
    },
    "model": {
        "trainer.models.tabular.TabularClassifier": _TabularClassifier,
        "trainer.models.tabular.LogisticRegression": _LogisticRegression,
    },
    "optimizer": {"torch.optim.Adam": _Adam, "torch.optim.AdamW": _Adam, "torch.optim.SGD": _Sgd},
    "scheduler": {
        "torch.optim.lr_scheduler.ConstantLR": _ConstantLR,
        "torch.optim.lr_scheduler.CosineAnnealingLR": _CosineAnnealingLR,
        "torch.optim.lr_scheduler.ReduceLROnPlateau": _ReduceLROnPlateau,
    },
}
MODEL_KEYS = tuple(key for schema in TARGETS["model"].values() for key in schema.__annotations__)
FREE = ("sweep",)  # sections that another package checks
