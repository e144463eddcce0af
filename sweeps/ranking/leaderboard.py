"""The leaderboard of a sweep as a value, and as the files it is kept in."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sweeps.jobs import JobState
from sweeps.state.code import MEANWHILE
from sweeps.state.ledger import Usage
from tracking.cli.toolkit.output import one_line, show
from tracking.extras import require
from tracking.files import write_bytes, write_json
from tracking.objective import Objective
from tracking.values import htmltext
from tracking.values.csvtext import csv_line, no_formula
from tracking.values.units import counted

if TYPE_CHECKING:
    import pandas as pd

LEADERBOARD_VERSION = 1
REUSED = "reused"
METRICS, PARAMS = "metrics.", "params."  # as a filter writes them
FILES = 5  # of changed code that are named
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tab and the ends of lines
# What Markdown reads as more than text: an underscore only at the edge of a word, a colon and a dot only in an address.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&$#!@{}]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.")


@dataclass(frozen=True)
class Row:
    """One job: its rank (None for one that cannot be ranked), what was swept, and what it logged."""

    rank: int | None
    job: int
    run: str | None
    point: Mapping[str, Any]
    objective: float | None
    metrics: Mapping[str, float]
    epochs: int | None
    duration_s: float | None
    status: JobState
    error: str | None
    note: str | None = None  # what was cut off or went wrong after its task had returned
    reused: bool = False  # its run belongs to an earlier sweep
    code: Mapping[str, str] = field(
        default_factory=dict
    )  # its files that differ from the sweep's; see `Outcome`

    @property
    def how(self) -> str:
        """The status to show; a run of an earlier sweep reads ``reused``."""
        return REUSED if self.reused else self.status

    @property
    def can_rank(self) -> bool:
        """Whether the job completed with a finite objective."""
        return self.status is JobState.COMPLETED and self.error is None and self.objective is not None


@dataclass(frozen=True)
class Candidate:
    """A point of the space without its seed and fold: its rank (None when a job failed), and the results of its jobs.

    `objective` and `metrics` are means, `std` and `metrics_std` their standard deviations (None for a single job).
    """

    rank: int | None
    point: Mapping[str, Any]
    jobs: tuple[int, ...]
    n: int
    objective: float | None
    std: float | None
    metrics: Mapping[str, float]
    metrics_std: Mapping[str, float | None]
    error: str | None

    @property
    def can_rank(self) -> bool:
        """Whether all of its jobs completed with a finite objective."""
        return self.error is None


Ranked = TypeVar("Ranked", Row, Candidate)
Points = Callable[[Sequence[str], Sequence[Row] | Sequence[Candidate]], list[tuple[Any, ...]]]


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """The ranked jobs of a sweep, best first, then those without a rank.

    With `candidates`, these are what is ranked, and a row has the rank of its candidate.
    """

    sweep: str
    objective: Objective
    swept: tuple[str, ...]
    report: tuple[str, ...]
    rows: tuple[Row, ...]
    candidates: tuple[Candidate, ...] = ()  # only when something that repeats them was swept
    repeats: tuple[str, ...] = ()  # the swept keys by which the jobs of a candidate differ
    seed_key: str | None = None  # that of them which is the seed
    usage: Usage | None = None  # None when the ledger does not name the slots
    logged: frozenset[str] = frozenset()  # the metrics of completed jobs
    left: frozenset[int] = frozenset()  # jobs that never ended and that the space has no more
    returned: frozenset[str] = frozenset()  # the names of values that tasks returned several of
    fingerprints: frozenset[str | None] = frozenset()  # of the data of ranked jobs

    @property
    def winner(self) -> Row | None:
        """The best job, of the best candidate where there are any; None when none is ranked."""
        return self.rows[0] if self.rows and self.rows[0].rank is not None else None

    @property
    def averaged(self) -> tuple[float, tuple[Row, ...]] | None:
        """The mean that the winner competes with, and the jobs it is of; None if the winner competes with its own value.

        It is so over folds: each is scored on other rows, so one alone says little.
        """
        if set(self.repeats) <= {self.seed_key}:
            return None
        for each in self.candidates:
            if each.rank == 1 and each.objective is not None:
                return each.objective, tuple(row for row in self.rows if row.job in each.jobs)
        return None

    @property
    def is_of_one_code(self) -> bool:
        """Whether all ranked jobs are known to have run the same code."""
        codes = [row.code for row in self.rows if row.rank is not None]
        return all(code == codes[0] and MEANWHILE not in code.values() for code in codes) or len(codes) < 2

    @property
    def code_notes(self) -> tuple[str, ...]:
        """A line about the jobs that ran other code than the sweep began with, for each set of files."""
        jobs: dict[str, list[int]] = {}
        for row in sorted(self.rows, key=lambda row: row.job):
            if row.code:
                jobs.setdefault(code_note(row.code), []).append(row.job)
        return tuple(f"{named_jobs(numbers)} {note}" for note, numbers in jobs.items())

    def count(self, *statuses: JobState) -> int:
        """Return how many jobs have one of `statuses`."""
        return sum(row.status in statuses for row in self.rows)

    def __repr__(self) -> str:
        best = self.winner
        found = (
            f"best {self.objective.label}={show(best.objective)} in job {best.job}" if best else "none ranked"
        )
        return f"Leaderboard({self.sweep!r}, {counted(len(self.rows), 'job')}, {found})"

    def frame(self) -> "pd.DataFrame":
        """Return the leaderboard as a DataFrame: the columns of ``leaderboard.csv``, with values instead of text."""
        require("frames")
        import pandas as pd

        head, *rows = _cells(self, _values)
        return pd.DataFrame(rows, columns=head)

    def _repr_html_(self) -> str:
        head, *rows = _cells(self)
        title = f"Leaderboard of sweep {self.sweep}, by the {self.objective.at} {self.objective.label}"
        return htmltext.table([str(name) for name in head], rows, title=title, notes=self.code_notes)


def named_jobs(numbers: Sequence[int]) -> str:
    """Return jobs by their numbers: `job 3`, `2 jobs (3, 4)`."""
    named = [str(number) for number in numbers[:8]] + (["..."] if len(numbers) > 8 else [])
    return f"job {named[0]}" if len(numbers) == 1 else f"{counted(len(numbers), 'job')} ({', '.join(named)})"


def code_note(code: Mapping[str, str]) -> str:
    """Return what follows `job 3` when it ran other code than its sweep began with."""
    changed = [name for name, version in code.items() if version != MEANWHILE]
    meanwhile = [name for name, version in code.items() if version == MEANWHILE]
    parts = [f"ran changed code: {_few(changed)}"] if changed else []
    parts += [f"ran while its code changed: {_few(meanwhile)}"] if meanwhile else []
    return "; ".join(parts)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - FILES} more" if len(names) > FILES else ""
    return ", ".join(sorted(names)[:FILES]) + more


def place(items: Sequence[Ranked], objective: Objective) -> tuple[Ranked, ...]:
    """Rank what can be ranked from 1 on, equals in their given order; the others follow as they are."""
    can_rank = [each for each in items if each.can_rank]
    can_rank.sort(key=lambda each: objective.key(each.objective))
    ranked = [replace(each, rank=rank) for rank, each in enumerate(can_rank, start=1)]
    return tuple(ranked + [each for each in items if not each.can_rank])


def write_leaderboard(board: Leaderboard, folder: Path) -> None:
    """Write ``leaderboard.json``, ``.csv`` and ``.md`` into the folder of a sweep."""
    write_json(folder / "leaderboard.json", {"version": LEADERBOARD_VERSION, **as_plain(board)})
    table = as_table(board)
    write_bytes(folder / "leaderboard.csv", "".join(map(_csv_line, table)).encode())
    write_bytes(folder / "leaderboard.md", _markdown(board, table).encode())


def as_plain(board: Leaderboard) -> dict[str, Any]:
    """Return the leaderboard as plain data, as in ``leaderboard.json``."""
    parts = ("sweep", "objective", "rows", "candidates", "usage")
    return {name: value for name, value in asdict(board).items() if name in parts}


def as_table(board: Leaderboard) -> list[list[str]]:
    """Return the leaderboard as rows of text, header first: the columns of the CSV and Markdown files.

    A metric or a swept key that has the name of another column is written as in a filter: `params.status`.
    """
    return [["" if cell is None else str(cell) for cell in line] for line in _cells(board)]


def _cells(board: Leaderboard, points: Points | None = None) -> list[list[Any]]:
    points = points or _points
    label = board.objective.label
    report = [(METRICS, name) for name in board.report]
    table: list[list[Any]]
    if board.candidates:
        keys = [key for key in board.swept if key not in board.repeats]
        means = [(METRICS, label), (METRICS, f"{label}_std"), ("", "n"), *report]
        ends = [("", "jobs"), ("", "error")]
        table = [_unique([("", "rank"), *((PARAMS, key) for key in keys), *means, *ends])]
        for each, point in zip(board.candidates, points(keys, board.candidates), strict=True):
            values = [each.objective, each.std, each.n, *map(each.metrics.get, board.report)]
            jobs = " ".join(map(str, each.jobs))
            table.append([each.rank, *point, *values, jobs, each.error])
    else:
        swept = [(PARAMS, key) for key in board.swept]
        noted = ["note"] if any(row.note for row in board.rows) else []
        ends = [("", name) for name in ("epochs", "duration_s", "status", "error", *noted)]
        table = [_unique([("", "rank"), ("", "run"), *swept, (METRICS, label), *report, *ends])]
        for row, point in zip(board.rows, points(board.swept, board.rows), strict=True):
            values = [row.objective, *map(row.metrics.get, board.report)]
            end = [row.epochs, row.duration_s, row.how, row.error, *([row.note] if noted else [])]
            table.append([row.rank, row.run, *point, *values, *end])
    return table


def told_apart(values: Sequence[Any], text: Callable[[Any], str]) -> list[str]:
    """Return the `text` of each value of a column; values that differ and would read alike are written exactly.

    So 1, 1.0 and the text 1 are `1`, `1.0` and `'1'` where they stand in one column.
    """
    texts = [text(value) for value in values]
    meanings: dict[str, set[str]] = {}
    for value, shown in zip(values, texts, strict=True):
        meanings.setdefault(shown, set()).add(repr(value))
    return [
        _exactly(value) if len(meanings[shown]) > 1 else shown
        for value, shown in zip(values, texts, strict=True)
    ]


def _exactly(value: Any) -> str:
    if isinstance(value, str):
        return f"'{value}'"
    return "null" if value is None else repr(value)


def _points(keys: Sequence[str], items: Sequence[Row] | Sequence[Candidate]) -> list[tuple[str, ...]]:
    """Return what each row has of the swept keys, as text."""
    columns = [told_apart([each.point.get(key) for each in items], _cell) for key in keys]
    return [tuple(column[index] for column in columns) for index in range(len(items))]


def _values(keys: Sequence[str], items: Sequence[Row] | Sequence[Candidate]) -> list[tuple[Any, ...]]:
    return [tuple(each.point.get(key) for key in keys) for each in items]


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _unique(columns: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each column, given as its kind and its own name, of which no two are equal."""
    names: dict[int, str] = {}
    for kind in (
        "",
        METRICS,
        PARAMS,
    ):  # a column of ours keeps its name, and the objective before a swept key
        for index, (own, name) in enumerate(columns):
            if own == kind:
                while name in names.values():
                    name = f"{kind}{name}"
                names[index] = name
    return [names[index] for index in range(len(columns))]


def _csv_line(cells: Sequence[str]) -> str:
    return csv_line(no_formula(_no_control(cell)) for cell in cells)


def _no_control(cell: str) -> str:
    """Return a cell with the control characters escaped that a terminal would obey."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], cell)


def _markdown(board: Leaderboard, table: list[list[str]]) -> str:
    how = f"Ranked by the {board.objective.at} {_as_text(board.objective.label)} ({board.objective.mode})."
    if board.candidates:
        repeats = " and ".join(map(_as_text, board.repeats))
        how += f" A row is the mean over the jobs that differ in {repeats} alone."
    how += "".join(f"\n\n{_as_text(note[0].upper() + note[1:])}." for note in board.code_notes)
    head, *rows = ([_as_text(cell) for cell in line] for line in table)
    lines = (f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))
    return f"# Sweep {_as_text(board.sweep)}\n\n{how}\n\n" + "\n".join(lines) + "\n"


def _as_text(text: str) -> str:
    """Return Markdown that shows a text as it is, on one line."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))
