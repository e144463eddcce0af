"""What every key of the config may hold: its type and its limits, as typed dataclasses.

The one idea: a schema is a frozen dataclass whose fields carry their limits; `trainer.config` reads them
to check plain values. A section whose `_target_` is not listed here (anyone's own class) is not
restricted in its keys. Must not import torch, pandas or anything else that is slow.
"""

from dataclasses import MISSING, dataclass, field
from typing import Any

LOGGED_PER_EPOCH = {  # every metric an objective can name, and the way it improves
    "train_loss": "min",
    "train_acc": "max",
    "val_loss": "min",
    "val_acc": "max",
    "val_auc": "max",
}


@dataclass(frozen=True)
class Limits:
    """What a value must satisfy beyond its type; for a list, what each entry must."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    choices: tuple[Any, ...] = ()
    length: int | None = None  # of a list
    pattern: str | None = None  # of a text, with `wanted` to say it in words
    wanted: str = ""


def rule(*, optional: bool = False, **limits: Any) -> Any:
    """Declare a field with its limits; an optional one may be absent from the config."""
    default = None if optional else MISSING
    return field(metadata={"limits": Limits(**limits)}, **({} if default is MISSING else {"default": None}))


_FRACTION = {"gt": 0, "lt": 1}
_TRANSFORMS = ("standard", "quantile", "bins")


@dataclass(frozen=True, kw_only=True)
class _Data:
    dataset: str = rule(pattern=r"[\w.-]+", wanted="a name of letters, digits, '_', '-' and '.'")
    val_fraction: float = rule(**_FRACTION)
    data_seed: int = rule(ge=0)
    numeric_transform: str = rule(choices=_TRANSFORMS, optional=True)
    min_frequency: int = rule(ge=1, optional=True)


@dataclass(frozen=True, kw_only=True)
class Ctr(_Data):
    """Click-through data made in memory."""

    rows: int = rule(ge=100)
    numeric_columns: int = rule(ge=1)
    categorical_columns: int = rule(ge=0)
    max_cardinality: int = rule(ge=2)
    positive_rate: float = rule(**_FRACTION)
    signal: float = rule(gt=0)
    test_fraction: float = rule(**_FRACTION)


@dataclass(frozen=True, kw_only=True)
class TableFile(_Data):
    """Any CSV or Parquet file."""

    path: str = rule()
    target: str = rule()
    positive: str | int | float | bool | None = rule(optional=True)
    numeric: list[str] | None = rule(optional=True)
    categorical: list[str] | None = rule(optional=True)
    drop: list[str] = rule(optional=True)
    missing_values: list[str] = rule(optional=True)
    test_path: str | None = rule(optional=True)
    time_column: str | None = rule(optional=True)
    test_fraction: float = rule(**_FRACTION)


@dataclass(frozen=True, kw_only=True)
class Adult(_Data):
    """UCI Census Income."""

    path: str = rule()
    drop: list[str] = rule()


@dataclass(frozen=True, kw_only=True)
class BreastCancer(_Data):
    """scikit-learn's breast cancer set."""

    test_fraction: float = rule(**_FRACTION)


@dataclass(frozen=True, kw_only=True)
class TabularClassifier:
    """The multi-layer perceptron."""

    hidden_dims: list[int] = rule(ge=1)
    dropout: float = rule(ge=0, lt=1)
    embedding_dim: int = rule(ge=1, optional=True)


@dataclass(frozen=True, kw_only=True)
class LogisticRegression:
    """The logistic regression has nothing to set."""


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam and AdamW."""

    betas: list[float] = rule(ge=0, lt=1, length=2, optional=True)
    eps: float = rule(gt=0, optional=True)
    amsgrad: bool = rule(optional=True)


@dataclass(frozen=True, kw_only=True)
class Sgd:
    """Stochastic gradient descent."""

    momentum: float = rule(ge=0, lt=1, optional=True)
    nesterov: bool = rule(optional=True)
    dampening: float = rule(ge=0, lt=1, optional=True)


@dataclass(frozen=True, kw_only=True)
class ConstantLR:
    """A factor on the learning rate."""

    factor: float = rule(gt=0, le=1)
    total_iters: int = rule(ge=1, optional=True)


@dataclass(frozen=True, kw_only=True)
class CosineAnnealingLR:
    """Half a cosine down to `eta_min`."""

    T_max: int = rule(ge=1)
    eta_min: float = rule(ge=0, optional=True)


@dataclass(frozen=True, kw_only=True)
class ReduceLROnPlateau:
    """Smaller steps when the objective stops improving."""

    factor: float = rule(gt=0, lt=1)
    patience: int = rule(ge=0)


@dataclass(frozen=True, kw_only=True)
class Training:
    """The loop."""

    learning_rate: float = rule(gt=0)
    batch_size: int = rule(ge=1)
    epochs: int = rule(ge=1)
    weight_decay: float = rule(ge=0)
    early_stopping_patience: int | None = rule(ge=1)


@dataclass(frozen=True, kw_only=True)
class ObjectiveSection:
    """What a run is ranked by."""

    metric: str = rule(choices=tuple(LOGGED_PER_EPOCH), wanted="a metric that is logged per epoch:")
    mode: str = rule(choices=("max", "min"))
    at: str = rule(choices=("best", "last"))


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """How a run is filed."""

    experiment_name: str = rule(pattern=r"\S.*", wanted="a name")
    tags: dict[str, Any] = rule()
    description: str = rule()


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """What a winner must pass to become champion."""

    promote: bool = rule()
    model_name: str = rule(pattern=r"\S.*", wanted="a name")
    min_delta: float = rule(ge=0)
    thresholds: dict[str, float] = rule()
    files: list[str] = rule()
    loader: str | None = rule(optional=True)


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Where things lie."""

    experiments: str = rule(pattern=r"\S.*", wanted="a folder")


@dataclass(frozen=True, kw_only=True)
class Root:
    """The keys that stand beside the sections."""

    seed: int = rule(ge=0)
    device: str = rule(pattern=r"auto|cpu|cuda(:\d+)?", wanted="auto, cpu, cuda or cuda:N")


SECTIONS: dict[str, type] = {
    "training": Training,
    "objective": ObjectiveSection,
    "tracking": Tracking,
    "promotion": Promotion,
    "paths": Paths,
}
TARGETS: dict[str, dict[str, type]] = {  # sections that name a class: what is known of which
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
FREE = ("sweep",)  # sections checked by their own package
