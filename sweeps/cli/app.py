"""The entry of ``python -m sweeps``: the table of commands, and how errors leave.

A command's module is imported when the command is asked for, so no command pays for another.
"""

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import typer

from sweeps.errors import SweepError
from tracking import TrackingError
from tracking.version import __version__

# the name, and the function in a module of sweeps.cli
COMMANDS: dict[str, str] = {
    "list": "show:list_sweeps",
    "show": "show:show",
    "jobs": "jobs:jobs",
    "logs": "jobs:logs",
    "leaderboard": "ranking:leaderboard",
    "aggregate": "ranking:aggregate",
    "resume": "resume:resume",
    "cancel": "resume:cancel",
}

HELP = """Look at sweeps, end them, and go on with them.

Examples:

\b
python -m sweeps list
python -m sweeps show latest
python -m sweeps jobs latest --failed
python -m sweeps logs latest 3 --follow
python -m sweeps leaderboard 20260131 --json

A sweep is named by its id, the beginning of it, 'latest', or the path of its folder;
a job by its number or by a run it opened.

Exit codes:

\b
0    done
1    an error, or something damaged was left out
2    a wrong call
130  interrupted
"""


def build(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """The Typer application with these commands."""
    app = typer.Typer(
        name="sweeps",
        help=HELP,
        context_settings={"help_option_names": ["-h", "--help"]},
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for name in commands:
        app.command(name)(_function_of(name))
    app.callback()(_options)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. 1 is an error, 2 a wrong call; either is one line on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a name the locale cannot show is no error
    try:
        commands = words[:1] if words[0] in COMMANDS else COMMANDS
        code = build(commands)(args=words, prog_name="python -m sweeps", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except typer.Exit as stop:
        return stop.exit_code
    except (BrokenPipeError, SystemExit):
        # The reader has seen enough; the rest goes nowhere, so that the interpreter does not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (SweepError, TrackingError, OSError) as error:
        return _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except Exception as error:
        # Typer's own errors of use carry the exit code and a message; anything else is a fault of ours
        if not hasattr(error, "format_message"):
            raise
        said = error.format_message() or "a command is missing"
        return _fail(f"{said} (python -m sweeps --help shows the commands)", getattr(error, "exit_code", 2))


def _function_of(command: str) -> Callable[..., Any]:
    module, _, name = COMMANDS[command].partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(f"sweeps.cli.{module}"), name)
    return function


def _say_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"podium {__version__}\n")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version.")
    ] = False,
) -> None:
    pass


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"sweeps: {' '.join(message.split())}\n")
    return code
