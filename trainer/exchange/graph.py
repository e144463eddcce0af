"""A trained model as one graph that other programs run: torch.export (.pt2) and ONNX (.onnx).

The graph takes encoded rows, any number of them, and returns what `Predictor.predict` does. It is run on real rows and
compared with the model before it is written.
"""

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tracking import StoreUnwritableError
from tracking.extras import require
from tracking.files import write_bytes
from trainer.data.encode import Array
from trainer.data.target import TaskKind
from trainer.errors import DataError, ModelError
from trainer.exchange.description import FILE, KEY, Description
from trainer.models.network import Network, adapt, flatten
from trainer.tasks.outputs import task_of

FORMATS = ("pt2", "onnx")
TOLERANCE = 1e-5  # of probabilities; of numbers, in standard deviations of the target
_ROWS = 4096  # compared at most
# What tracing raises of code that it cannot follow, which may be a user's.
_TRACING = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


class Graph(nn.Module):
    """A model with what makes predictions of its logits, as `Predictor.predict` does."""

    def __init__(self, module: nn.Module, description: Description) -> None:
        super().__init__()
        self.module = module
        self._task = task_of(description.target)
        self._network: Network = adapt(module, description.encoder.cardinalities, description.target.outputs)

    def forward(
        self, numeric: torch.Tensor | None = None, categorical: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return predictions; an input without columns is left out."""
        given = numeric if numeric is not None else categorical
        if given is None:
            raise ModelError("a model without columns has no input")
        rows = given.shape[0]
        numeric = torch.zeros((rows, 0)) if numeric is None else numeric
        categorical = torch.zeros((rows, 0), dtype=torch.int64) if categorical is None else categorical
        network = self._network
        if network.takes_codes:
            logits = self.module(numeric, categorical)
        else:
            logits = self.module(flatten(numeric, categorical, network.cardinalities))
        if network.outputs == 1 and logits.ndim > (1 if network.members is None else 2):
            logits = logits.squeeze(-1)
        return self._task.predictions(self._task.combined(logits.double()))


def write_graph(
    path: str | os.PathLike[str],
    module: nn.Module,
    description: Description,
    rows: tuple[torch.Tensor, torch.Tensor],
    *,
    wanted: Array,
    kind: str | None = None,
) -> float:
    """Write a model as a graph, and return the largest difference from `wanted`, the predictions of the encoded `rows`.

    The format is `kind`, or what the suffix says. Raise ModelError, with nothing written, for a model that cannot be
    exported, and for a graph whose predictions differ.
    """
    kind = format_of(path, kind)
    names = description.names
    tensors = dict(zip(("numeric", "categorical"), rows, strict=True))
    inputs = {name: tensors[name][:_ROWS] for name in names}
    name = type(module).__name__
    try:
        with _quietly():
            data = _exported(Graph(module, description).eval(), inputs, description, kind)
            found = _run(data, inputs, kind)
    except _TRACING as error:
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(f"{name} cannot be exported to {kind}: {why[0]}") from error
    difference = _compared(found, wanted[:_ROWS], description, f"{name} as {kind}")
    try:
        write_bytes(Path(path), data)
    except StoreUnwritableError as error:
        why_not = getattr(error.__cause__, "strerror", None) or error.__cause__
        raise DataError(f"output={os.fspath(path)}: cannot be written: {why_not}") from error
    return difference


def format_of(path: str | os.PathLike[str], kind: str | None = None) -> str:
    """Return the format of an export, given or by the suffix; raise DataError for others, and if its extra is missing."""
    found = kind or Path(path).suffix.lower().removeprefix(".")
    if found not in FORMATS:
        given = f"format={kind}" if kind else f"output={os.fspath(path)}: the suffix {Path(path).suffix!r}"
        raise DataError(f"{given} is no format of an export; allowed are {' and '.join(FORMATS)}")
    if not Path(path).absolute().parent.is_dir():
        raise DataError(
            f"output={os.fspath(path)}: there is no folder {Path(path).absolute().parent}; make it first"
        )
    if found == "onnx":
        require("onnx")
    return found


def _exported(graph: Graph, inputs: dict[str, torch.Tensor], description: Description, kind: str) -> bytes:
    # Two rows: a graph that is traced with one takes one for ever.
    sample = {name: values[:1].expand(2, -1).clone() for name, values in inputs.items()}
    rows = {name: {0: torch.export.Dim.DYNAMIC} for name in inputs}
    with torch.no_grad():
        program = torch.export.export(graph, (), kwargs=sample, dynamic_shapes=rows)
    file = io.BytesIO()
    if kind == "pt2":
        torch.export.save(program, file, extra_files={FILE: description.to_text()})
        return file.getvalue()
    made: Any = torch.onnx.export(
        program,
        (),
        kwargs=sample,
        input_names=list(inputs),
        output_names=[description.output],
        dynamic_shapes=rows,
        verbose=False,
        dynamo=True,
    )
    made.model.metadata_props[KEY] = description.to_text()
    data: bytes = made.model_proto.SerializeToString()
    return data


def _run(data: bytes, inputs: dict[str, torch.Tensor], kind: str) -> Array:
    """Return what a written graph makes of rows: of the first one alone, and of all."""
    parts = [{name: values[:count] for name, values in inputs.items()} for count in (1, None)]
    if kind == "pt2":
        graph = torch.export.load(io.BytesIO(data)).module()
        with torch.no_grad():
            outputs = [graph(**part).numpy() for part in parts]
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        outputs = [
            session.run(None, {name: each.numpy() for name, each in part.items()})[0] for part in parts
        ]
    alone, together = outputs
    if not np.allclose(alone, together[:1], rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        raise ModelError("one row alone gets another prediction than among others")
    return np.asarray(together)


def _compared(found: Array, wanted: Array, description: Description, label: str) -> float:
    """Return the largest difference; raise ModelError when it is more than rounding."""
    unit = description.target.scale if description.target.task is TaskKind.REGRESSION else 1.0
    if found.shape != wanted.shape:
        raise ModelError(f"{label} returns {found.shape}, the model {wanted.shape}; nothing was written")
    difference = np.abs(found - wanted)
    close = np.isclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE * unit, equal_nan=True)
    if not close.all():
        row = int(np.argmin(close.reshape(len(close), -1).all(axis=1)))
        raise ModelError(
            f"{label} predicts {found[row]} for row {row + 1}, the model itself {wanted[row]}; nothing was written"
        )
    return float(np.nanmax(difference, initial=0.0))


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep what torch says while it exports, of its own versions and of packages that are not needed, from the user."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
