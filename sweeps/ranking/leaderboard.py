"""The leaderboard of a sweep as a value, and as the files it is kept in.

A value holds what was swept as it is. What people see or send around, files and tables alike, has MASK for what looks secret.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sweeps.jobs import JobState
from sweeps.ranking.fronts import fronts
from sweeps.ranking.table_text import METRICS, PARAMS, csv_row, markdown_text, told_apart, unique_names
from sweeps.state.code import MEANWHILE
from sweeps.state.ledger import Usage
from tracking.cli.toolkit.output import one_line, show
from tracking.extras import require
from tracking.files import write_bytes, write_json
from tracking.objective import Objective, plain_objectives
from tracking.values import htmltext
from tracking.values.secrets import masked, masked_text
from tracking.values.units import counted

if TYPE_CHECKING:
    import pandas as pd

LEADERBOARD_VERSION = 1
REUSED = "reused"
RANKED = frozenset(
    {JobState.COMPLETED, JobState.PRUNED}
)  # a job that its search stopped early may be the best
FILES = 5  # of changed code that are named


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
    others: Mapping[str, float | None] = field(default_factory=dict)  # its values of further objectives
    is_feasible: bool = True  # whether it keeps the constraints of the sweep

    @property
    def how(self) -> str:
        """The status to show; a run of an earlier sweep reads ``reused``."""
        return REUSED if self.reused else self.status

    @property
    def values(self) -> tuple[float | None, ...]:
        """Its value of each objective, in their order."""
        return (self.objective, *self.others.values())

    @property
    def can_rank(self) -> bool:
        """Whether the job completed, or its search stopped it early, with a finite value of each objective."""
        return self.status in RANKED and self.error is None and self.objective is not None


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
    others: Mapping[str, float | None] = field(default_factory=dict)  # means of further objectives
    others_std: Mapping[str, float | None] = field(default_factory=dict)
    note: str | None = None  # why it follows better ones: it has fewer repeats
    is_feasible: bool = True  # whether all of its jobs keep the constraints of the sweep

    @property
    def values(self) -> tuple[float | None, ...]:
        """Its mean of each objective, in their order."""
        return (self.objective, *self.others.values())

    @property
    def can_rank(self) -> bool:
        """Whether all of its jobs completed with a finite objective."""
        return self.error is None


Ranked = TypeVar("Ranked", Row, Candidate)
Points = Callable[[Sequence[str], Sequence[Row] | Sequence[Candidate]], list[tuple[Any, ...]]]


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """The ranked jobs of a sweep, best first, then those without a rank.

    With `candidates`, these are what is ranked, and a row has the rank of its candidate. With several objectives a rank is
    the number of a front, so that all of the Pareto front have rank 1; the first objective decides who of them comes first.
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
    others: tuple[Objective, ...] = ()  # further objectives
    constraints: tuple[str, ...] = ()  # which a ranked job keeps
    data: tuple[
        Mapping[str, Any], ...
    ] = ()  # what its jobs say of the data that they read, once for each fingerprint

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What the jobs are ranked by, the first objective first."""
        return (self.objective, *self.others)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the objectives."""
        return tuple(each.label for each in self.objectives)

    @property
    def named_objectives(self) -> str:
        """What the jobs are ranked by, in words: `the best val_auc and the last latency_ms`."""
        return " and ".join(f"the {each.at} {one_line(each.label)}" for each in self.objectives)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what several objectives and constraints do to the ranks; none without them."""
        several = "rank 1 is the Pareto front: what no other beats in one objective without losing in another"
        kept = f"only what keeps {' and '.join(self.constraints)} has a rank"
        return (*([several] if self.others else []), *([kept] if self.constraints else []))

    @cached_property
    def masked(self) -> "Leaderboard":
        """The leaderboard without what looks secret in what was swept, and in errors and notes."""
        return replace(
            self,
            rows=tuple(map(_masked, self.rows)),
            candidates=tuple(map(_masked, self.candidates)),
            data=tuple(masked(dict(each)) for each in self.data),
        )

    @property
    def front(self) -> int:
        """How many jobs, or candidates, the Pareto front has."""
        return sum(each.rank == 1 for each in self.candidates or self.rows)

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

    @property
    def best_rows(self) -> list[Row]:
        """The best job of each candidate."""
        places = {row.job: place for place, row in enumerate(self.rows)}
        return [self.rows[min(places[job] for job in each.jobs)] for each in self.candidates]

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
        """Return the leaderboard as a DataFrame: the columns of ``leaderboard.csv``, with values instead of text; secrets are masked."""
        require("frames")
        import pandas as pd

        head, *rows = _cells(self, _values)
        return pd.DataFrame(rows, columns=head)

    def _repr_html_(self) -> str:
        head, *rows = _cells(self)
        title = f"Leaderboard of sweep {self.sweep}, by {self.named_objectives}"
        notes = (*self.notes, *self.code_notes)
        return htmltext.table([str(name) for name in head], rows, title=title, notes=notes)


def _masked(each: Ranked) -> Ranked:
    """Return a row or a candidate without what looks secret."""
    error, note = (None if text is None else masked_text(text) for text in (each.error, each.note))
    return replace(each, point=masked(dict(each.point)), error=error, note=note)


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


def place(items: Sequence[Ranked], objectives: Sequence[Objective], *, first: int = 1) -> tuple[Ranked, ...]:
    """Rank what can be ranked from `first` on, equals in their given order; the others follow, first those that break a constraint.

    With several objectives the rank is the number of a front, see `fronts`.
    """
    ranked = [
        replace(each, rank=rank)
        for rank, front in enumerate(
            fronts([each for each in items if each.can_rank], objectives), start=first
        )
        for each in front
    ]
    rest = sorted((each for each in items if not each.can_rank), key=lambda each: each.is_feasible)
    return tuple(ranked + rest)


def write_leaderboard(board: Leaderboard, folder: Path) -> None:
    """Write ``leaderboard.json``, ``.csv`` and ``.md`` into the folder of a sweep."""
    write_json(folder / "leaderboard.json", {"version": LEADERBOARD_VERSION, **as_plain(board)})
    table = as_table(board)
    write_bytes(folder / "leaderboard.csv", "".join(map(csv_row, table)).encode())
    write_bytes(folder / "leaderboard.md", _markdown(board, table).encode())


def as_plain(board: Leaderboard) -> dict[str, Any]:
    """Return the leaderboard as plain data, as in ``leaderboard.json``."""
    parts = ("sweep", "objective", "rows", "candidates", "usage")
    plain = {name: value for name, value in asdict(board.masked).items() if name in parts}
    plain["objective"] = plain_objectives(board.objectives)
    if board.constraints:
        plain["constraints"] = list(board.constraints)
    for items in (plain["rows"], plain["candidates"]):
        unsaid: dict[str, Any] = {"others": {}, "others_std": {}, "is_feasible": True}
        unsaid |= {"note": None} if items is plain["candidates"] else {}
        for name, value in unsaid.items():
            if all(each.get(name, value) == value for each in items):  # the sweep has nothing of the kind
                for each in items:
                    each.pop(name, None)
    return plain


def as_table(board: Leaderboard) -> list[list[str]]:
    """Return the leaderboard as rows of text, header first: the columns of the CSV and Markdown files.

    A metric or a swept key that has the name of another column is written as in a filter: `params.status`.
    """
    return [["" if cell is None else str(cell) for cell in line] for line in _cells(board)]


def _cells(board: Leaderboard, points: Points | None = None) -> list[list[Any]]:
    board, points = board.masked, points or _points
    report = [(METRICS, name) for name in board.report]
    others = board.labels[1:]
    table: list[list[Any]]
    if board.candidates:
        keys = [key for key in board.swept if key not in board.repeats]
        means = [(METRICS, name) for label in board.labels for name in (label, f"{label}_std")]
        means += [("", "n"), *report]
        noted = ["note"] if any(each.note for each in board.candidates) else []
        early = ("epochs", "status") if board.count(JobState.PRUNED) else ()  # those of its best job
        ends = [("", name) for name in (*early, "jobs", "error", *noted)]
        table = [unique_names([("", "rank"), *((PARAMS, key) for key in keys), *means, *ends])]
        parts = zip(board.candidates, points(keys, board.candidates), board.best_rows, strict=True)
        for each, point, row in parts:
            spreads = [spread.get(label) for label in others for spread in (each.others, each.others_std)]
            values = [each.objective, each.std, *spreads, each.n, *map(each.metrics.get, board.report)]
            end = [getattr(row, name) for name in early] + [" ".join(map(str, each.jobs)), each.error]
            table.append([each.rank, *point, *values, *end, *([each.note] if noted else [])])
    else:
        swept = [(PARAMS, key) for key in board.swept]
        noted = ["note"] if any(row.note for row in board.rows) else []
        ends = [("", name) for name in ("epochs", "duration_s", "status", "error", *noted)]
        labels = [(METRICS, label) for label in board.labels]
        table = [unique_names([("", "rank"), ("", "run"), *swept, *labels, *report, *ends])]
        for row, point in zip(board.rows, points(board.swept, board.rows), strict=True):
            values = [row.objective, *map(row.others.get, others), *map(row.metrics.get, board.report)]
            end = [row.epochs, row.duration_s, row.how, row.error, *([row.note] if noted else [])]
            table.append([row.rank, row.run, *point, *values, *end])
    return table


def _points(keys: Sequence[str], items: Sequence[Row] | Sequence[Candidate]) -> list[tuple[str, ...]]:
    """Return what each row has of the swept keys, as text."""
    columns = [told_apart([each.point.get(key) for each in items], _cell) for key in keys]
    return [tuple(column[index] for column in columns) for index in range(len(items))]


def _values(keys: Sequence[str], items: Sequence[Row] | Sequence[Candidate]) -> list[tuple[Any, ...]]:
    return [tuple(each.point.get(key) for key in keys) for each in items]


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _markdown(board: Leaderboard, table: list[list[str]]) -> str:
    by = (f"the {each.at} {markdown_text(each.label)} ({each.mode})" for each in board.objectives)
    how = f"Ranked by {' and '.join(by)}."
    if board.candidates:
        repeats = " and ".join(map(markdown_text, board.repeats))
        how += f" A row is the mean over the jobs that differ in {repeats} alone."
    notes = (*board.notes, *board.code_notes)
    how += "".join(f"\n\n{markdown_text(note[0].upper() + note[1:])}." for note in notes)
    head, *rows = ([markdown_text(cell) for cell in line] for line in table)
    lines = (f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))
    return f"# Sweep {markdown_text(board.sweep)}\n\n{how}\n\n" + "\n".join(lines) + "\n"
