"""The scorer of the gate: loads a model and predicts the rows that decide whether it is promoted.

The gate calls it once for each version that it compares, in a process that is started for it. All that it returns is plain
arrays, and functions of them.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tracking.files import open_file
from tracking.values import yamltext
from trainer.data.encode import Array
from trainer.data.target import Target, TaskKind
from trainer.data.tensors import encoded
from trainer.errors import ConfigError, LoadError
from trainer.promotion.deciding_rows import DecidingRows, deciding_rows
from trainer.promotion.leaks import equal_rows
from trainer.promotion.raw_columns import RawColumns, as_asked
from trainer.saved_model import Predictor, load_model
from trainer.targets import check_trusted
from trainer.tasks.own_metrics import OwnMetric

CONFIG = "config.yaml"  # of the run, which the registry keeps with a version
_LEAST = 1e-15  # of a probability, in a logarithm


def score(folder: Path | str, split: str | None = None, *, allow: Sequence[str] = ()) -> dict[str, Any]:
    """Return what the model in a folder predicts for the rows that decide its promotion, with all that the gate asks of them.

    Without a `split` these are the rows that its loader keeps for the gate, or its test rows where none are kept; else those of
    a file, which the model's own reader reads: the columns of the features and the target by their names, each of its kind, and
    further ones as texts. The
    predictions are of one thread of the CPU, as every logged figure of the test rows. Classes, data loaders and own metrics of
    other packages than ours are used only if `allow` names the package, or the function in full.

    `prediction` is [N], or [N, K] for K classes; `target`, `row` and `weight` are [N]. `columns` reads a column when it is
    asked for. No `threshold` is among them: accuracy and the like are those that runs log, which take one half.
    `predict_one(i)` predicts row i alone, as `Predictor.predict` does. `trained_on`, of a file, is the share of its rows
    that the model was trained on, beside the share that duplicates explain. `duplicates` is how many rows are the same as
    another, for a file beside the share of training rows that are.

    Raise LoadError for a model that does not load, or whose data have changed since its training; DataError for rows
    that cannot be read, and for targets that the model does not know.
    """
    predictor = load_model(folder, allow=allow)
    rows = deciding_rows(predictor, split)
    target = rows.labels
    predictions = predictor.evaluate(
        encoded(predictor.encoder, rows.table, rows.target, target, rows.weight)
    ).probabilities
    found: dict[str, Any] = {
        "prediction": np.asarray(predictions, np.float64),
        "target": rows.target if target.task is TaskKind.REGRESSION else rows.target.astype(np.int64),
        "row": rows.numbers,
        "task": target.task.value,
        "columns": RawColumns(rows.table, rows.further),
        "split": {"name": rows.name, "hash": rows.hash, "same": rows.same},
        "row_hash": rows.hashes,
        "measures": _measures(Path(folder), target, allow),
        "predict_one": _one_by_one(predictor, rows),
    }
    if rows.weight is not None:
        found["weight"] = rows.weight
    if target.task is not TaskKind.REGRESSION:
        found["classes"] = list(predictor.classes)
    found["duplicates"], leaks = equal_rows(predictor, rows, is_file=split is not None)
    if leaks is not None:
        found["trained_on"] = leaks
    return found


def _one_by_one(predictor: Predictor, rows: DecidingRows) -> Callable[[int], Array]:
    """Return a function that predicts one row alone, read from the values of its columns."""
    names = predictor.encoder.names

    def predict_one(row: int) -> Array:
        return predictor.predict(as_asked(rows.table, names, row, as_lists=predictor.reader is None))

    return predict_one


def _measures(folder: Path, target: Target, allow: Sequence[str]) -> dict[str, Callable[..., float]]:
    """Return the trainer's loss, and the metrics of the user's that the run logged, as functions of target and predictions.

    A metric that is not allowed is left out, so that a rule that asks for it refuses.
    """
    measures: dict[str, Callable[..., float]] = {"loss": _loss_of(target)}
    for name, spec in _own_metrics(folder).items():
        if _is_allowed(name, spec, allow):
            metric = OwnMetric(name, spec)
            measures[name] = _called(metric, target.task)
    return measures


def _called(metric: OwnMetric, task: TaskKind) -> Callable[..., float]:
    def measure(target: Array, prediction: Array, weight: Array | None = None) -> float:
        return metric(task, target, prediction, weight)

    return measure


def _is_allowed(name: str, spec: Any, allow: Sequence[str]) -> bool:
    packages = (allow,) if isinstance(allow, str) else tuple(allow)
    try:
        check_trusted(f"metrics.{name}", spec, packages, kind="function", is_kind=callable)
    except (LoadError, ConfigError):
        return False
    return True


def _own_metrics(folder: Path) -> Mapping[str, Any]:
    """Return the `metrics` section of the run's config as it is written; none without a config.

    The config may be somebody else's, so OmegaConf, which would run its resolvers, has no part in this.
    """
    try:
        with open_file(folder / CONFIG) as file:
            config = yamltext.decode(file.read())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise LoadError(f"{folder / CONFIG} cannot be read: {error}") from None
    section = config.get("metrics") if isinstance(config, dict) else None
    section = section if isinstance(section, dict) else {}
    return {str(name): spec for name, spec in section.items() if spec is not None}


def _loss_of(target: Target) -> Callable[..., float]:
    """Return the loss of a task as the trainer logs it, without weights of classes or smoothing."""

    def cross_entropy(truth: Array, prediction: Array, weight: Array | None = None) -> float:
        chances = prediction if prediction.ndim == 2 else np.stack([1 - prediction, prediction], axis=1)
        own = np.take_along_axis(chances, truth.astype(np.int64)[:, None], axis=1)[:, 0]
        return float(np.average(-np.log(np.maximum(own, _LEAST)), weights=weight))

    def squared_error(truth: Array, prediction: Array, weight: Array | None = None) -> float:
        return float(np.average(((truth - prediction) / target.scale) ** 2, weights=weight))

    return squared_error if target.task is TaskKind.REGRESSION else cross_entropy
