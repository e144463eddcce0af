"""Completion: commands, options, and the sweeps and jobs in the store."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sweeps.cli.app import COMMANDS
from sweeps.errors import SweepError
from sweeps.paths import LATEST, find_sweep, job_folder, sweep_folders
from tracking import TrackingError
from tracking.cli.toolkit.app import load
from tracking.cli.toolkit.completing import candidates_of, completions
from tracking.cli.toolkit.fast_typer import parameters
from tracking.cli.toolkit.options import store_of


def complete(words: Sequence[str]) -> list[str]:
    """Return the completions of the last word."""
    *before, incomplete = words or [""]
    command = next((word for word in before if word in COMMANDS), "")
    store = Path(store_of(before))
    given = parameters(load("sweeps.cli", COMMANDS[command])) if command else []

    def values_of(what: str | None, _typed: str) -> Iterable[str]:
        if what == "sweep":
            return [LATEST, *(folder.name for folder in sweep_folders(store))]
        if what == "job":
            sweep = next((word for word in before if word != command and not word.startswith("-")), LATEST)
            return [path.name for path in job_folder(find_sweep(store, sweep), 0).parent.iterdir()]
        return []

    try:
        found = candidates_of(
            before, incomplete, command, given, values_of, first=lambda: COMMANDS, options=["--version"]
        )
        return completions(incomplete, found)
    except (SweepError, TrackingError, OSError):
        return []  # a store that cannot be read completes nothing
