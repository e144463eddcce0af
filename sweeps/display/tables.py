"""Shows a leaderboard, and what failed, on a terminal or into a pipe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeps.jobs import JobState
from sweeps.paths import job_folder
from sweeps.ranking.leaderboard import Leaderboard, Row
from tracking.values.units import counted, format_clock

STATUS_STYLES = {
    "completed": "green",
    "reused": "green",
    "failed": "red",
    "killed": "red",
    "cancelled": "yellow",
    "running": "cyan",
}
OUR_COLUMNS = {"rank", "run", "job", "epochs", "time", "status"}
COLUMN_GAP = 3  # what the box puts between two columns


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Map dotted config keys to their last part where that is unambiguous and no column of ours."""
    leaves = [key.rsplit(".", 1)[-1] for key in keys]
    taken = {*OUR_COLUMNS, *(leaf for leaf in leaves if leaves.count(leaf) > 1)}
    return {key: key if leaf in taken else leaf for key, leaf in zip(keys, leaves, strict=True)}


def number(value: object) -> str:
    """Write a number for reading: four significant decimals for metrics, parameters as given."""
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def parameter(value: object) -> str:
    """Write a swept value the way it is written in an override."""
    return f"{value:g}" if isinstance(value, float) else "\\n".join(str(value).splitlines())


@dataclass(frozen=True)
class Column:
    """A column before it is known whether it fits; those with the highest `drop` go first, 0 stays."""

    name: str
    cells: Sequence[str]
    drop: int = 0
    left: bool = False
    styles: Sequence[str] = ()

    @property
    def width(self) -> int:
        """What the column needs so that nothing in it is cut."""
        return max(cell_len(text) for text in (self.name, *self.cells)) + COLUMN_GAP


def fitting_table(
    columns: Sequence[Column], width: int, *, row_styles: Sequence[str] = ()
) -> tuple[Table, list[str]]:
    """Return a table of the columns that fit into `width` uncut, and the names of those that had to go."""
    kept = list(columns)
    while sum(column.width for column in kept) > width and any(column.drop for column in kept):
        kept.remove(max(reversed(kept), key=lambda column: column.drop))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in kept:
        table.add_column(Text(column.name), justify="left" if column.left else "right", overflow="fold")
    for index in range(len(columns[0].cells)):
        cells = [Text(c.cells[index], style=c.styles[index] if c.styles else "") for c in kept]
        table.add_row(*cells, style=row_styles[index] if row_styles else "")
    return table, [column.name for column in columns if column not in kept]


def swept_columns(keys: Sequence[str], points: Sequence[Mapping[str, object]]) -> list[Column]:
    """Return one column per swept key, named as briefly as can be."""
    names = short_names(keys)
    return [
        Column(names[key], [parameter(point[key]) if key in point else "-" for point in points], drop=1)
        for key in keys
    ]


def status_column(statuses: Sequence[str]) -> Column:
    """Return the column of statuses, in their colours."""
    return Column("status", statuses, left=True, styles=[STATUS_STYLES.get(each, "") for each in statuses])


def leaderboard_table(board: Leaderboard, width: int) -> tuple[Table, list[str]]:
    """Return the leaderboard as a table that fits, and the columns that do not; the winner is bold, the unranked dim."""
    if board.candidates:
        return _candidates_table(board, width)
    rows = board.rows
    columns = [
        Column("rank", [number(row.rank) for row in rows]),
        Column("run", [row.run or f"job {row.job}" for row in rows], left=True),
        *swept_columns(board.swept, [row.point for row in rows]),
        Column(f"{board.objective.label} ({board.objective.mode})", [number(row.objective) for row in rows]),
        *(Column(name, [number(row.metrics.get(name)) for row in rows], drop=4) for name in board.report),
        *(
            [Column("epochs", [number(row.epochs) for row in rows], drop=6)]
            if any(r.epochs for r in rows)
            else []
        ),
        Column("time", [format_clock(row.duration_s) for row in rows], drop=5),
        status_column([row.how for row in rows]),
    ]
    styles = ["bold" if row.rank == 1 else "dim" if row.rank is None else "" for row in rows]
    return fitting_table(columns, width, row_styles=styles)


def _candidates_table(board: Leaderboard, width: int) -> tuple[Table, list[str]]:
    each = board.candidates
    best = {row.rank: row for row in reversed(board.rows)}
    keys = [key for key in board.swept if key != board.seed_key]
    columns = [
        Column("rank", [number(one.rank) for one in each]),
        *swept_columns(keys, [one.point for one in each]),
        Column(
            f"{board.objective.label} ({board.objective.mode})",
            [_spread(one.objective, one.std) for one in each],
        ),
        Column("n", [str(one.n) for one in each], drop=3),
        *(
            Column(name, [_spread(one.metrics.get(name), one.metrics_std.get(name)) for one in each], drop=4)
            for name in board.report
        ),
        Column(
            "best run", [best[one.rank].run or "-" if one.rank else "-" for one in each], drop=2, left=True
        ),
    ]
    styles = ["bold" if one.rank == 1 else "dim" if one.rank is None else "" for one in each]
    return fitting_table(columns, width, row_styles=styles)


def _spread(mean: float | None, std: float | None) -> str:
    return number(mean) if std is None else f"{number(mean)} ± {number(std)}"


def show_leaderboard(
    console: Console, board: Leaderboard, sweep_dir: Path, *, most: int | None = None
) -> None:
    """Print the leaderboard, then why jobs have no rank: each reason once, with its jobs and the first one's log.

    Of the rows no more than `most` are shown.
    """
    console.print()
    table, dropped = leaderboard_table(_topped(board, most), console.width)
    console.print(Text(f"Leaderboard of sweep {board.sweep}", style="italic"))
    console.print(table)
    length = len(board.candidates or board.rows)
    if most is not None and length > most:
        more = f"... and {length - most} more: python -m sweeps leaderboard {board.sweep}"
        console.print(more, style="dim", soft_wrap=True)
    if dropped:
        everything = sweep_dir / "leaderboard.csv"
        console.print(
            Text(f"no room for: {', '.join(dropped)}; all columns: {everything}", style="dim"), soft_wrap=True
        )
    if board.usage is not None:
        console.print(used(board), style="dim", soft_wrap=True)
    reasons: dict[tuple[str, str], list[Row]] = {}
    for row in board.rows:
        if row.error is not None:
            reasons.setdefault((row.status, row.error), []).append(row)
    for (status, error), rows in reasons.items():
        style = "yellow" if status == JobState.CANCELLED else "red"
        console.print(Text(f"{_jobs(rows)} {status}: {error}", style=style), soft_wrap=True)
        log = job_folder(sweep_dir, rows[0].job) / "output.log"
        if log.exists():
            console.print(f"    log: {log}", soft_wrap=True)


def _topped(board: Leaderboard, most: int | None) -> Leaderboard:
    if board.candidates:  # which need all rows, for the best run of each
        return replace(board, candidates=board.candidates[:most])
    return replace(board, rows=board.rows[:most])


def used(board: Leaderboard) -> str:
    """Say how well the slots were used: ``60 jobs in 2:05, 2 at once, slots busy 97% of the time``."""
    usage = board.usage
    if usage is None:
        return counted(len(board.rows), "job")
    ran = sum(row.status != JobState.CANCELLED and row.duration_s is not None for row in board.rows)
    jobs = counted(len(board.rows), "job")
    took = f"{jobs if ran == len(board.rows) else f'{ran} of {jobs}'} in {format_clock(usage.wall_s)}"
    return f"{took}, {usage.slots} at once, slots busy {usage.utilisation:.0%} of the time"


def _jobs(rows: Sequence[Row]) -> str:
    numbers = [str(row.job) for row in rows[:8]] + (["..."] if len(rows) > 8 else [])
    return f"job {numbers[0]}" if len(rows) == 1 else f"{counted(len(rows), 'job')} ({', '.join(numbers)})"
