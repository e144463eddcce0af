"""Options that every command has."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tracking.errors import TrackingError
from tracking.process.sweep_context import current_job, located
from tracking.values.names import check_path

DEFAULT_STORE = "experiments"
STORE_VARIABLE = "PODIUM_STORE"


def _existing(context: typer.Context, store: str) -> str:
    source = context.get_parameter_source("store")
    return _checked(store, is_named=bool(source and source.name != "DEFAULT"))


def _checked(store: str, *, is_named: bool) -> str:
    if store:
        store = str(check_path("store", store, example=DEFAULT_STORE))
    if store and current_job() is not None:
        store = str(located(Path(store)))  # a command in a job means the store that the job tracks into
    # Only a store that is named must exist; the first run creates the default one.
    is_there = bool(store) and Path(store).exists()  # Path("") is the working folder
    if not (is_there and Path(store).is_dir()) and (is_there or is_named):
        what = "is no folder" if is_there else "does not exist"
        raise TrackingError(
            f"the store {store!r} {what}; give the folder of the runs with --store or {STORE_VARIABLE}"
        )
    return store


def _new_or_existing(context: typer.Context, store: str) -> str:
    return (
        _existing(context, store)
        if not store or Path(store).exists()
        else str(check_path("store", store, example=DEFAULT_STORE))
    )


def _all_existing(_context: typer.Context, stores: list[str] | None) -> list[str]:
    given = stores or list(filter(None, [os.environ.get(STORE_VARIABLE)]))
    return [_checked(store, is_named=bool(given)) for store in given or [DEFAULT_STORE]]


def store_of(arguments: Sequence[str]) -> str:
    """Return the store that the arguments name, else the environment, else the default."""
    # By hand, because Typer parses the arguments only once the command is known.
    for index, argument in enumerate(arguments):
        if argument == "--store" and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith("--store="):
            return argument.removeprefix("--store=")
    return os.environ.get(STORE_VARIABLE) or DEFAULT_STORE


StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="DIR",
        envvar=STORE_VARIABLE,
        callback=_existing,
        help="The folder that holds runs/ and sweeps/.",
    ),
]
# Without a default of Typer's, which would divide a path of the environment at its spaces.
StoresOption = Annotated[
    list[str] | None,
    typer.Option(
        "--store",
        metavar="DIR",
        callback=_all_existing,
        help="A folder that holds runs/ and sweeps/; may be repeated.  [env var: PODIUM_STORE]",
    ),
]
NewStoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="DIR",
        envvar=STORE_VARIABLE,
        callback=_new_or_existing,
        help="The folder that holds runs/ and sweeps/; a new one is made.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")]
