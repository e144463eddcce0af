"""A sweep's leaderboard as a value, and as the files it is kept in."""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sweeps.jobs import JobState
from sweeps.state.ledger import Usage
from tracking.files import write_bytes, write_json
from tracking.objective import Objective

LEADERBOARD_VERSION = 1
REUSED = "reused"


@dataclass(frozen=True)
class Row:
    """One job: its place (None below the line), what was swept, and what came out."""

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
    reused: bool = False  # its run is one of an earlier sweep

    @property
    def how(self) -> str:
        """Its status for reading, which tells a run of an earlier sweep from one of this."""
        return REUSED if self.reused else self.status


@dataclass(frozen=True)
class Candidate:
    """A point of the space without its seed: its place (None below the line), and what its jobs came to.

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


@dataclass(frozen=True)
class Leaderboard:
    """The ranked jobs of a sweep, best first, then those without a rank.

    With `candidates`, these are what is ranked, and a row has the place of its candidate.
    """

    sweep: str
    objective: Objective
    swept: tuple[str, ...]
    report: tuple[str, ...]
    rows: tuple[Row, ...]
    candidates: tuple[Candidate, ...] = ()  # when seeds were swept: what is ranked
    seed_key: str | None = None
    usage: Usage | None = None  # None for a sweep whose ledger does not name its slots
    fingerprints: frozenset[str | None] = frozenset()  # of the data of the ranked runs
    winner_metrics: Mapping[str, float] = field(default_factory=dict)  # the last values of the winner's run

    @property
    def winner(self) -> Row | None:
        """The best job, of the best candidate where there are any; None when none is ranked."""
        return self.rows[0] if self.rows and self.rows[0].rank is not None else None

    def count(self, *statuses: JobState) -> int:
        """How many jobs have one of `statuses`."""
        return sum(row.status in statuses for row in self.rows)


def write_leaderboard(board: Leaderboard, folder: Path) -> None:
    """Write ``leaderboard.json``, ``.csv`` and ``.md`` into a sweep's folder."""
    write_json(folder / "leaderboard.json", {"version": LEADERBOARD_VERSION, **as_plain(board)})
    header, *lines = as_table(board)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *lines])
    write_bytes(folder / "leaderboard.csv", text.getvalue().encode())
    write_bytes(folder / "leaderboard.md", _markdown(board, header, lines).encode())


def as_plain(board: Leaderboard) -> dict[str, Any]:
    """Return the leaderboard as plain data, as in ``leaderboard.json``."""
    return {
        "sweep": board.sweep,
        "objective": asdict(board.objective),
        "rows": [asdict(row) for row in board.rows],
        "candidates": [asdict(candidate) for candidate in board.candidates],
        "usage": None if board.usage is None else asdict(board.usage),
    }


def as_table(board: Leaderboard) -> list[list[str]]:
    """Return the leaderboard as rows of text, header first: the columns of the CSV and Markdown files."""
    if board.candidates:
        return _candidates_table(board)
    header = [
        "rank",
        "run",
        *board.swept,
        board.objective.label,
        *board.report,
        "epochs",
        "duration_s",
        "status",
        "error",
    ]
    table = [header]
    for row in board.rows:
        table.append(
            [
                _text(row.rank),
                _text(row.run),
                *(_text(row.point.get(key)) for key in board.swept),
                _text(row.objective),
                *(_text(row.metrics.get(name)) for name in board.report),
                _text(row.epochs),
                _text(row.duration_s),
                row.how,
                _text(row.error),
            ]
        )
    return table


def _candidates_table(board: Leaderboard) -> list[list[str]]:
    keys = [key for key in board.swept if key != board.seed_key]
    label = board.objective.label
    table = [["rank", *keys, label, f"{label}_std", "n", *board.report, "jobs", "error"]]
    for each in board.candidates:
        table.append(
            [
                _text(each.rank),
                *(_text(each.point.get(key)) for key in keys),
                _text(each.objective),
                _text(each.std),
                _text(each.n),
                *(_text(each.metrics.get(name)) for name in board.report),
                " ".join(map(str, each.jobs)),
                _text(each.error),
            ]
        )
    return table


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _markdown(board: Leaderboard, header: list[str], lines: list[list[str]]) -> str:
    how = f"Ranked by the {board.objective.at} {board.objective.label} ({board.objective.mode})."
    if board.candidates:
        how += f" A row is the mean over the jobs that differ in {board.seed_key} alone."
    cells = [header, ["---"] * len(header), *lines]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in cells)
    return f"# Sweep {board.sweep}\n\n{how}\n\n{table}\n"
