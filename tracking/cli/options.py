"""Options that every command has."""

from pathlib import Path
from typing import Annotated

import typer

from tracking.errors import TrackingError

DEFAULT_STORE = "experiments"
STORE_VARIABLE = "PODIUM_STORE"


def _existing(context: typer.Context, store: str) -> str:
    # the default store may not be there yet; one that somebody names is expected to be
    source = context.get_parameter_source("store")
    is_there = bool(store) and Path(store).exists()  # Path("") is where we are
    if not (is_there and Path(store).is_dir()) and (is_there or (source and source.name != "DEFAULT")):
        what = "is no folder" if is_there else "does not exist"
        raise TrackingError(
            f"the store {store!r} {what}; give the folder of the runs with --store or {STORE_VARIABLE}"
        )
    return store


StoreOption = Annotated[
    str,
    typer.Option(
        "--store", metavar="DIR", envvar=STORE_VARIABLE, callback=_existing, help="The folder of the runs."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")]
