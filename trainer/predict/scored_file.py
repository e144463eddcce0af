"""Scores a file a chunk at a time, and puts the result in its place when all rows are scored.

While torch is loaded, and while the model scores a chunk, a thread reads and encodes the next ones. The model gets the rows
in the batches that `Predictor.predict` forms, so the scores are those of the whole table to the last digit.
"""

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from tracking import StoreUnwritableError
from tracking.extras import require
from tracking.files import filling
from trainer.data.adopted import as_trained, reader_for
from trainer.data.encoding.categories import MISSING, UNSEEN
from trainer.data.reading import header
from trainer.data.reading.arrow import Array
from trainer.data.reading.chunks import Chunk, Chunks
from trainer.data.reading.files import formats
from trainer.data.reading.reader import How
from trainer.data.target import TaskKind
from trainer.errors import DataError
from trainer.predict import sinks
from trainer.predict.added import Added
from trainer.predict.ahead import ahead
from trainer.predict.bar import Progress
from trainer.predict.chosen import Chosen, choose
from trainer.predict.typed import Misfit, Types
from trainer.tasks.threshold import codes

EVALUATION_ROWS = 4096  # as trainer.scoring has it, which loads torch
_MOST_ROWS = 1 << 16
_CELLS = 1 << 21  # of a chunk
_IN_MEMORY = 1 << 26  # bytes of the standard output before they go to a file


@dataclass(frozen=True)
class Request:
    """What to score, with which model, and where to."""

    model: str
    source: Path
    output: Path | None  # None: the standard output
    store: str = "experiments"
    threshold: float | None = None
    bad_rows: str = "error"
    columns: Sequence[str] | None = None  # of the input, to keep; None: all
    rows: int | None = None  # of a chunk
    allow: Sequence[str] = ()
    how: How = field(default_factory=How)  # the input is written


@dataclass
class Report:
    """What was written."""

    output: Path | None
    model: str
    columns: tuple[str, ...]
    threshold: float | None = None
    rows: int = 0
    bad: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return it as a sentence."""
        cut = "" if self.threshold is None else f" at threshold {self.threshold:.4g}"
        shares = ", ".join(f"{name} {count / self.rows:.1%}" for name, count in self.labels.most_common(5))
        labels = f"; {shares}{cut}" if shares else ""
        return f"{self.output}: {self.rows:,} row{'s' * (self.rows != 1)} scored by {self.model}{labels}"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "output": None if self.output is None else str(self.output),
            "model": self.model,
            "rows": self.rows,
            "columns": list(self.columns),
            "threshold": self.threshold,
            "labels": dict(self.labels),
            "bad_values": self.bad,
            "notes": self.notes,
        }


def score_file(request: Request) -> Report:
    """Score a file; raise TrainerError, with nothing written, for what cannot be scored or written."""
    _check_places(request)
    model = choose(request.model, request.store)
    types = Types()
    while True:
        try:
            return _scored(request, model, types)
        except Misfit as misfit:
            types = Types(types.texts | {misfit.column})


def _scored(request: Request, model: Chosen, types: Types) -> Report:
    reader = model.reader or reader_for(model.encoder, request.source, **request.how)
    chunks = Chunks(reader, request.source, model.needed, bad_rows=request.bad_rows, how=request.how)
    kept = _kept(request, chunks.names)
    added = Added.beside(model.target, kept)
    is_text = sinks.is_text(request.output)
    names = chunks.header if is_text else chunks.names
    title = [*(dict(zip(chunks.names, names, strict=True))[name] for name in kept), *added.names]
    report = Report(request.output, model.name, (*kept, *added.names), notes=[*added.renamed])
    rows = request.rows or _rows_of_chunk(len(chunks.names))
    unseen = np.zeros((2, len(model.encoder.categorical)), np.int64)
    with (
        ahead(_encoded(model, chunks, rows)) as ready,
        _in_place(request.output) as file,
        sinks.writer(request.output, file, title) as sink,
        Progress(request.source) as progress,
    ):
        predictor = model.load(request.allow)
        if model.target.task is TaskKind.BINARY:
            report.threshold = predictor.threshold if request.threshold is None else request.threshold
        for chunk, numeric, categorical in ready:
            predictions = predictor.predict_encoded(*_tensors(numeric, categorical))
            columns = [chunk.raw[name] for name in kept]
            table = _table(columns, kept)
            table = table if is_text or not chunks.is_text else types.cast(table)
            new = added.columns(predictions, report.threshold or 0.0)
            sink.write(_table([*table.columns, *new], [*kept, *added.names]))
            _count(report, chunk, predictions, model)
            unseen += [(categorical == UNSEEN).sum(axis=0), (categorical != MISSING).sum(axis=0)]
            progress.step(chunk.raw)
    report.notes += chunks.notes
    report.notes += _odd(model, unseen, report.bad)
    return report


def _encoded(model: Chosen, chunks: Chunks, rows: int) -> Iterator[tuple[Chunk, Array, Array]]:
    for chunk in chunks.read(rows):
        table = chunk.table if model.reader is not None else as_trained(model.encoder, chunk.table)
        yield chunk, *model.encoder.arrays(table)


def _tensors(*arrays: Array) -> Iterator[Any]:
    import torch

    return map(torch.from_numpy, arrays)


def _table(columns: Sequence[Any], names: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.Table.from_arrays(list(columns), names=list(names))


def _count(report: Report, chunk: Chunk, predictions: Array, model: Chosen) -> None:
    report.rows += len(chunk.table)
    report.bad += chunk.bad
    if model.target.classes:
        counts = np.bincount(codes(predictions, report.threshold or 0.0), minlength=len(model.target.classes))
        report.labels.update(dict(zip(model.target.classes, counts.tolist(), strict=True)))


def _odd(model: Chosen, unseen: Array, bad: int) -> list[str]:
    """Return what a user should know of the rows that were scored."""
    lines = (
        [f"{bad} value{'s are' if bad > 1 else ' is'} not of the column's kind, and taken as missing"]
        if bad
        else []
    )
    for column, (count, present) in zip(model.encoder.categorical, unseen.T.tolist(), strict=True):
        if column.categories and count == present > 1:
            some = ", ".join(map(repr, column.categories[:3]))
            lines.append(
                f"column {header.shown(column.name)!r}: none of its {present:,} values is a category of the training, "
                f"such as {some}"
            )
    return lines


def _kept(request: Request, names: Sequence[str]) -> list[str]:
    """Return the columns of the input that the output has."""
    if request.columns is None:
        return [*names]
    kept = []
    for asked in request.columns:
        found = header.found(asked, names)
        if found is None:
            raise DataError(f"columns=[{asked}]: {header.no_column(asked, names)}")
        kept.append(found)
    return [*dict.fromkeys(kept)]


def _rows_of_chunk(columns: int) -> int:
    """Return a multiple of the model's batch that keeps a chunk of so many columns small."""
    units = max(1, min(_MOST_ROWS, _CELLS // columns) // EVALUATION_ROWS)
    return units * EVALUATION_ROWS


def _check_places(request: Request) -> None:
    """Raise DataError for an input that is no table, and an output that cannot be written."""
    # Which file of an archive it is, the model may say.
    is_open = formats.is_archive(request.source) and "member" not in request.how
    problem = None if is_open else formats.problem(request.source, request.how.get("member"), keys="")
    if problem is not None:
        raise DataError(f"input={request.source}: {problem}")
    output = request.output
    if output is None:
        return
    suffix, _ = sinks.suffix_of(output)
    if suffix in sinks.EXCEL:
        require("excel")
    if output.is_dir():
        raise DataError(f"output={output}: is a folder; give the path of a file in it")
    if not output.parent.is_dir():
        raise DataError(f"output={output}: there is no folder {output.parent}; make it first")
    if output.exists() and output.samefile(request.source):
        raise DataError(f"output={output}: is the input itself; give the path of another file")


@contextmanager
def _in_place(output: Path | None) -> Iterator[IO[bytes]]:
    """Open a file for bytes that takes its place when the block ends; nothing is written when it raises."""
    if output is None:
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as whole:
            yield cast(IO[bytes], whole)
            whole.seek(0)
            shutil.copyfileobj(whole, sys.stdout.buffer)
        return
    try:
        with filling(output) as (_, handle), open(handle, "wb", closefd=False) as file:
            yield file
            file.flush()
            os.fsync(handle)
    except StoreUnwritableError as error:
        why = error.__cause__
        raise DataError(
            f"output={output}: cannot be written: {getattr(why, 'strerror', None) or why}"
        ) from error
