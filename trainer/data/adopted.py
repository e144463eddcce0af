"""A reader for a model that was saved without one: by podium 0.1.0, or of a user's own loader.

The encoder names the columns and says which are numbers. The rest is found in the first rows of the file to predict.
"""

from dataclasses import replace
from typing import Any, Unpack

import numpy as np

from trainer.data.encode import Encoder
from trainer.data.reading import header
from trainer.data.reading.files import sources
from trainer.data.reading.reader import How, Options, Reader, Table
from trainer.errors import DataError

_WORDS = {"true": "True", "false": "False"}  # how an array of booleans spells its categories


def reader_for(encoder: Encoder, source: Any, **how: Unpack[How]) -> Reader:
    """Return a reader for a file, with the kinds that an encoder needs; raise DataError for columns that the file lacks."""
    import pyarrow as pa

    origin = sources.source(source, Options(keys="", **how))
    batch = next(origin.batches, {})
    wanted = {each.name: "text" for each in encoder.categorical}
    wanted |= {each.name: "number" for each in encoder.numeric}
    found = header.matched(batch, dict.fromkeys(wanted, -1))
    absent = [name for name in wanted if name not in found]
    if absent:
        raise DataError(f"{origin.label} {header.lacking(absent, [*batch])}")
    rows = pa.Table.from_arrays([batch[found[name]] for name in wanted], names=[*wanted])
    reader, _ = Reader.fit(rows, Options(wanted=wanted))
    return replace(reader, dialect=origin.dialect)


def as_trained(encoder: Encoder, table: Table) -> Table:
    """Return a table that such a reader read with booleans spelled as the encoder's categories spell them."""
    for column in encoder.categorical:
        if {*column.categories} & {*_WORDS.values()}:
            values = [_WORDS.get(each, each) for each in table[column.name]]
            table = table.with_column(column.name, np.array(values, object))
    return table
