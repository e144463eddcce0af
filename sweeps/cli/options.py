"""The arguments and options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_STORE = Path("experiments")
StoreOption = Annotated[Path, typer.Option("--store", envvar="PODIUM_STORE", help="Holds runs/ and sweeps/.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
SweepArgument = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP", help="Its id or the beginning of it, 'latest', or the path of its folder."
    ),
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Its number, or a run it opened.")]
