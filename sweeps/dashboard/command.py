"""The command that shows stores in a browser: `podium dashboard`, and `python -m sweeps dashboard`.

The port is open before anything is loaded that takes time.
"""

import contextlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sweeps.errors import SweepError
from tracking.cli.toolkit import app
from tracking.cli.toolkit.completing import candidates_of, completions
from tracking.cli.toolkit.fast_typer import parameters
from tracking.cli.toolkit.options import StoresOption
from tracking.cli.toolkit.output import one_line, say, warn
from tracking.extras import require

EXTRA = "dashboard"
LAST_PORT = 65535
PARTS = ("runs", "sweeps", "models", ".podium")  # of a store; one of them makes a folder one
HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::\d+)?")


def _port(port: int | None) -> int | None:
    if port is not None and port > LAST_PORT:
        raise typer.BadParameter(f"--port {port}: the last one is {LAST_PORT}")
    return port


def _hosts(names: list[str] | None) -> list[str]:
    for name in names or ():
        if not HOST.fullmatch(name):
            raise typer.BadParameter(f"--allow-host {name}: not the name of a host, such as lab.example.org")
    return names or []


def dashboard(
    store: StoresOption = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="PORT",
            min=0,
            callback=_port,
            help="Default: 8710 or the next one that is free; 0: any that is free.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="An address of this machine alone.")
    ] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            callback=_hosts,
            help="A further name under which the page is reached, of a reverse proxy; may be repeated.",
        ),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
) -> None:
    """Show runs, sweeps and models in a browser, live, until Ctrl-C.

    The server listens on this machine alone and changes nothing in a store. The address that is printed holds a key;
    who has it can read the store.

    Example: python -m sweeps dashboard --port 8710
    """
    require(EXTRA)
    from sweeps.dashboard.server.access import token_of
    from sweeps.dashboard.server.listening import listen, origin

    named: dict[Path, str] = {}
    for each in store or ():
        named.setdefault(Path(each).resolve(), each)  # a store that is named twice is one
    given = list(named.values())
    for each in given:
        with contextlib.suppress(OSError):  # the page says what cannot be read
            _doubt(Path(each))
    stores = [Path(each).absolute() for each in given]
    token = token_of(stores)
    with listen(host, port) as listening:
        shown = ", ".join(given)
        say(f"Dashboard of {one_line(shown)}: {origin(listening)}/?token={token}  (Ctrl-C ends it)")
        sys.stdout.flush()
        from sweeps.dashboard.server.serving import serve

        try:
            serve(listening, stores, token=token, hosts=allow_host or (), opens=not no_open)
        except KeyboardInterrupt:
            return  # how it is ended


def _doubt(folder: Path) -> None:
    """Warn of a folder that holds other things than a store, which would be shown as one without runs."""
    if not folder.is_dir() or _is_store(folder) or not any(folder.iterdir()):
        return
    below = sorted(
        each.name for each in folder.iterdir() if not each.name.startswith(".") and _is_store(each)
    )
    hint = f"; did you mean {' or '.join(str(folder / name) for name in below[:3])}?" if below else ""
    warn(f"{one_line(str(folder))} holds no runs, sweeps or models{one_line(hint)}")


def _is_store(folder: Path) -> bool:
    return folder.is_dir() and any((folder / part).is_dir() for part in PARTS)


def main(arguments: Sequence[str]) -> int:
    """Show runs, sweeps and models in a browser, live.

    Return the exit code.
    """
    if arguments[:1] == [app.ASKED_TO_COMPLETE]:
        *before, incomplete = arguments[1:] or [""]
        found = candidates_of(
            before, incomplete, "", parameters(dashboard), _no_values, first=list, options=()
        )
        for word in completions(incomplete, found):
            say(word)
        return 0
    return app.main(PROGRAM, arguments)


def _no_values(_what: str | None, _typed: str) -> Sequence[str]:
    return ()


PROGRAM = app.Program("tracking", "", {}, errors=(SweepError,), word="dashboard", alone=dashboard)
