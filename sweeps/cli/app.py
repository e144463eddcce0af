"""The table of commands, and the arguments that several of them take."""

from collections.abc import Sequence
from typing import Annotated

import typer

from sweeps.errors import SweepError
from tracking.cli.toolkit import app
from tracking.process.program import command

# each command, and the function in a module of sweeps.cli
COMMANDS: dict[str, str] = {
    "list": "show:list_sweeps",
    "show": "show:show",
    "jobs": "jobs:jobs",
    "logs": "logs:logs",
    "leaderboard": "show:leaderboard",
    "aggregate": "show:aggregate",
    "report": "report:report",
    "resume": "resume:resume",
    "cancel": "resume:cancel",
    "dashboard": ".dashboard.command:dashboard",
}

HELP = """Look at sweeps, resume them, and cancel them.

Examples:

\b
python -m sweeps list
python -m sweeps show latest
python -m sweeps jobs latest --failed
python -m sweeps logs latest 3 --follow
python -m sweeps leaderboard 20260131 --json
python -m sweeps report latest --open
python -m sweeps resume latest x=1,2,3
python -m sweeps dashboard

A sweep is named by its id, the beginning of it, 'latest', or the path of its folder;
a job by its number or by a run it opened.

Exit codes:

\b
0    done
1    an error, or something damaged was left out
2    a wrong call
130  interrupted
"""

SweepArgument = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP", help="Its id or the beginning of it, 'latest', or the path of its folder."
    ),
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Its number, or a run it opened.")]


def main(arguments: Sequence[str]) -> int:
    """Look at sweeps, resume them, and cancel them.

    Return the exit code.
    """
    return app.main(PROGRAM, arguments)


def _wrong_word(arguments: Sequence[str]) -> str | None:
    """Return what to write instead of a first word that is no command, where that is known."""
    if arguments and arguments[0] == "extend":
        further = command("resume SWEEP KEY=VALUES", "sweeps")
        return f"extend is no command; run further points with: {further}"
    return None


PROGRAM = app.Program(
    "sweeps",
    HELP,
    COMMANDS,
    errors=(SweepError,),
    explain=_wrong_word,
    complete="completing:complete",
    extra="sweeps",
)
