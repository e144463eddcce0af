"""The columns of a text file as other formats have them: numbers as numbers, anything else as the text it is.

The first rows decide. A later value that does not fit makes its column text, and the output is begun again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from trainer.data.reading.arrow import scalar
from trainer.data.reading.kinds import cut

_WHOLE = r"^-?(0|[1-9][0-9]{0,17})$"
_CODE = r"^[-+]?0[0-9]"  # a number with leading zeros is a code


class Misfit(Exception):  # noqa: N818 - not an error of the user's: the output is begun again
    """A column holds a value that the type chosen for it cannot hold."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


@dataclass
class Types:
    """The type of each text column, chosen by the first rows that are cast; `texts` are to stay text."""

    texts: frozenset[str] = frozenset()
    chosen: dict[str, Any] = field(default_factory=dict)

    def cast(self, table: Any) -> Any:
        """Return a table with its text columns in their types; raise Misfit for a value that does not fit."""
        import pyarrow as pa

        columns = [
            self._cast(name, column) for name, column in zip(table.column_names, table.columns, strict=True)
        ]
        return pa.Table.from_arrays(columns, names=table.column_names)

    def _cast(self, name: str, column: Any) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        if name not in self.chosen:
            self.chosen[name] = pa.string() if name in self.texts else _type_of(column.chunks)
        if self.chosen[name] == pa.string():
            return pc.if_else(pc.equal(column, scalar("")), scalar(None), column)  # an empty cell
        try:
            chunks = [_numbers(each, self.chosen[name]) for each in column.chunks]
        except pa.ArrowInvalid:
            raise Misfit(name) from None
        return pa.chunked_array(chunks, self.chosen[name])


def _numbers(texts: Any, kind: Any) -> Any:
    """Return texts as numbers, missing marks as null; raise ArrowInvalid for any other text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = cut(texts)
    pattern = _WHOLE if pa.types.is_integer(kind) else _CODE
    fits = pc.match_substring_regex(plain, pattern)
    if pa.types.is_integer(kind) and pc.all(fits).as_py() is False:
        raise pa.ArrowInvalid("not whole")
    if not pa.types.is_integer(kind) and pc.any(fits).as_py():
        raise pa.ArrowInvalid("a code")
    return pc.cast(plain, kind)


def _type_of(chunks: Iterable[Any]) -> Any:
    """Return int64, float64 or string: the first that holds all values, if any is present."""
    import pyarrow as pa

    parts = [*chunks]
    if all(cut(each).null_count == len(each) for each in parts):
        return pa.string()
    for kind in (pa.int64(), pa.float64()):
        try:
            for each in parts:
                _numbers(each, kind)
        except pa.ArrowInvalid:
            continue
        return kind
    return pa.string()


def as_text(column: Any) -> Any:
    """Return an Arrow array of any type as text, null for missing values."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as pt

    kind = column.type
    if pt.is_string(kind) or pt.is_large_string(kind):
        return column
    if pt.is_dictionary(kind):
        return as_text(column.dictionary_decode())
    if pt.is_floating(kind):
        texts = pc.cast(column, pa.string())
        # Whole numbers have neither an exponent nor a point.
        plain = pc.match_substring_regex(texts, r"^-?[0-9.]+e\+1[0-7]$")
        if pc.any(plain).as_py():
            whole = pc.cast(pc.if_else(plain, column, scalar(0).cast(kind)), pa.int64(), safe=False)
            texts = pc.if_else(plain, pc.cast(whole, pa.string()), texts)
        return texts
    try:
        return pc.cast(column, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # lists, mappings
        return pa.array([None if each is None else str(each) for each in column.to_pylist()], pa.string())
