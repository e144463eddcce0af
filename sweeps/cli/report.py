"""The command that writes the report of a sweep: report."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from sweeps.cli.app import SweepArgument
from sweeps.dashboard.report.report import write_report
from sweeps.paths import find_sweep
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.cli.toolkit.output import say, say_json


def report(
    sweep: SweepArgument = "latest",
    opens: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Write report.html and report.md into the folder of a sweep, as it is now; safe to repeat.

    Example: python -m sweeps report latest --open
    """
    folder = find_sweep(Path(store), sweep)
    made = write_report(folder)
    if as_json:
        say_json({"sweep": folder.name, "html": made.html, "markdown": made.markdown})
    else:
        say(f"Wrote {made.html} and {made.markdown.name}")
    if opens:
        webbrowser.open(made.html.absolute().as_uri())
