"""Options that every command has."""

from typing import Annotated

import typer

StoreOption = Annotated[
    str, typer.Option("--store", metavar="DIR", envvar="PODIUM_STORE", help="The folder of the runs.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")]

DEFAULT_STORE = "experiments"
