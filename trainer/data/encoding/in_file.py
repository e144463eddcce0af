"""Encode a table that is larger than memory: its features are written to files a block of rows at a time, and mapped.

The files are an entry of the cache, so that jobs which encode the same rows alike share them.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.data.encode import Array, Encoder, Table
from trainer.data.encoding.ranks import clipped
from trainer.data.reading import cache
from trainer.data.reading.columns import Long

if TYPE_CHECKING:
    import torch

VERSION = 1  # of the files
_CELLS = 1 << 21  # values encoded at a time


def encodes_in_file(encoder: Encoder, table: Table) -> bool:
    """Whether the columns that an encoder takes are in files."""
    names = _names(encoder)
    return all(name in table and isinstance(table[name], Long) for name in names) and bool(names)


def encoded_in_file(encoder: Encoder, table: Table) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return rows encoded as float32 [N, F] and int32 [N, C], in files."""
    import torch

    columns: dict[str, Long] = {name: table[name] for name in _names(encoder)}
    rows = len(next(iter(columns.values())))
    shapes = (rows, encoder.width), (rows, len(encoder.categorical))

    def make(folder: Path) -> dict[str, Any]:
        with (folder / "numeric").open("wb") as numeric, (folder / "codes").open("wb") as codes:
            for features, labels in _blocks(encoder, columns, rows):
                numeric.write(features.tobytes())
                codes.write(labels.tobytes())
        return {}

    folder, _ = cache.entry(_key(encoder, columns), make, needed=4 * rows * (shapes[0][1] + shapes[1][1]))
    return (
        torch.from_numpy(cache.mapped(folder / "numeric", np.float32, shapes[0], writable=True)),
        torch.from_numpy(cache.mapped(folder / "codes", np.int32, shapes[1], writable=True)),
    )


def _names(encoder: Encoder) -> list[str]:
    return [*(each.name for each in encoder.numeric), *(each.name for each in encoder.categorical)]


def _blocks(encoder: Encoder, columns: dict[str, Long], rows: int) -> Iterator[tuple[Array, Array]]:
    tables = [each.by_label(columns[each.name]) for each in encoder.categorical]
    size = max(_CELLS // (encoder.width + len(tables)), 1)
    for start in range(0, rows, size):
        stop = min(start + size, rows)
        features = [
            each.transform(clipped(columns[each.name].stored(start, stop))) for each in encoder.features
        ]
        codes = [
            np.take(codes, columns[each.name].stored(start, stop), mode="wrap")  # -1 is the last
            for each, codes in zip(encoder.categorical, tables, strict=True)
        ]
        yield (
            np.concatenate([np.empty((stop - start, 0), np.float32), *features], axis=1),
            np.stack(codes, axis=1) if codes else np.empty((stop - start, 0), np.int32),
        )


def _key(encoder: Encoder, columns: dict[str, Long]) -> list[Any]:
    """Return what determines the encoded rows: the values of the columns, the rows that are taken, the encoder."""
    taken = hashlib.blake2b(digest_size=16)
    rows = next(iter(columns.values())).rows
    if rows is not None:
        taken.update(np.ascontiguousarray(rows).data)
    fitted = hashlib.blake2b(json.dumps(encoder.to_json(), sort_keys=True).encode(), digest_size=16)
    signatures = {name: each.facts.signature for name, each in columns.items()}
    return [VERSION, "encoded", signatures, taken.hexdigest(), fitted.hexdigest()]
