"""Saves a trained model and loads it again, without running code that the saved files bring.

`model_best.pt` is a plain state dict that loads with weights only. `model.json` holds everything else: the
class and its arguments, the fitted preprocessing, and the data section of the config. Only model classes and
data loaders that are defined in allowed packages are called, whatever the files name.
"""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isfunction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import torch
from torch import nn

from tracking import TrackingError
from tracking.files import open_file, read_json, write_bytes
from tracking.values.names import is_within
from trainer.checkpoint import write_tensors
from trainer.data.adopted import as_trained, reader_for
from trainer.data.encode import Encoder
from trainer.data.load import read_splits
from trainer.data.reading.chunks import infinite_lines
from trainer.data.reading.reader import How, Reader
from trainer.data.target import Target
from trainer.data.tensors import Dataset, Shape, Split, Splits, encoded, fingerprint, labelled
from trainer.device import cpu_threads
from trainer.errors import DataError, LoadError, ModelError
from trainer.models.arguments import OF_HYDRA, parameters
from trainer.models.network import adapt, build_module, construct
from trainer.scoring import Scores, evaluate, infer
from trainer.targets import check_trusted, imported
from trainer.tasks.outputs import task_of
from trainer.tasks.threshold import HALF, codes

if TYPE_CHECKING:
    from trainer.exchange.description import Description

logger = logging.getLogger(__name__)

PATH_KEYS = ("path", "test_path")  # of the data section
WEIGHTS, SIDECAR = "model_best.pt", "model.json"
FORMAT = 2  # 1, of podium 0.1.0, has neither reader nor target
ALLOWED = ("trainer", "torch.nn")
_READ = ("trainer.data.table.load", "trainer.data.adult.load")  # loaders that have a reader since format 2
ACTIVATIONS = tuple(  # the functions that layers of torch take as arguments
    map(
        "torch.nn.functional.{}".format,
        ("celu", "elu", "gelu", "leaky_relu", "mish", "relu", "selu", "sigmoid", "silu", "softplus", "tanh"),
    )
)


@dataclass(frozen=True)
class Predictor:
    """A loaded model with its preprocessing."""

    model: nn.Module
    encoder: Encoder = field(repr=False)
    data: Mapping[str, Any]  # the data section of the config it was trained with
    fingerprint: str
    found_at: Mapping[str, str] = field(default_factory=dict)  # its files at training time, absolute paths
    allow: Sequence[str] = field(default=(), repr=False)  # packages whose data loader may be called
    labels: Target | None = None  # None: two classes, as the encoder names them
    reader: Reader | None = field(default=None, repr=False)  # how the training read its table
    threshold: float = HALF  # of two classes, the probability from which on a row is labelled positive

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes in the order of their codes; empty for a regression."""
        return self.labels.classes if self.labels else (f"not {self.encoder.positive}", self.encoder.positive)

    def predict(self, table: Any, *, bad_rows: str = "error", **how: Unpack[How]) -> np.ndarray[Any, Any]:
        """Return the prediction for each row of a table.

        It is the probability of the positive class, [N]; for several classes a probability for each of `classes`,
        [N, K]; for a regression the value in the target's own unit, [N].

        The table is a path of any format, a DataFrame, a Series (one row), a dict of values or of lists, a list of dicts,
        or an Arrow table. Columns are found by name, others are ignored, and values are read as the training read its own. Raise
        DataError for a column that is missing, and for a value that its column cannot hold, with its row;
        `bad_rows="missing"` takes such a value as missing. Of a file, `member`, `sheet`, `encoding` and `skip` say how it
        is written, where that cannot be found. A model whose loader uses no reader takes a path, a DataFrame or a dict
        of lists.
        """
        return self.predict_encoded(*self.encoder.transform(self._read(table, bad_rows, **how)))

    def predict_encoded(self, numeric: torch.Tensor, categorical: torch.Tensor) -> np.ndarray[Any, Any]:
        """Return the prediction for rows that `encoder` has encoded."""
        task = task_of(self.labels)
        network = adapt(self.model, self.encoder.cardinalities, task.labels.outputs)
        return task.predictions(task.combined(infer(network, numeric, categorical).double())).numpy()

    def classify(
        self, table: Any, *, threshold: float | None = None, bad_rows: str = "error", **how: Unpack[How]
    ) -> np.ndarray[Any, Any]:
        """Return the class of each row, one of `classes`, [N]; takes a table as `predict` does.

        Of two classes it is the positive one from the `threshold` on, by default the model's, which was chosen on
        validation rows. Of several classes it is the likeliest. Raise ModelError for a regression.
        """
        return self.classes_of(self.predict(table, bad_rows=bad_rows, **how), threshold)

    def classes_of(
        self, chances: np.ndarray[Any, Any], threshold: float | None = None
    ) -> np.ndarray[Any, Any]:
        """Return the class of each row of probabilities that `predict` returned; see `classify`."""
        if not self.classes:
            raise ModelError("a regression predicts numbers, and has no classes")
        places = codes(chances, self.threshold if threshold is None else threshold)
        found: np.ndarray[Any, Any] = np.array(self.classes, object)[places]
        return found

    def export(self, path: str | os.PathLike[str], *, format: str | None = None, rows: Any = None) -> float:
        """Write the model as one graph, `pt2` or `onnx`, and return how much its predictions differ at most.

        Both are run on `rows`, a table as `predict` takes it, by default the first test rows of the run. Raise
        ModelError, with nothing written, for a model that cannot be exported or a graph whose predictions differ.
        """
        from trainer.exchange.graph import format_of, write_graph  # ONNX takes long to load

        kind = format_of(path, format)
        if rows is None:
            numeric, categorical = self._test_rows()
        else:
            numeric, categorical = self.encoder.transform(self._read(rows, "error"))
        wanted = self.predict_encoded(numeric, categorical)
        return write_graph(
            path, self.model, self._description(), (numeric, categorical), wanted=wanted, kind=kind
        )

    def evaluate(self, split: Split | None = None) -> Scores:
        """Score the model on encoded rows; by default read the test split of the run again.

        Raise LoadError when the data changed since the run, or their loader is not in `trainer` and the packages
        allowed when the model was loaded; DataError when they are gone.
        """
        if split is None:
            split = self._test_split()
        with cpu_threads(1):
            return evaluate(
                self.model, split, cardinalities=self.encoder.cardinalities, task=task_of(self.labels)
            )

    def _read(self, table: Any, bad_rows: str, **how: Unpack[How]) -> Any:
        """Return what the encoder takes: a table as it was read at training, or the columns of a user without a reader."""
        is_path = isinstance(table, str | os.PathLike)
        if how and not is_path:
            raise DataError(f"{', '.join(how)}: only files have such; a {type(table).__name__} was given")
        if self.reader is None and not is_path:
            return table
        reader = self.reader or reader_for(self.encoder, os.fspath(table), **how)
        table = os.fspath(table) if is_path else table
        read = reader.read(
            table, only=self.encoder.names, bad_rows=bad_rows, options=reader.predicting(**how)
        )
        for line in infinite_lines(read.infinite):
            logger.warning("%s", line)
        return read if self.reader is not None else as_trained(self.encoder, read)

    def _test_rows(self) -> tuple[torch.Tensor, torch.Tensor]:
        try:
            split = self._test_split()
        except (DataError, LoadError) as error:
            raise type(error)(f"the test rows of the run cannot be read: {error}; give rows=FILE") from error
        return split.numeric, split.categorical

    def _description(self) -> "Description":
        from trainer.exchange.description import Description

        target = self.labels or Target(self.encoder.target, classes=self.classes)
        return Description(self.encoder, target, self.threshold, self.reader)

    def _test_split(self) -> Split:
        """Return the test split of the run, encoded as its training did."""
        splits, labels, targets = self.read_again()
        weights = None if splits.weights is None else splits.weights[2]
        return encoded(self.encoder, splits.tables[2], targets[2], self.labels or labels, weights)

    def read_again(self) -> tuple[Splits, Target, list[np.ndarray[Any, Any]]]:
        """Read the splits of the run again, with their target and its values as numbers; nothing is encoded.

        Raise LoadError when the data changed since the run or their loader is not allowed, DataError when they are gone.
        """
        _check_data(self.data, self.allow)
        section = {**self.data, **self.files()}
        is_old = self.reader is None and section["_target_"] in _READ
        if is_old:  # by podium 0.1.0, whose fingerprint and roles were others
            section |= (
                {"numeric": [each.name for each in self.encoder.numeric]} if "numeric" in section else {}
            )
            section |= (
                {"categorical": [each.name for each in self.encoder.categorical]}
                if "categorical" in section
                else {}
            )
        task = self.labels.task.value if self.labels else None
        splits = read_splits(section, task=task)
        labels, targets = labelled(splits, task=task)
        found = fingerprint(splits, targets)
        if found != self.fingerprint and not is_old:
            raise LoadError(
                f"the data changed since training: fingerprint {found}, the model's is {self.fingerprint}"
            )
        return splits, labels, targets

    def files(self) -> dict[str, str]:
        """Return the data files: where the run read them, or at the same path from the current folder."""
        files = {}
        for key, then in self.found_at.items():
            now = self.data[key]
            if Path(then).exists():
                files[key] = then
            elif not Path(now).exists():
                raise DataError(
                    f"the data of data.{key}={now} are gone: neither {then}, where the run read them, nor "
                    f"{Path(now).absolute()} exists"
                )
        return files


def save_model(
    folder: Path,
    module: nn.Module,
    *,
    spec: Mapping[str, Any],
    section: Mapping[str, Any],
    data: Dataset,
    threshold: float | None = None,
) -> None:
    """Write the weights and the sidecar into a folder; no file is ever partial.

    `spec` is the full specification of the model, `section` the data section of the config, `threshold` that of labels.
    """
    # A user's loader may give these keys another meaning, so only paths that exist count.
    paths = {key: Path(section[key]) for key in PATH_KEYS if isinstance(section.get(key), str)}
    sidecar = {
        "format": FORMAT,
        "model": dict(spec),
        "encoder": data.encoder.to_json(),
        "reader": None if data.reader is None else data.reader.to_json(),
        "target": data.labels.to_json(),
        "threshold": threshold,
        "data": dict(section),
        "found_at": {key: str(path.absolute()) for key, path in paths.items() if path.exists()},
        "fingerprint": data.fingerprint,
        "torch": torch.__version__,
    }
    weights = {name: each.detach().cpu() for name, each in module.state_dict().items()}
    write_tensors(folder / WEIGHTS, weights)
    # A line for each key: indented at all depths, JSON takes ten times as long.
    lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in sidecar.items())
    write_bytes(folder / SIDECAR, "\n".join(["{", ",\n".join(lines), "}", ""]).encode())


def load_model(
    source: str | os.PathLike[str] | Any,
    *,
    allow: Sequence[str] = (),
    base_dir: str | os.PathLike[str] = "experiments",
) -> Predictor:
    """Load a trained model on the CPU.

    `source` is a run folder, its artifacts folder, a folder of the model registry, a path to `model_best.pt`,
    anything with a `run_dir` (a run, a record, the dict of `tracker.get_run`), or a run id of the store
    `base_dir`. Only nn.Module classes that are defined in `trainer`, `torch.nn` or a package in `allow` are
    called; `allow` may also name a function or a class in full, such as "my_models.make_model".
    Raise LoadError when a file is missing or unreadable, or a class is not allowed.
    """
    folder = find(source, Path(base_dir))
    try:
        sidecar = read_json(folder / SIDECAR)
        spec, encoder = sidecar["model"], Encoder.from_json(sidecar["encoder"])
        version, data, fingerprint = sidecar["format"], sidecar["data"], sidecar["fingerprint"]
        reader = None if sidecar.get("reader") is None else Reader.from_json(sidecar["reader"])
        labels = Target.from_json(sidecar["target"]) if "target" in sidecar else None  # 0.1.0 wrote none
        threshold = float(sidecar.get("threshold") or HALF)
    except FileNotFoundError:
        raise LoadError(f"{folder} holds {WEIGHTS} but no {SIDECAR}, which describes the model") from None
    except (TrackingError, OSError, ValueError, KeyError, TypeError) as error:
        why = error if isinstance(error, TrackingError) else repr(error)
        raise LoadError(f"{folder / SIDECAR} is damaged: {why}") from error
    if version not in range(1, FORMAT + 1):
        raise LoadError(f"{folder / SIDECAR} has format {version}; this version reads formats 1 to {FORMAT}")
    _check_model(spec, allow)
    shape, outputs = Shape(encoder.width, encoder.cardinalities), labels.outputs if labels else 1
    module, _ = build_module(spec, shape, seed=0, outputs=outputs)  # any seed: weights follow
    try:
        with open_file(folder / WEIGHTS) as file:
            weights = torch.load(file, map_location="cpu", weights_only=True)
        module.load_state_dict(weights)
    except Exception as error:  # damaged bytes make torch raise anything
        raise LoadError(f"{folder / WEIGHTS} does not fit the model in {SIDECAR}: {error}") from error
    module.eval()
    found_at = sidecar.get("found_at", {})
    return Predictor(module, encoder, data, fingerprint, found_at, _listed(allow), labels, reader, threshold)


def build(params: Mapping[str, Any], *, allow: Sequence[str] = ()) -> nn.Module:
    """Build the model that the parameters of a run describe, with the weights its training began with.

    Keys that the constructor does not name, such as those of the data and the training, are ignored.
    Raise LoadError when the parameters name no model, or a class that is not allowed (see load_model).
    """
    if "model" not in params:
        raise LoadError(f"the parameters name no model: `model` is not among {', '.join(params) or 'none'}")
    spec = {**params, "_target_": params["model"]}
    _check_model(spec, allow)
    taken = {*parameters(imported("model", spec)), *OF_HYDRA}
    return construct({key: value for key, value in spec.items() if key in taken}, seed=params.get("seed", 0))


def find(source: str | os.PathLike[str] | Any, base_dir: Path) -> Path:
    """Return the folder that holds `model_best.pt`; raise LoadError with the folders looked in."""
    given = source.get("run_dir") if isinstance(source, Mapping) else getattr(source, "run_dir", source)
    if not isinstance(given, str | os.PathLike):
        raise LoadError(
            f"a model cannot be loaded from {source!r:.80}; allowed is a path, a run id, or a run, which has a run_dir"
        )
    path = Path(given).parent if Path(given).is_file() else Path(given)
    looked = [path, path / "artifacts"]
    if len(path.parts) == 1:
        looked.append(base_dir / "runs" / path / "artifacts")
    for folder in looked:
        if (folder / WEIGHTS).is_file():
            return folder
    raise LoadError(f"no {WEIGHTS} for {str(given)!r}; looked in {', '.join(map(str, looked))}")


def _check_model(spec: Any, allow: Sequence[str]) -> None:
    """Raise LoadError for a specification that names anything but model classes of allowed packages."""
    packages = (*ALLOWED, *_listed(allow))
    check_trusted(
        "model", spec, packages, kind="nn.Module class", is_kind=_is_module_class, functions=ACTIVATIONS
    )


def _check_data(section: Any, allow: Sequence[str]) -> None:
    """Raise LoadError for a data section that names anything but loaders of allowed packages."""
    packages = ("trainer", *_listed(allow))
    check_trusted("data", section, packages, kind="loader", is_kind=_is_loader)


def _listed(allow: Sequence[str]) -> tuple[str, ...]:
    return (allow,) if isinstance(allow, str) else tuple(allow)


def _is_module_class(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, nn.Module)


def _is_loader(found: Any) -> bool:
    if not isfunction(found) or found.__qualname__ != found.__name__ or not found.__name__.isidentifier():
        return False  # a class, a method, a lambda
    # Of our own functions only those that return splits: others would call what their arguments name. A user's own
    # may say nothing of what it returns.
    unsaid = None if is_within(found.__module__, ("trainer",)) else Splits
    returned = found.__annotations__.get("return", unsaid)
    return returned is Splits or str(returned).rpartition(".")[2] == Splits.__name__
