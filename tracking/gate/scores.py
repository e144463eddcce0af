"""What a scorer returned for one version, checked: predictions, targets and row ids of the same length, all finite.

Rows of weight 0 are left out here, so that whatever counts rows counts those that decide. A scorer may be anybody's function, so nothing that it returns is taken on trust. Each fault is a sentence.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracking.errors import InvalidValueError, quoted
from tracking.registry.overlap import SIZE
from tracking.statistics.measures import Task

Array = NDArray[Any]
# as after a change of what a split holds, which the champion is older than
SAME = ": give both the same rows by promotion.split, or promote by hand"
KEYS = frozenset(
    {"prediction", "target", "row", "task", "classes", "weight", "columns", "threshold", "split", "measures"}
    | {"predict_one", "trained_on", "duplicates", "row_hash"}
)


@dataclass(frozen=True)
class Scores:
    """The predictions of one version for the rows of a split that have a weight."""

    prediction: Array  # [N], or [N, K] for K classes
    target: Array  # [N]; classes as 0 .. K-1
    row: Array  # [N], what identifies each row
    task: Task
    classes: tuple[str, ...] | None
    weight: Array | None
    columns: Mapping[str, Any]
    threshold: float | None
    split_name: str
    split_hash: str
    split_same: str  # what both versions must agree on: the hash, or what else the scorer says
    is_known: bool  # whether the hash is of the scorer's, or of a file: then it alone tells the rows
    hashes: Array | None  # of the values of each row
    sketch: tuple[int, ...]  # of the hashes of the rows; empty where the scorer gives none
    measures: Mapping[str, Callable[..., float]]
    predict_one: Callable[[int], Any] | None
    trained_on: Mapping[str, float] | None
    duplicates: Mapping[str, float] | None
    counted: Array | None = None  # the places of these rows among all that the scorer gave; None for all
    weightless: int = 0  # rows of weight 0, which are left out

    def __len__(self) -> int:
        return len(self.target)

    @property
    def effective(self) -> float:
        """How many rows of equal weight tell as much, by Kish: the square of the sum of the weights by the sum of their squares."""
        if self.weight is None:
            return float(len(self))
        relative = self.weight / self.weight.max()  # squares of tiny weights would be 0
        return float(relative.sum() ** 2 / (relative**2).sum())

    @property
    def rows_of_classes(self) -> dict[str, int] | None:
        """The number of rows of each class; None for numbers."""
        if self.task is Task.REGRESSION:
            return None
        counts = np.bincount(self.target.astype(int), minlength=len(self.classes or ()))
        names = self.classes or tuple(map(str, range(len(counts))))
        return {name: int(n) for name, n in zip(names, counts, strict=True)}


def scores_of(raw: Any, split_file_hash: str | None = None) -> Scores:
    """Return what a scorer returned, checked; raise InvalidValueError with what is wrong.

    `split_file_hash` is the SHA-256 of the file that the split was read from, if there is one.
    """
    if not isinstance(raw, Mapping):
        raise InvalidValueError(
            f"the scorer returned {type(raw).__name__}, not a mapping with 'prediction' and 'target'"
        )
    unknown = sorted(str(name) for name in raw if name not in KEYS)
    if unknown:
        raise InvalidValueError(
            f"the scorer returned the unknown {', '.join(map(quoted, unknown))}; allowed are {', '.join(sorted(KEYS))}"
        )
    for name in ("prediction", "target"):
        if raw.get(name) is None:
            raise InvalidValueError(f"the scorer returned no {name!r}")
    classes = None if raw.get("classes") is None else tuple(map(str, raw["classes"]))
    prediction = _numbers("prediction", raw["prediction"])
    target = _targets(raw["target"], classes)
    task = _task(raw.get("task"), prediction, target)
    prediction = _shaped(prediction, target, task)
    if task is not Task.REGRESSION:
        target = target.astype(np.int64)  # measures of several classes look a row's class up by it
    row = np.arange(len(target)) if raw.get("row") is None else _rows(raw["row"], len(target))
    split = _mapping("split", raw.get("split"))
    split_name, split_hash = _split(split, row, target, split_file_hash)
    weight = _weight(raw.get("weight"), len(target))
    hashes = _hashes(raw.get("row_hash"), len(target))
    scores = Scores(
        prediction=prediction,
        target=target,
        row=row,
        task=task,
        classes=classes or _named(prediction, task),
        weight=weight,
        columns=_mapping("columns", raw.get("columns")),
        threshold=None
        if raw.get("threshold") is None
        else float(_numbers("threshold", [raw["threshold"]])[0]),
        split_name=split_name,
        split_hash=split_hash,
        split_same=str(split.get("same") or split_hash),
        is_known=bool(split.get("hash")) or split_file_hash is not None,
        hashes=hashes,
        sketch=_sketch(hashes, weight),
        measures=_mapping("measures", raw.get("measures")),
        predict_one=raw.get("predict_one"),
        trained_on=raw.get("trained_on"),
        duplicates=_mapping("duplicates", raw.get("duplicates")) or None,
    )
    return _without_weightless(scores)


def _without_weightless(scores: Scores) -> Scores:
    """Leave out the rows of weight 0."""
    if scores.weight is None or scores.weight.all():
        return scores
    counted, predict_one = np.flatnonzero(scores.weight), scores.predict_one
    return replace(
        scores,
        prediction=scores.prediction[counted],
        target=scores.target[counted],
        row=scores.row[counted],
        weight=scores.weight[counted],
        hashes=None if scores.hashes is None else scores.hashes[counted],
        predict_one=predict_one and (lambda place: predict_one(int(counted[place]))),
        counted=counted,
        weightless=len(scores) - len(counted),
    )


def column_of(scores: Scores, name: str) -> Array:
    """Return a column of the split as texts; a missing value is "missing". Raise InvalidValueError for an unknown one."""
    try:
        values = np.asarray(scores.columns[name])
    except KeyError:
        known = ", ".join(sorted(map(str, scores.columns))) or "none"
        raise InvalidValueError(f"the rows have no column {name!r}; they have: {known}") from None
    given = len(scores) + scores.weightless
    if values.shape != (given,):
        raise InvalidValueError(
            f"column {name!r} has the shape {values.shape}, not one value for each of {given} rows"
        )
    values = values if scores.counted is None else values[scores.counted]
    return np.array([_label(value) for value in values.tolist()], dtype=object).astype(str)


def differences_of_rows(challenger: Scores, champion: Scores) -> Iterator[str]:
    """Yield why two versions were not scored on the same rows, a sentence each; nothing when they were."""
    if len(challenger) != len(champion):
        weighted = " rows that have a weight" if challenger.weightless or champion.weightless else ""
        yield f"the challenger was scored on {len(challenger):,}{weighted or ' rows'} and the champion on {len(champion):,}{weighted}{SAME}"
        return
    if challenger.task is not champion.task:
        yield f"the challenger predicts for {challenger.task} and the champion for {champion.task}"
    if not np.array_equal(challenger.row.astype(str), champion.row.astype(str)):
        yield f"the two versions were scored on different rows, or in another order{SAME}"
    if not np.array_equal(challenger.target, champion.target):
        yield "the targets of the rows differ between the two versions"
    if challenger.classes != champion.classes:
        yield f"the classes of the two versions differ: {challenger.classes} and {champion.classes}"
    ours, theirs = challenger.weight, champion.weight
    same_weights = ours is theirs if ours is None or theirs is None else np.array_equal(ours, theirs)
    if not same_weights:
        yield "the weights of the rows differ between the two versions"
    if challenger.split_same != champion.split_same:
        one, other = _apart(challenger.split_same, champion.split_same)
        yield f"the split has changed: {one} for the challenger, {other} for the champion"


def _numbers(name: str, raw: Any) -> Array:
    try:
        values = np.asarray(raw)
        values = values if values.dtype.kind == "f" and values.dtype.itemsize >= 4 else values.astype(float)
    except (TypeError, ValueError):
        raise InvalidValueError(f"the scorer's {name!r} holds something else than numbers") from None
    if values.size == 0:
        raise InvalidValueError(f"the scorer's {name!r} is empty")
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise InvalidValueError(
            f"{bad:,} of {values.size:,} values of {name!r} are not finite (NaN or infinite)"
        )
    return values.astype(float)


def _targets(raw: Any, classes: tuple[str, ...] | None) -> Array:
    values = np.asarray(raw)
    if values.ndim != 1:
        raise InvalidValueError(
            f"the scorer's 'target' has the shape {values.shape}; one value a row is needed"
        )
    if values.dtype.kind not in "OUS":
        return _numbers("target", values)
    texts = [_label(value) for value in values.tolist()]
    places = {name: place for place, name in enumerate(classes or sorted(set(texts)))}
    unknown = sorted(set(texts) - set(places))
    if unknown:
        raise InvalidValueError(
            f"the targets hold classes that the model does not have: {', '.join(unknown[:5])}"
        )
    return np.array([places[text] for text in texts], dtype=float)


def _task(raw: Any, prediction: Array, target: Array) -> Task:
    if raw is not None:
        try:
            return Task(str(raw))
        except ValueError:
            raise InvalidValueError(f"task {quoted(raw)}: allowed are {', '.join(Task)}") from None
    if prediction.ndim == 2:
        return Task.MULTICLASS if prediction.shape[1] > 2 else Task.BINARY
    return Task.BINARY if set(np.unique(target).tolist()) <= {0.0, 1.0} else Task.REGRESSION


def _shaped(prediction: Array, target: Array, task: Task) -> Array:
    """Return predictions as the task has them: a column of each class for several classes, else one value a row."""
    if task is not Task.MULTICLASS and prediction.ndim == 2 and prediction.shape[1] in (1, 2):
        prediction = prediction[:, -1]
    wanted = 2 if task is Task.MULTICLASS else 1
    if prediction.ndim != wanted or len(prediction) != len(target):
        raise InvalidValueError(
            f"the scorer's 'prediction' has the shape {prediction.shape}, and 'target' has {len(target):,} rows ({task})"
        )
    if task is not Task.REGRESSION:
        many = prediction.shape[1] if task is Task.MULTICLASS else 2
        if not np.isin(target, np.arange(many)).all():
            raise InvalidValueError(f"the targets of {task} must be 0 to {many - 1}")
    return prediction


def _rows(raw: Any, many: int) -> Array:
    rows = np.asarray(raw)
    if rows.shape != (many,):
        raise InvalidValueError(
            f"the scorer's 'row' has the shape {rows.shape}, not one id for each of {many:,} rows"
        )
    if rows.dtype.kind not in "iu":
        rows = np.array([str(each) for each in rows.tolist()])
    if len(np.unique(rows)) < many:
        raise InvalidValueError("the scorer's 'row' names a row twice")
    return rows


def _weight(raw: Any, many: int) -> Array | None:
    if raw is None:
        return None
    weight = _numbers("weight", raw)
    if weight.shape != (many,) or (weight < 0).any() or not weight.sum() > 0:
        raise InvalidValueError(
            f"the scorer's 'weight' must be a number, 0 or more, for each of {many:,} rows, not all 0"
        )
    return weight


def _split(given: Mapping[str, Any], row: Array, target: Array, file_hash: str | None) -> tuple[str, str]:
    """Return the name and the hash of a split; without a hash of the scorer's, that of the rows and of the file."""
    if given.get("hash"):
        return str(given.get("name") or "the rows of the scorer"), str(given["hash"])
    digest = hashlib.sha256((file_hash or "").encode())
    digest.update("\0".join(map(str, row.tolist())).encode())
    digest.update(np.ascontiguousarray(target, dtype="<f8").tobytes())
    return str(given.get("name") or "the rows of the scorer"), digest.hexdigest()


def _hashes(raw: Any, many: int) -> Array | None:
    if raw is None:
        return None
    rows = np.asarray(raw)
    if rows.shape != (many,) or rows.dtype != np.uint64:
        raise InvalidValueError(
            f"the scorer's 'row_hash' has the shape {rows.shape} and the type {rows.dtype}, not uint64 for each of {many:,} rows"
        )
    return rows


def _sketch(hashes: Array | None, weight: Array | None) -> tuple[int, ...]:
    """Return the sketch of the hashes of rows; those of weight 0 would make old rows look like new ones."""
    if hashes is None:
        return ()
    return tuple(np.unique(hashes if weight is None else hashes[weight > 0])[:SIZE].tolist())


def _apart(one: str, other: str) -> tuple[str, str]:
    """Return the first 12 characters of two hashes, or so many that they differ."""
    pairs = enumerate(zip(one, other, strict=False))
    end = max(12, 1 + next((place for place, pair in pairs if pair[0] != pair[1]), min(len(one), len(other))))
    return one[:end], other[:end]


def _mapping(name: str, raw: Any) -> Mapping[str, Any]:
    if raw is not None and not isinstance(raw, Mapping):
        raise InvalidValueError(f"the scorer's {name!r} is {type(raw).__name__}, not a mapping")
    return raw or {}


def _named(prediction: Array, task: Task) -> tuple[str, ...] | None:
    if task is Task.REGRESSION:
        return None
    return tuple(map(str, range(prediction.shape[1] if task is Task.MULTICLASS else 2)))


def _label(value: Any) -> str:
    if value is None or value != value:
        return "missing"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
