"""Read tables that are larger than memory into the cache, in record batches, and open them as mapped columns.

One pass over the file gathers what its columns hold, the next writes their values; a column whose kind later batches
change has one pass more. Kinds, notes and values are those that `Reader` finds with all of the table in memory.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trainer.data.reading import cache, kinds, writers
from trainer.data.reading.columns import Facts
from trainer.data.reading.doubts import Doubt, doubt
from trainer.data.reading.evidence import Evidence
from trainer.data.reading.files import formats, sources
from trainer.data.reading.files.formats import Format
from trainer.data.reading.kinds import Kind, Number, Time
from trainer.data.reading.reader import Options, Reader, Table, bad_value, choices, doubtful, wanted_kinds
from trainer.errors import DataError

VERSION = 4  # of the files; part of the key, so that two versions of podium do not read each other's
LARGE = 256 << 20  # bytes of values from which a table is not held in memory
_UNPACKED = 5  # how much larger a file is without its compression, about
CHOICES = ("auto", "always", "never")

Source = Callable[[Sequence[str] | None], sources.Source]


def fit(source: Any, options: Options | None = None, *, cached: str = "auto") -> tuple[Reader, Table]:
    """Return what `Reader.fit` returns, with the values in the cache if they are large or `cached` is `always`."""
    options = options or Options()
    if not is_large(source, cached, options.member):
        with _unchanged(source):
            return Reader.fit(source, options)
    path = Path(source)
    stamp = _stamp(path)
    plain = {name: value for name, value in asdict(options).items() if name != "drop"}

    def make(folder: Path) -> dict[str, Any]:
        with _unchanged(path):
            return _fit(folder, path, options)

    folder, made = cache.entry([VERSION, *stamp, plain], make, needed=_needed(path))
    if refused := {name: what for name, what in made["skipped"].items() if name not in options.drop}:
        raise DataError(kinds.unusable(refused))
    reader = Reader.from_json(made["reader"], notes=made["notes"], skipped=[*made["skipped"]])
    table = _opened(folder, made, {each.name: each.kind for each in reader.columns})
    # By name only what is dropped is part of no key.
    doubts = {name: Doubt(**each) for name, each in made["doubts"].items() if name not in options.drop}
    return reader, replace(table, doubts=doubts, marks=made["marks"])


def read(reader: Reader, source: Any, *, only: Sequence[str], cached: str = "auto") -> Table:
    """Return what `reader.read` returns, with the values in the cache if they are large or `cached` is `always`."""
    if not is_large(source, cached, reader.member):
        return reader.read(source, only=only)
    path = Path(source)
    stamp = _stamp(path)
    kinds_of = {each.name: each.kind for each in reader.columns if each.name in only}

    def make(folder: Path) -> dict[str, Any]:
        def opened(names: Sequence[str] | None) -> sources.Source:
            return sources.source(path, reader.reading, trained=reader, only=names)

        origin = opened(None)
        found = reader.columns_of(next(origin.batches, {}), [*kinds_of], origin.label)
        wanted = {name: (found[name], kind) for name, kind in kinds_of.items()}
        with _unchanged(path):
            return _write(folder, opened, wanted, reader.missing_values)

    key = [VERSION, *stamp, reader.to_json(), sorted(only)]
    folder, made = cache.entry(key, make, needed=_needed(path))
    return _opened(folder, made, kinds_of)


def _fit(folder: Path, path: Path, options: Options) -> dict[str, Any]:
    def opened(names: Sequence[str] | None) -> sources.Source:
        return sources.source(path, options, only=names)

    origin, names, wanted, seen, skipped = _seen(opened, options)
    chosen = choices(origin, seen, wanted, options)
    rest = {name: None if name in wanted else seen[name].text() for name in chosen}
    columns = {name: (name, kind) for name, (kind, _) in chosen.items()}
    made = _write(folder, opened, columns, tuple(options.missing_values), otherwise=rest)
    for name in made["otherwise"]:
        chosen[name] = rest[name] or chosen[name][0], []
    reader = Reader.of(origin, names, chosen, options)
    table = _opened(folder, made, {each.name: each.kind for each in reader.columns})
    doubts = {
        name: doubt(table[name], told=bool(chosen[name][1]))
        for name in doubtful(chosen, seen, wanted, replace(options, drop=()))
    }
    return {
        **made,
        "reader": reader.to_json(),
        "notes": list(reader.notes),
        "skipped": skipped,
        "doubts": {name: asdict(each) for name, each in doubts.items() if each is not None},
        "marks": {name: each.gone for name, each in seen.items() if each.gone},
    }


def _seen(
    opened: Source, options: Options
) -> tuple[sources.Source, list[str], dict[str, str], dict[str, Evidence], dict[str, str]]:
    """Return what the columns of a source hold: its names, the kinds that are given, evidence, and what no column may hold."""
    origin = opened(None)
    names: list[str] = []
    wanted: dict[str, str] = {}
    skipped: dict[str, str] = {}
    seen: dict[str, Evidence] = {}
    missing = tuple(options.missing_values)
    rows = 0
    for batch in origin.batches:
        if not names:
            names, wanted = [*batch], wanted_kinds(batch, options)
            skipped = {name: what for name, each in batch.items() if (what := kinds.held(each.type))}
            seen = {name: Evidence() for name in names if name not in skipped}
        rows += len(next(iter(batch.values()), ()))
        for name, each in seen.items():
            each.see(kinds.simplified(batch[name], name), missing, wanted=wanted.get(name))
    if not rows:
        raise DataError(f"{origin.label} has 0 rows; a header line and rows are needed")
    late = {name: each.again() for name, each in seen.items() if each.late}
    if late:
        for batch in opened([*late]).batches:
            for name, evidence in late.items():
                evidence.see(kinds.simplified(batch[name], name), missing, wanted=wanted.get(name))
    return origin, names, wanted, {**seen, **late}, skipped


def _write(
    folder: Path,
    opened: Source,
    columns: Mapping[str, tuple[str, Kind]],
    missing: tuple[str, ...],
    *,
    otherwise: Mapping[str, Kind | None] | None = None,
) -> dict[str, Any]:
    """Write columns, each found by the name of its source; those whose values are not of their kind as `otherwise` says."""
    pending, changed = dict(columns), []
    facts: dict[str, Facts] = {}
    files = {name: f"{place:04}" for place, name in enumerate(columns)}
    rows = 0
    while pending:
        writing = {name: _writer(folder / files[name], kind) for name, (_, kind) in pending.items()}
        rows = 0
        with ExitStack() as closing:
            for writer in writing.values():
                closing.callback(writer.close)
            origin = opened([source for source, _ in pending.values()])
            for batch in origin.batches:
                for name, writer in [*writing.items()]:
                    source, kind = pending[name]
                    raw = kinds.simplified(batch[source], name)
                    bad = writer.add(raw, missing)
                    if bad is not None and (otherwise or {}).get(name) is None:
                        raise DataError(bad_value(origin.label, name, kind, raw[bad].as_py(), rows + bad))
                    if bad is not None:
                        del writing[name]
                rows += len(next(iter(batch.values()), ()))
            facts |= {name: writer.finish() for name, writer in writing.items()}
        pending = {
            name: (source, (otherwise or {})[name] or kind)
            for name, (source, kind) in pending.items()
            if name not in writing
        }
        changed += [*pending]
    written = {name: [files[name], asdict(facts[name])] for name in columns}
    return {"rows": rows, "columns": written, "otherwise": changed}


def _writer(place: Path, kind: Kind) -> writers.Numbers | writers.Labels:
    return writers.Numbers(place, kind) if isinstance(kind, Number | Time) else writers.Labels(place, kind)


def _opened(folder: Path, made: Mapping[str, Any], kinds_of: Mapping[str, Kind]) -> Table:
    columns: dict[str, Any] = {}
    infinite: dict[str, int] = {}
    for name, (file, known) in made["columns"].items():
        facts = Facts(**known)
        is_text = not isinstance(kinds_of[name], Number | Time)
        columns[name] = writers.opened(folder, file, facts, is_text=is_text)
        infinite[name] = facts.infinite
    return Table(columns, made["rows"], {name: kinds_of[name] for name in columns}, infinite)


def is_large(source: Any, cached: str = "auto", member: str | None = None) -> bool:
    """Whether the values of a source go into the cache; raise DataError for a value of `cached` that is not allowed."""
    if cached not in CHOICES:
        raise DataError(f"data.cache={cached}: allowed is one of {', '.join(CHOICES)}")
    if cached == "never" or not isinstance(source, str | Path):
        return False
    path = Path(source)
    try:
        is_excel = formats.format_of(path, member) is Format.EXCEL
        return not is_excel and path.stat().st_size > 0 and (cached == "always" or _size(path) > LARGE)
    except (DataError, OSError):
        return False  # the reader says what is wrong


def _size(path: Path) -> int:
    """Return about how many bytes the values of a file have."""
    if formats.plain_size(path) is None:
        return path.stat().st_size * _UNPACKED
    if path.suffix.lower() in (".parquet", ".pq"):
        return sources.cells(path) * 8
    return path.stat().st_size


def _needed(path: Path) -> int:
    """Return about how many bytes an entry takes: 8 for a number, whatever its text has."""
    return 2 * _size(path)


def _stamp(path: Path) -> list[Any]:
    state = path.stat()
    return [str(path.resolve()), state.st_size, state.st_mtime_ns]


@contextmanager
def _unchanged(source: Any) -> Iterator[None]:
    """Raise DataError for a file that another program writes while it is read."""
    path = Path(source) if isinstance(source, str | Path) and Path(source).is_file() else None
    before = None if path is None else _stamp(path)
    yield
    if path is not None and _stamp(path) != before:
        raise DataError(f"data file {str(path)!r} changed while it was read; start again once it is complete")
