"""The reader of a table: fitted once, at training, and saved with the model, so that prediction sees what training saw.

It holds how the text of the file is written and the kind of each column. Whatever holds the same rows (a file, a
DataFrame, a dict, records, an Arrow table) gives the same values to the last bit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from trainer.data.reading import dialect, evidence, header, kinds
from trainer.data.reading.dialect import Dialect
from trainer.data.reading.doubts import Doubt, doubt
from trainer.data.reading.files import sources
from trainer.data.reading.header import TRAINING
from trainer.data.reading.kinds import Array, Kind, Values
from trainer.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Choice = tuple[Kind, Sequence[str]]  # of a column, and what its user might not expect

_USED = {"number": "numeric", "time": "times", "boolean": "true or false", "text": "text"}


class How(TypedDict, total=False):
    """How the file of a prediction is written, where that cannot be found."""

    member: str | None
    sheet: str | int | None
    encoding: str | None
    skip: int | None


@dataclass(frozen=True)
class Options:
    """What a user says about a table; what is None is found."""

    separator: str | None = None
    encoding: str | None = None
    header: bool | None = None
    names: Sequence[str] | None = None
    decimal: str | None = None
    thousands: str | None = None
    date_order: str | None = None  # day, month or year
    missing_values: Sequence[str] = ()
    skip: int | None = None  # lines before the header
    ragged: str = "error"  # or skip: rows with more or fewer values than columns
    wanted: Mapping[str, str] = field(default_factory=dict)  # the kind of some columns: number, time, text
    member: str | None = None  # of an archive
    sheet: str | int | None = None  # of a workbook, by name or number
    drop: Sequence[str] = ()  # columns that may hold what no column may: lists, bytes
    keys: str = TRAINING  # before the names of keys in messages; none where a table is predicted

    @property
    def gives_marks(self) -> bool:
        """Whether the marks of numbers are given."""
        return self.decimal is not None or self.thousands is not None


@dataclass(frozen=True)
class Column:
    """One column: its name, the kind of its values, and where it stood."""

    name: str
    kind: Kind
    position: int


@dataclass(frozen=True)
class Table:
    """Columns of canonical values by name, all of one length."""

    columns: Mapping[str, Array]
    rows: int
    kinds: Mapping[str, Kind]
    infinite: Mapping[str, int] = field(default_factory=dict)
    doubts: Mapping[str, Doubt] = field(default_factory=dict)  # of columns of text, where training reads them
    marks: Mapping[str, Sequence[str]] = field(
        default_factory=dict
    )  # words that counted as missing, such as NA

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return self.rows

    def take(self, rows: Array) -> "Table":
        """Return some of the rows, by their numbers."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return replace(self, columns=columns, rows=len(rows))

    def only(self, names: Sequence[str]) -> "Table":
        """Return some of the columns."""
        return replace(self, columns={name: self.columns[name] for name in names})

    def with_column(self, name: str, values: Array) -> "Table":
        """Return the table with other values in one column."""
        return replace(self, columns={**self.columns, name: values})

    def frame(self) -> "pd.DataFrame":
        """Return the values as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(dict(self.columns))


@dataclass(frozen=True)
class Reader:
    """How a table is read: dialect of its text, kinds of its columns, marks of missing values."""

    columns: tuple[Column, ...]
    dialect: Dialect | None = None  # None: it was fitted to no text
    missing_values: tuple[str, ...] = ()
    ragged: str = "error"
    member: str | None = None  # of an archive, where the training named one
    sheet: str | int | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)  # what was decided when it was fitted
    skipped: tuple[str, ...] = field(default=(), compare=False)  # dropped columns of what no column may hold

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in the order of the file."""
        return tuple(each.name for each in self.columns)

    @classmethod
    def fit(
        cls, source: Any, options: Options | None = None, *, only: Sequence[str] | None = None
    ) -> tuple["Reader", Table]:
        """Return the reader of a table, and its values, or of `only` some columns.

        Raise DataError for what is no table or has no rows.
        """
        options = options or Options()
        origin = sources.source(source, options)
        raw = origin.gathered(only)
        wanted = wanted_kinds(raw, options)
        seen: dict[str, evidence.Evidence] = {}
        odd = {name: what for name, each in raw.items() if (what := kinds.held(each.type))}
        if refused := {name: what for name, what in odd.items() if name not in options.drop}:
            raise DataError(kinds.unusable(refused))
        for name in (each for each in raw if each not in odd):
            values = kinds.simplified(raw[name], name)
            seen[name] = found = evidence.Evidence()
            found.see(values, tuple(options.missing_values), wanted=wanted.get(name))
            if found.is_sure(wanted.get(name)) and not options.gives_marks:
                raw[name] = None  # its text is no longer needed
        chosen = choices(origin, seen, wanted, options)
        parsed: dict[str, Values] = {}
        for name, (kind, _) in chosen.items():
            values = None if options.gives_marks else seen[name].read_as(kind)
            if values is None and name not in wanted:
                values = kind.read(kinds.simplified(raw[name], name), options.missing_values)
                if values.bad.any():  # the marks of its numbers are all of one sort, but in wrong places
                    chosen[name] = seen[name].text(), []
                    continue
            if values is not None:
                parsed[name] = values
        reader = cls.of(origin, [*raw], chosen, options, skipped=[name for name in raw if name not in seen])
        table = reader._values(raw, origin.label, "error", parsed)
        doubts = {
            name: doubt(table[name], told=bool(chosen[name][1]))
            for name in doubtful(chosen, seen, wanted, options)
        }
        return reader, replace(
            table,
            doubts={name: each for name, each in doubts.items() if each is not None},
            marks={name: seen[name].gone for name in table if seen[name].gone},
        )

    @classmethod
    def of(
        cls,
        origin: sources.Source,
        names: Sequence[str],
        chosen: Mapping[str, Choice],
        options: Options,
        *,
        skipped: Sequence[str] = (),
    ) -> "Reader":
        """Return the reader of a source whose columns have these kinds."""
        notes, columns = origin.said(), []
        for position, name in enumerate(names):
            if name in chosen:
                kind, said = chosen[name]
                notes += [origin.renamed[name]] if name in origin.renamed else []
                notes += [f"column {header.shown(name)!r}: {each}" for each in said]
                columns.append(Column(name, kind, position))
        return cls(
            tuple(columns), origin.dialect, tuple(options.missing_values), options.ragged, options.member,
            origin.sheet if options.sheet is None else options.sheet, tuple(notes), tuple(skipped),
        )  # fmt: skip

    def read(
        self,
        source: Any,
        *,
        only: Sequence[str] | None = None,
        bad_rows: str = "error",
        options: Options | None = None,
    ) -> Table:
        """Return the values of a path, a DataFrame, a dict, records or an Arrow table, as they were at training.

        `only` names the columns that are needed; others are neither missed nor read. Raise DataError for a
        column that is absent and for a value that is not of its column's kind, with its row, unless `bad_rows` is
        "missing", which takes such values as missing. `options` are `reading` or `predicting`.
        """
        if bad_rows not in ("error", "missing"):
            raise DataError(f"bad_rows={bad_rows!r}: allowed are 'error' and 'missing'")
        names = self.names if only is None else tuple(only)
        options = options or self.reading
        origin = sources.source(source, options, trained=self)
        raw = origin.gathered()
        found = self.columns_of(raw, names, origin.label)
        needed = {name: raw[found[name]] for name in names}
        return self._values(needed, origin.label, bad_rows, keys=options.keys)

    @property
    def reading(self) -> Options:
        """What is known of other tables that are read."""
        return Options(missing_values=self.missing_values, ragged=self.ragged)

    def predicting(self, **how: Unpack[How]) -> Options:
        """Return what is known of a table to predict, which is written as `how` says."""
        return replace(self.reading, keys="", **how)

    @property
    def about(self) -> tuple[str, ...]:
        """What was decided about the file as a whole, such as which sheet of a workbook it is."""
        return tuple(each for each in self.notes if not each.startswith(("column ", "the header names ")))

    def columns_of(self, given: Iterable[str], names: Sequence[str], label: str) -> dict[str, str]:
        """Return by which name a table has each of these columns; raise DataError for one that it lacks."""
        wanted = {each.name: each.position for each in self.columns if each.name in names}
        found = header.matched(given, wanted, numbered=self._is_numbered)
        absent = [name for name in names if name not in found]
        if absent:
            raise DataError(f"{label} {header.lacking(absent, [*map(str, given)])}")
        return found

    def present(self, source: Any) -> set[str]:
        """Return which columns a table has, without reading its rows."""
        origin = sources.source(source, Options(missing_values=self.missing_values), trained=self)
        wanted = {each.name: each.position for each in self.columns}
        return set(header.matched(next(origin.batches, {}), wanted, numbered=self._is_numbered))

    @property
    def _is_numbered(self) -> bool:
        return self.dialect is not None and not self.dialect.header

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return {
            "dialect": self.dialect and self.dialect.to_json(),
            "missing_values": list(self.missing_values),
            "ragged": self.ragged,
            "member": self.member,
            "sheet": self.sheet,
            "columns": [
                {"name": each.name, "position": each.position, **kinds.to_json(each.kind)}
                for each in self.columns
            ],
        }

    @classmethod
    def from_json(
        cls, value: Mapping[str, Any], *, notes: Sequence[str] = (), skipped: Sequence[str] = ()
    ) -> "Reader":
        """Return the reader that `to_json` wrote."""
        columns = []
        for each in value["columns"]:
            rest = {key: part for key, part in each.items() if key not in ("name", "position")}
            columns.append(Column(each["name"], kinds.from_json(rest), each["position"]))
        found = value["dialect"]
        return cls(
            tuple(columns),
            None if found is None else dialect.from_json(found),
            tuple(value["missing_values"]),
            value["ragged"],
            value.get("member"),
            value.get("sheet"),
            tuple(notes),
            tuple(skipped),
        )

    def _values(
        self,
        raw: dict[str, Any],
        label: str,
        bad_rows: str,
        parsed: Mapping[str, Values] | None = None,
        *,
        keys: str = TRAINING,
    ) -> Table:
        """Return raw columns as values, unless they are parsed already; each is let go once it is read."""
        by_name = {each.name: each for each in self.columns}
        columns: dict[str, Array] = {}
        infinite: dict[str, int] = {}
        rows = None
        for name in [*raw]:
            values = raw.pop(name)
            if name not in by_name:
                continue
            kind = by_name[name].kind
            read = (parsed or {}).get(name) or kind.read(kinds.simplified(values, name), self.missing_values)
            if read.bad.any() and bad_rows == "error":
                row = int(np.argmax(read.bad))
                raise DataError(bad_value(label, name, kind, values[row].as_py(), row, keys=keys))
            rows = len(read.values) if rows is None else rows
            if len(read.values) != rows:
                raise DataError(
                    f"column {name!r} has {len(read.values)} rows, column {next(iter(columns))!r} has {rows}"
                )
            columns[name] = read.values
            infinite[name] = read.infinite
        return Table(columns, rows or 0, {name: by_name[name].kind for name in columns}, infinite)


def _is_category(values: Any) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_dictionary(values.type))


def _as_given(kind: Kind, options: Options) -> Kind:
    """Return a kind with the marks that the user gave."""
    if not isinstance(kind, kinds.Number) or not options.gives_marks:
        return kind
    thousands = options.thousands if options.thousands is not None else kind.thousands
    decimal = options.decimal or ("," if thousands == "." else "." if thousands == "," else kind.decimal)
    return replace(kind, decimal=decimal, thousands=None if thousands == decimal else thousands)


def bad_value(label: str, name: str, kind: Kind, value: Any, row: int, *, keys: str = TRAINING) -> str:
    """Return the message for a value that is not of its column's kind, with what to do; rows count from 0."""
    advice = (
        f"name it in {keys}categorical or {keys}drop, or the value in {keys}missing_values"
        if keys
        else "bad_rows=missing takes such values as missing"
    )
    return f"{label}: {misfit(name, kind, value, row + 1)}; {advice}"


def misfit(name: str, kind: Kind, value: Any, row: int) -> str:
    """Return that a value of a row (from 1) is not of its column's kind."""
    mark = isinstance(kind, kinds.Number) and (kind.sign or kind.unit)
    used = f"numbers with {mark!r}" if mark else _USED[kinds.name_of(kind)]
    return f"column {header.shown(name)!r} is used as {used} but holds {value!r} in row {row}"


def wanted_kinds(raw: Mapping[str, Any], options: Options) -> dict[str, str]:
    """Return the kinds that are given: categories of Parquet are text, and what the user says comes first."""
    wanted = {name: "text" for name, values in raw.items() if _is_category(values)}
    return wanted | {header.found(name, list(raw)) or name: kind for name, kind in options.wanted.items()}


def doubtful(
    chosen: Mapping[str, Choice],
    seen: Mapping[str, evidence.Evidence],
    wanted: Mapping[str, str],
    options: Options,
) -> list[str]:
    """Return the columns that are text or numbers by their values alone, which a few of these may have decided; codes are text."""
    return [
        name
        for name, (kind, _) in chosen.items()
        if (isinstance(kind, kinds.Number) or (
            isinstance(kind, kinds.Text) and not (seen[name].codes or seen[name].large or seen[name].typed)
        )) and name not in (*wanted, *options.drop)
    ]  # fmt: skip


def choices(
    origin: sources.Source,
    seen: Mapping[str, evidence.Evidence],
    wanted: Mapping[str, str],
    options: Options,
) -> dict[str, Choice]:
    """Return the kind of each column, with what its user might not expect; none for what rows that end in a separator make."""
    decimal = (
        options.decimal
        or {".": ",", ",": "."}.get(options.thousands or "")
        or evidence.file_decimal(dict(seen))
    )
    chosen: dict[str, Choice] = {}
    for name, found in seen.items():
        if found.present or name not in origin.unnamed:
            kind, said = found.decide(wanted.get(name), decimal, options.date_order)
            chosen[name] = _as_given(kind, options), said
    return chosen
