"""What every key of the config may hold.

A schema maps keys to rules, which `trainer.config` applies to plain values. A section whose `_target_` is not
listed in TARGETS names a user's class, so its keys are free. This module must import nothing slow, such as
torch or pandas.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

TABLE = "trainer.data.table.load"  # the loader of data=csv
AUTO = "auto"  # chosen from the rows, once the data are loaded
LENGTHS = frozenset({"T_max", "total_iters", "total_steps"})  # of a scheduler; auto: the whole training
_CLASSES = {
    "train_loss": "min",
    "train_acc": "max",
    "val_loss": "min",
    "val_acc": "max",
    "val_auc": "max",
    "val_balanced_accuracy": "max",
    "val_f1": "max",
}
BY_TASK: dict[str, dict[str, str]] = {  # the metrics an objective can name, and how each improves
    "binary": {
        **_CLASSES,
        "val_average_precision": "max",
        "val_brier": "min",
        "val_calibration_error": "min",
        "val_max_calibration_error": "min",
    },
    "multiclass": _CLASSES,
    "regression": {
        "train_loss": "min",
        "val_loss": "min",
        "val_rmse": "min",
        "val_mae": "min",
        "val_r2": "max",
    },
}
OBJECTIVES = {
    "binary": "val_auc",
    "multiclass": "val_auc",
    "regression": "val_r2",
}  # unless the config names another one
LOGGED_PER_EPOCH = {name: mode for metrics in BY_TASK.values() for name, mode in metrics.items()}
_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}  # by the names of the functions in `operator`


@dataclass(frozen=True)
class Rule:
    """What a key may hold, in words and as a test; `a | b` is either. The keys of a section have rules of their own."""

    wanted: str
    fits: Callable[[Any], bool]
    is_optional: bool = False
    keys: "Schema | None" = None

    def __or__(self, other: "Rule") -> "Rule":
        return Rule(f"{self.wanted} or {other.wanted}", lambda value: self.fits(value) or other.fits(value))


Schema = Mapping[str, Rule]


def _optional(rule: Rule) -> Rule:
    """Return the rule of a key that may be absent, because the class that gets it has a default."""
    return replace(rule, is_optional=True)


def _number(wanted: str = "a number", kind: Any = (int, float), **bounds: float) -> Rule:
    limits = " and ".join(f"{_SIGNS[name]} {bound}" for name, bound in bounds.items())

    def fits(value: Any) -> bool:
        if not isinstance(value, kind) or isinstance(value, bool):  # a bool is an int to isinstance
            return False
        # YAML reads .inf and .nan as numbers
        return abs(value) < math.inf and all(
            getattr(operator, name)(value, bound) for name, bound in bounds.items()
        )

    return Rule(f"{wanted} {limits}".strip(), fits)


def _whole(**bounds: int) -> Rule:
    return _number("a whole number", int, **bounds)


def _text(wanted: str = "text", pattern: str = ".*") -> Rule:
    return Rule(
        wanted, lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value, re.DOTALL))
    )


def _choice(*allowed: str, wanted: str = "one of") -> Rule:
    return _text(f"{wanted} {', '.join(allowed)}", "|".join(map(re.escape, allowed)))


def _list(entry: Rule, length: int | None = None) -> Rule:
    def fits(value: Any) -> bool:
        return isinstance(value, list) and length in (None, len(value)) and all(map(entry.fits, value))

    wanted = f"a list, its {f'{length} ' if length else ''}entries each {entry.wanted}"
    return Rule("a list of names of columns" if entry is _COLUMN else wanted, fits)


def _mapping(values: Rule) -> Rule:
    return Rule(
        f"a mapping of names to {values.wanted}",
        lambda value: isinstance(value, Mapping) and all(map(values.fits, value.values())),
    )


def _section(**keys: Rule) -> Rule:
    """Return the rule of a section within a section; it and each of its keys may be absent."""
    optional = {name: _optional(rule) for name, rule in keys.items()}
    wanted = f"a section of {', '.join(keys)}"
    return Rule(wanted, lambda value: isinstance(value, Mapping), is_optional=True, keys=optional)


def is_ours(task: Any) -> bool:
    """Whether the `task` of a config leaves the training to us: null, a name, or a section whose `_target_` is null."""
    return not isinstance(task, Mapping) or {**task} == {"_target_": None}


def named_task(task: Any) -> str | None:
    """Return the task that a config names; None for one that the target says."""
    return task if isinstance(task, str) else None


_AUTO = Rule(AUTO, lambda value: value == AUTO)
_NULL = Rule("null", lambda value: value is None)
_FLAG = Rule("true or false", lambda value: isinstance(value, bool))
_FRACTION = _number(gt=0, lt=1)
_SEED = _whole(ge=0, le=2**64 - 1)
_NAME = _text("a name", r"\S.*")

_COLUMN = Rule(
    "the name of a column; one that is no word is written with two quotes, as \"data.KEY='true'\"",
    lambda value: isinstance(value, str | int | float) and not isinstance(value, bool),
)

_MARGIN = _number(ge=0) | _text("a share such as 20%", r"\s*\d+(\.\d*)?\s*%\s*") | _NULL
_TARGET = Rule(_COLUMN.wanted, lambda value: _COLUMN.fits(value) and bool(str(value).strip()))

_DATA: Schema = {
    "dataset": _text("a name of letters, digits, '_', '-' and '.'", r"[\w.-]+"),
    "val_fraction": _FRACTION,
    "promotion_fraction": _optional(_number(ge=0, lt=1)),
    "data_seed": _SEED,
    "numeric_transform": _optional(_choice("robust", "quantile", "standard", "bins")),
    "min_frequency": _optional(_whole(ge=1)),
    "hash_bins": _optional(_whole(ge=2) | _NULL),
}
_FOLDS: Schema = {"folds": _optional(_whole(ge=2) | _NULL), "fold": _optional(_whole(ge=0) | _NULL)}
_ADAM: Schema = {
    "betas": _optional(_list(_number(ge=0, lt=1), length=2)),
    "eps": _optional(_number(gt=0)),
    "amsgrad": _optional(_FLAG),
}
_RATE = _number(ge=0, lt=1)
_NUMERIC = _optional(_choice("piecewise", "periodic") | _NULL)
_MODEL: Schema = {
    "dropout": _optional(_RATE),
    "embedding_dim": _optional(_whole(ge=1)),
    "numeric_embedding": _NUMERIC,
}
_SCHEDULER: Schema = {"interval": _optional(_choice("epoch", "batch"))}
ROOT: Schema = {
    "seed": _SEED,
    "device": _text("auto, cpu, cuda or cuda:N", r"auto|cpu|cuda(:\d+)?"),
    "task": _optional(
        _choice(*BY_TASK) | _NULL | Rule("a section with _target_", lambda value: isinstance(value, Mapping))
    ),
    "threshold": _optional(_choice("accuracy", "balanced_accuracy", "f1") | _number(gt=0, lt=1)),
}

# sections without a `_target_`
SECTIONS: dict[str, Schema] = {
    "training": {
        "learning_rate": _number(gt=0),
        "batch_size": _whole(ge=1) | _AUTO,
        "epochs": _whole(ge=1) | _AUTO,
        "limit_batches": _optional(_whole(ge=1) | _NULL),
        "weight_decay": _number(ge=0),
        "early_stopping_patience": _whole(ge=1) | _AUTO | _NULL,
        "threads": _optional(_whole(ge=1) | _NULL),
        "class_weight": _optional(_choice("balanced") | _mapping(_number(ge=0)) | _NULL),
        "pos_weight": _optional(_number(gt=0) | _NULL),
        "label_smoothing": _optional(_number(ge=0, lt=1) | _NULL),
        "gradient_clip": _optional(_number(gt=0) | _NULL),
        "ema": _optional(_number(gt=0, lt=1) | _AUTO | _NULL),
        "checkpoint_every_s": _optional(_number(ge=0) | _NULL),
    },
    "objective": {
        "metric": _choice(*LOGGED_PER_EPOCH, wanted="a metric that is logged per epoch:"),
        "mode": _optional(_choice("max", "min") | _NULL),  # null: as the metric improves
        "at": _choice("best", "last"),
    },
    "tracking": {
        "experiment_name": _NAME,
        "tags": _mapping(Rule("values", lambda _value: True)),
        "description": _text(),
    },
    "promotion": {
        "promote": _FLAG,
        "model_name": _NAME,
        "split": _optional(_text("auto, the file of labelled rows,", r"\S.*") | _NULL),
        "scorer": _optional(_text("the dotted name of a function", r"[^.\s].*\.[^.\s]+") | _NULL),
        "allow": _optional(_list(_text())),
        "alpha": _optional(_FRACTION),
        "looks": _optional(_whole(ge=1) | _NULL),
        "draws": _optional(_whole(ge=100)),
        "bootstrap_seed": _optional(_SEED),
        "cluster": _optional(_COLUMN | _NULL),
        "min_rows": _optional(_whole(ge=2)),
        "timeout_s": _optional(_number(gt=0)),
        "require_rerun": _optional(_FLAG),
        "rules": _section(
            min_gain=_number(ge=0),
            superiority=_FLAG,
            not_worse=_mapping(_MARGIN) | _NULL,
            slices=_mapping(_MARGIN) | _NULL,
            thresholds=_mapping(_number() | _NULL),
        ),
        "files": _list(_text()),
        "loader": _optional(_text() | _NULL),
    },
    "paths": {"experiments": _text("a folder", r"\S.*")},
}
# With a training function of the user, keys and metrics are the user's, too.
OWN_SECTIONS: dict[str, Schema] = {
    **{name: SECTIONS[name] for name in ("tracking", "promotion", "paths")},
    "objective": {
        "metric": _text("the name of a metric", r"\S.*") | _NULL,
        "mode": _optional(_choice("max", "min") | _NULL),
        "at": _choice("best", "last"),
    },
}
# sections with a `_target_`, and the schemas of the classes we know
TARGETS: dict[str, dict[str, Schema]] = {
    "data": {
        "trainer.data.ctr.load": {
            **_DATA,
            **_FOLDS,
            "rows": _whole(ge=100),
            "numeric_columns": _whole(ge=1),
            "categorical_columns": _whole(ge=0),
            "max_cardinality": _whole(ge=2),
            "positive_rate": _FRACTION,
            "signal": _number(gt=0),
            "test_fraction": _FRACTION,
        },
        TABLE: {
            **_DATA,
            "path": _text(),
            "target": _TARGET,
            "positive": _optional(_text() | _whole() | _number() | _FLAG | _NULL),
            "numeric": _optional(_list(_COLUMN) | _NULL),
            "categorical": _optional(_list(_COLUMN) | _NULL),
            "time": _optional(_list(_COLUMN) | _NULL),
            "text": _optional(_list(_COLUMN) | _NULL),
            "drop": _optional(_list(_COLUMN)),
            "keep": _optional(_list(_COLUMN)),
            "missing_values": _optional(_list(_text() | _number())),
            "separator": _optional(
                _text(
                    "one character, or the word tab, comma, semicolon, pipe or space,",
                    r".|\\t|tab|comma|semicolon|pipe|space",
                )
                | _NULL
            ),
            "encoding": _optional(_text() | _NULL),
            "header": _optional(_FLAG | _NULL),
            "names": _optional(_list(_NAME | _number()) | _NULL),
            "decimal": _optional(
                _text("the mark , or . or the word comma or point", "[,.]|comma|point") | _NULL
            ),
            "thousands": _optional(
                _text("one of . , ' _ or the word comma, point or space", r"[.,'_ ]|comma|point|space")
                | _NULL
            ),
            "date_order": _optional(_choice("day", "month", "year") | _NULL),
            "skip": _optional(_whole(ge=0) | _NULL),
            "ragged": _optional(_choice("error", "skip")),
            "member": _optional(_NAME | _NULL),
            "sheet": _optional(_NAME | _whole(ge=1) | _NULL),
            "cache": _optional(_choice("auto", "always", "never")),
            "test_path": _optional(_text() | _NULL),
            "time_column": _optional(_COLUMN | _NULL),
            "group_column": _optional(_COLUMN | _NULL),
            "weight_column": _optional(_COLUMN | _NULL),
            "missing_target": _optional(_choice("error", "skip")),
            "test_fraction": _FRACTION,
            **_FOLDS,
        },
        "trainer.data.adult.load": {**_DATA, **_FOLDS, "path": _text(), "drop": _list(_text())},
        "trainer.data.breast_cancer.load": {**_DATA, **_FOLDS, "test_fraction": _FRACTION},
    },
    "model": {
        "trainer.models.tabular.TabularClassifier": {
            "hidden_dims": _list(_whole(ge=1)),
            "dropout": _RATE,
            "embedding_dim": _optional(_whole(ge=1)),
            "numeric_embedding": _NUMERIC,
            "linear_start": _optional(_FLAG),
        },
        "trainer.models.tabular.LogisticRegression": {"numeric_embedding": _NUMERIC},
        "trainer.models.resnet.ResNet": {
            **_MODEL,
            "width": _optional(_whole(ge=1)),
            "blocks": _optional(_whole(ge=1)),
            "hidden_factor": _optional(_number(gt=0)),
            "residual_dropout": _optional(_RATE),
        },
        "trainer.models.dcn.DCN": {
            **_MODEL,
            "cross_layers": _optional(_whole(ge=1)),
            "hidden_dims": _optional(_list(_whole(ge=1))),
            "structure": _optional(_choice("parallel", "stacked")),
            "rank": _optional(_whole(ge=1) | _NULL),
        },
        "trainer.models.deepfm.DeepFM": {**_MODEL, "hidden_dims": _optional(_list(_whole(ge=1)))},
        "trainer.models.ft_transformer.FTTransformer": {
            **_MODEL,
            "blocks": _optional(_whole(ge=1)),
            "heads": _optional(_whole(ge=1)),
            "attention_dropout": _optional(_RATE),
            "residual_dropout": _optional(_RATE),
        },
        "trainer.models.tabm.TabM": {
            **_MODEL,
            "members": _optional(_whole(ge=1)),
            "hidden_dims": _optional(_list(_whole(ge=1))),
        },
    },
    "loss": {},
    "optimizer": {
        "torch.optim.Adam": _ADAM,
        "torch.optim.AdamW": _ADAM,
        "torch.optim.SGD": {
            "momentum": _optional(_number(ge=0, lt=1)),
            "nesterov": _optional(_FLAG),
            "dampening": _optional(_number(ge=0, lt=1)),
        },
    },
    "scheduler": {
        "torch.optim.lr_scheduler.ConstantLR": {
            **_SCHEDULER,
            "factor": _number(gt=0, le=1),
            "total_iters": _optional(_whole(ge=1)),
        },
        "torch.optim.lr_scheduler.OneCycleLR": {
            **_SCHEDULER,
            "max_lr": _number(gt=0),
            "pct_start": _optional(_FRACTION),
            "div_factor": _optional(_number(gt=0)),
            "final_div_factor": _optional(_number(gt=0)),
        },
        "trainer.training.optim.warmup_cosine": {**_SCHEDULER, "warmup": _optional(_FRACTION)},
        "torch.optim.lr_scheduler.CosineAnnealingLR": {
            **_SCHEDULER,
            "T_max": _whole(ge=1) | _AUTO,
            "eta_min": _optional(_number(ge=0)),
        },
        "torch.optim.lr_scheduler.ReduceLROnPlateau": {
            "factor": _number(gt=0, lt=1),
            "patience": _whole(ge=0),
        },
    },
}


def keys_of(section: str) -> tuple[str, ...]:
    """Return the keys of all classes that a section may name."""
    return tuple(key for schema in TARGETS[section].values() for key in schema)


def objective_schema(own: Iterable[str]) -> Schema:
    """Return the schema of the objective where a config has metrics of its own, too."""
    names = dict.fromkeys((*LOGGED_PER_EPOCH, *(f"val_{name}" for name in own)))
    return {
        **SECTIONS["objective"],
        "metric": _choice(*names, wanted="a metric that is logged per epoch:"),
    }


METRIC: Schema = {  # of a metric of the user; other keys are arguments of the function
    "_target_": _text(
        "the dotted name of a function, such as sklearn.metrics.matthews_corrcoef", r"[^.].*\..*"
    ),
    "takes": _optional(_choice("probabilities", "labels") | _NULL),
}
METRIC_NAME = re.compile(r"[A-Za-z][\w-]*")
FREE = ("sweep",)  # sections that another package checks
OPTIONAL = ("loss",)  # sections that may be absent, or name no class
LEFT_OVER = ("model", "optimizer", "scheduler")  # sections that may keep the keys of another class of theirs
