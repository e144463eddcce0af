"""The commands of ``python -m sweeps``.

A command prints its answer on stdout, as a table or with ``--json`` as JSON; errors go to stderr in
one line with exit code 1; wrong usage is exit code 2.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeps.aggregate import aggregate, rank
from sweeps.errors import SweepError
from sweeps.leaderboard import Leaderboard, as_plain
from sweeps.table import Column, fitting_table, make_console, number, show_leaderboard
from tracking import TrackingError
from tracking.files import encode, read_json

app = typer.Typer(
    help="Look at sweeps: list them, show and recompute their leaderboards.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DEFAULT_STORE = Path("experiments")
Store = Annotated[Path, typer.Option(envvar="PODIUM_STORE", help="The store that holds sweeps/.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Sweep = Annotated[str, typer.Argument(help="A sweep's id, 'latest', or the path of its folder.")]


@app.command("list")
def list_sweeps(store: Store = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """List all sweeps, newest last.

    Example: python -m sweeps list
    """
    found = list(_summaries(store))
    if as_json:
        _print_json(found)
        return
    console = make_console()
    if not found:
        console.print(f"No sweeps in {store} yet; run one with: python -m trainer -m KEY=A,B")
        return
    columns = [
        Column("sweep", [each["sweep"] for each in found], left=True),
        Column("completed", [f"{each['completed']}/{each['jobs']}" for each in found]),
        Column("metric", [each["metric"] or "-" for each in found], left=True, drop=2),
        Column("best", [number(each["best"]) for each in found]),
        Column("run", [each["run"] or "-" for each in found], left=True, drop=1),
    ]
    console.print(fitting_table(columns, console.width)[0])


@app.command()
def leaderboard(sweep: Sweep = "latest", store: Store = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """Show the leaderboard of a sweep as it is now, finished or not.

    Example: python -m sweeps leaderboard latest
    """
    folder = _find(store, sweep)
    _show(rank(folder), folder, as_json=as_json)


@app.command("aggregate")
def aggregate_sweep(sweep: Sweep = "latest", store: Store = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """Rank a sweep again and write leaderboard.json, .csv and .md; safe to repeat.

    Example: python -m sweeps aggregate 20260131-093000
    """
    folder = _find(store, sweep)
    _show(aggregate(folder), folder, as_json=as_json)
    if not as_json:
        typer.echo(f"Wrote {folder / 'leaderboard.json'}, .csv and .md")


def main() -> None:
    """Run the command line; errors of ours become one line and exit code 1."""
    try:
        app(prog_name="python -m sweeps")
    except (SweepError, TrackingError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)


def _folders(store: Path) -> list[Path]:
    return sorted(plan.parent for plan in (store / "sweeps").glob("*/plan.json"))


def _find(store: Path, sweep: str) -> Path:
    folders = _folders(store)
    if sweep == "latest":
        if not folders:
            raise SweepError(f"no sweeps in {store}; run one with: python -m trainer -m KEY=A,B")
        return max(folders, key=lambda folder: folder.stat().st_mtime)
    for candidate in (store / "sweeps" / sweep, Path(sweep)):
        if (candidate / "plan.json").exists():
            return candidate
    known = ", ".join(folder.name for folder in folders[-5:]) or "none"
    raise SweepError(f"{sweep}: no such sweep in {store}; the latest are: {known}")


def _summaries(store: Path) -> Iterator[dict[str, Any]]:
    """Describe each sweep; one that is damaged is named on stderr, the others are given."""
    if not store.is_dir() and store != DEFAULT_STORE:
        raise SweepError(f"there is no store {store}; --store names the folder that holds runs/ and sweeps/")
    for folder in _folders(store):
        try:
            yield _summary(folder)
        except (TrackingError, KeyError, TypeError) as error:
            sys.stderr.write(f"left out: {folder.name}: {error}\n")


def _summary(folder: Path) -> dict[str, Any]:
    jobs = len(read_json(folder / "plan.json")["jobs"])
    board = read_json(folder / "leaderboard.json") if (folder / "leaderboard.json").exists() else None
    rows = board["rows"] if board else []
    winner = next((row for row in rows if row["rank"] == 1), None)
    return {
        "sweep": folder.name,
        "jobs": jobs,
        "completed": sum(row["status"] == "completed" for row in rows),
        "metric": board["objective"]["metric"] if board else None,
        "best": winner["objective"] if winner else None,
        "run": winner["run"] if winner else None,
    }


def _show(board: Leaderboard, folder: Path, *, as_json: bool) -> None:
    if as_json:
        _print_json(as_plain(board))
    else:
        show_leaderboard(make_console(), board, folder)


def _print_json(value: object) -> None:
    sys.stdout.write(encode(value, indent=True).decode() + "\n")
