"""The commands that rank."""

from pathlib import Path

from sweeps.cli.options import DEFAULT_STORE, JsonOption, StoreOption, SweepArgument
from sweeps.cli.saying import say, say_json
from sweeps.display.console import make_console
from sweeps.display.tables import show_leaderboard
from sweeps.paths import find_sweep
from sweeps.ranking.aggregate import aggregate as aggregate_sweep
from sweeps.ranking.aggregate import rank
from sweeps.ranking.leaderboard import Leaderboard, as_plain


def leaderboard(
    sweep: SweepArgument = "latest", store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Show the leaderboard of a sweep as it is now, finished or not.

    Example: python -m sweeps leaderboard latest
    """
    folder = find_sweep(store, sweep)
    _show(rank(folder), folder, as_json=as_json)


def aggregate(
    sweep: SweepArgument = "latest", store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Rank a sweep again and write leaderboard.json, .csv and .md; safe to repeat.

    Example: python -m sweeps aggregate 20260131-093000
    """
    folder = find_sweep(store, sweep)
    _show(aggregate_sweep(folder), folder, as_json=as_json)
    if not as_json:
        say(f"Wrote {folder / 'leaderboard.json'}, .csv and .md")


def _show(board: Leaderboard, folder: Path, *, as_json: bool) -> None:
    if as_json:
        say_json(as_plain(board))
    else:
        show_leaderboard(make_console(), board, folder)
