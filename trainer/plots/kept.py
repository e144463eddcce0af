"""What the plots of a run show, kept as data: a job of a sweep draws nothing, and any run can be drawn later.

The target and the predictions of the test split are in one compressed file, predictions in single precision: a plot shows no
more. The learning curves are metrics of the run already.
"""

import io
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tracking.files import open_file, write_bytes
from trainer.data.encode import Array
from trainer.data.target import Target
from trainer.errors import LoadError
from trainer.tasks.scores import Scores

SCORES, FORMAT = "scores.npz", 1
MOST = 1_000_000  # predictions that are kept; of more, those of every n-th row


class Kept(NamedTuple):
    """Scores of the test split, the target they are for, the epoch that counts and the threshold of labels."""

    scores: Scores
    labels: Target
    epoch: int
    threshold: float | None


def keep(file: Path, kept: Kept) -> None:
    """Write what the plots of a run show; the file is never partial."""
    scores = kept.scores
    rows = slice(None, None, math.ceil(max(1, scores.probabilities.size) / MOST))
    facts = {
        "format": FORMAT,
        "target": kept.labels.to_json(),
        "epoch": kept.epoch,
        "threshold": kept.threshold,
        "loss": scores.loss,
        "accuracy": scores.accuracy,
        "auc": scores.auc,
    }
    arrays = {
        "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
        "target": _small(scores.target[rows]),
        "predictions": scores.probabilities[rows].astype(np.float32),
    }
    if scores.weight is not None:
        arrays["weight"] = scores.weight[rows].astype(np.float32)
    buffer = io.BytesIO()
    save: Callable[..., None] = np.savez_compressed  # whose types take the arrays for options
    save(buffer, **arrays)
    write_bytes(file, buffer.getvalue())


def read(file: Path) -> Kept:
    """Return what `keep` wrote. Raise FileNotFoundError without the file, LoadError for one that is damaged."""
    try:
        with open_file(file) as stream, np.load(stream, allow_pickle=False) as arrays:
            facts: dict[str, Any] = json.loads(arrays["facts"].tobytes())
            labels = Target.from_json(facts["target"])
            target, predictions = arrays["target"], arrays["predictions"].astype(np.float64)
            weight = arrays["weight"].astype(np.float64) if "weight" in arrays else None
        loss, accuracy, auc = (float(facts[name]) for name in ("loss", "accuracy", "auc"))
        scores = Scores(loss, accuracy, auc, predictions, target, labels.task, weight)
        return Kept(scores, labels, int(facts["epoch"]), facts["threshold"])
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise LoadError(f"{file} is damaged: {error!r}") from error


def _small(target: Array) -> Array:
    """Return codes of classes as small whole numbers, and other targets in single precision."""
    whole = target.astype(np.int64)
    if (whole == target).all() and len(target) and whole.min() >= 0:
        return whole.astype(np.min_scalar_type(int(whole.max())))
    return target.astype(np.float32)
