"""Shows a leaderboard, and what failed, on a terminal or into a pipe."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeps.aggregate import Leaderboard, Row
from sweeps.executor.base import JobStatus

STATUS_STYLES = {
    "completed": "green",
    "failed": "red",
    "killed": "red",
    "cancelled": "yellow",
    "running": "cyan",
}
PIPE_WIDTH = 400  # wide enough that a table in a pipe is never cut


def make_console() -> Console:
    """Return a console on stdout: as wide as the terminal, or never cut when output is a pipe."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Map dotted config keys to their last part where that is unambiguous."""
    leaves = [key.rsplit(".", 1)[-1] for key in keys]
    return {key: leaf if leaves.count(leaf) == 1 else key for key, leaf in zip(keys, leaves, strict=True)}


def counted(count: int, noun: str) -> str:
    """Write a number of things: ``1 job``, ``3 jobs``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def number(value: object) -> str:
    """Write a number for reading: four significant decimals for metrics, parameters as given."""
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def parameter(value: object) -> str:
    """Write a swept value the way it is written in an override."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def duration(seconds: float | None) -> str:
    """Write a time for reading: ``8.3 s``, ``4:05``, ``2:10:00``."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def leaderboard_table(board: Leaderboard) -> Table:
    """Return the leaderboard as a rich table; the winner's row is bold, unranked rows are dim."""
    table = Table(
        box=box.SIMPLE_HEAD, title=f"Leaderboard of sweep {board.sweep}", title_justify="left", pad_edge=False
    )
    names = short_names(board.swept)
    table.add_column("rank", justify="right")
    table.add_column("run", no_wrap=True)
    for key in board.swept:
        table.add_column(names[key], justify="right")
    table.add_column(f"{board.objective.label} ({board.objective.mode})", justify="right", style="bold")
    for name in board.report:
        table.add_column(name, justify="right")
    for name in ("epochs", "time"):
        table.add_column(name, justify="right")
    table.add_column("status")
    for row in board.rows:
        table.add_row(
            *_cells(board, row), style="bold" if row.rank == 1 else "dim" if row.rank is None else ""
        )
    return table


def _cells(board: Leaderboard, row: Row) -> list[str | Text]:
    return [
        number(row.rank),
        row.run or f"job {row.job}",
        *(parameter(row.point.get(key)) for key in board.swept),
        number(row.objective),
        *(number(row.metrics.get(name)) for name in board.report),
        number(row.epochs),
        duration(row.duration_s),
        Text(row.status, style=STATUS_STYLES.get(row.status, "")),
    ]


def show_leaderboard(console: Console, board: Leaderboard, sweep_dir: Path) -> None:
    """Print the leaderboard, then why jobs have no rank: each reason once, with its jobs and the first one's log."""
    console.print()
    console.print(leaderboard_table(board))
    reasons: dict[tuple[str, str], list[Row]] = {}
    for row in board.rows:
        if row.error is not None:
            reasons.setdefault((row.status, row.error), []).append(row)
    for (status, error), rows in reasons.items():
        style = "yellow" if status == JobStatus.CANCELLED else "red"
        console.print(Text(f"{_jobs(rows)} {status}: {error}", style=style), soft_wrap=True)
        log = sweep_dir / "jobs" / str(rows[0].job) / "output.log"
        if log.exists():
            console.print(f"    log: {log}", soft_wrap=True)


def _jobs(rows: Sequence[Row]) -> str:
    numbers = [str(row.job) for row in rows[:8]] + (["..."] if len(rows) > 8 else [])
    return f"job {numbers[0]}" if len(rows) == 1 else f"{counted(len(rows), 'job')} ({', '.join(numbers)})"
