"""The entry: which command is meant, and how errors leave.

    python -m tracking EXPERIMENT                      is  compare EXPERIMENT
    python -m tracking EXPERIMENT plot METRIC RUN...   is  plot EXPERIMENT METRIC RUN...
    python -m tracking --list                          is  list

An experiment that is named like a command is reached through `compare NAME`.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from tracking.cli.commands import ASKED_TO_COMPLETE, COMMANDS, function_of
from tracking.cli.notices import noticed
from tracking.cli.short_forms import expand, unknown_word
from tracking.cli.toolkit import output
from tracking.cli.toolkit.fast_typer import PlainCommand, PlainGroup
from tracking.errors import InvalidValueError, QueryError, TrackingError
from tracking.version import __version__

HELP = """Look at recorded runs and registered models.

Example: python -m tracking compare ctr_model

Short forms:

\b
EXPERIMENT                     is  compare EXPERIMENT
EXPERIMENT plot METRIC RUN...  is  plot EXPERIMENT METRIC RUN...
--list                         is  list

Exit codes:

\b
0    done
1    an error, or something damaged was left out
2    a wrong call
3, 4 of tail: the run failed, was killed
130  interrupted
"""


def _say_version(wanted: bool) -> None:
    if wanted:
        output.say(f"podium {__version__}")
        raise typer.Exit


def build(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """The Typer application with these commands."""
    app = typer.Typer(
        name="tracking",
        cls=PlainGroup,
        help=HELP,
        context_settings={"help_option_names": ["-h", "--help"]},
        add_completion=False,  # the scripts of Typer complete a program, not `python -m tracking`
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for name in commands:
        app.command(name, cls=PlainCommand)(function_of(name))
    app.callback()(_options)
    return app


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. 1 is an error, 2 a wrong call; either is told on stderr."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a name the locale cannot show is no error
    with noticed() as notices:
        code = _run(arguments)
    return code or int(notices.has_left_out)


def _open_streams() -> None:
    """Send nowhere what is said on a stream that is closed already."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115,PTH123 - to the end


def _run(arguments: Sequence[str]) -> int:
    try:
        if arguments and arguments[0] == ASKED_TO_COMPLETE:
            return _complete(arguments[1:])
        words = expand(arguments)
        commands = words[:1] if words[0] in COMMANDS else COMMANDS
        outcome = build(commands)(args=words, prog_name="python -m tracking", standalone_mode=False)
        sys.stdout.flush()
        return int(outcome or 0)
    except typer.Exit as stop:
        return stop.exit_code
    except (BrokenPipeError, SystemExit):
        # The reader has seen enough; where Typer meets that first, it makes an exit of it. The rest goes nowhere,
        # so that the interpreter does not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except QueryError as error:
        sys.stderr.write(f"tracking: {output.safe(str(error))}\n")  # with the place, in lines of its own
        return 1
    except InvalidValueError as error:
        # what a command refuses run by run never comes here: this is a value of the call itself
        return _fail(str(error), 2)
    except (TrackingError, OSError) as error:
        unknown = unknown_word(arguments)
        return _fail(unknown or str(error), 2 if unknown else 1)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except Exception as error:
        # Typer's own errors of use carry the exit code and a message; anything else is a fault of ours
        if not hasattr(error, "format_message"):
            raise
        message = unknown_word(arguments) or error.format_message() or "a command is missing"
        # "Value error, " is how the validation library that Typer may use begins its own
        return _fail(
            f"{message.replace('Value error, ', '')} ({_help_of(arguments)})", getattr(error, "exit_code", 2)
        )


def _help_of(arguments: Sequence[str]) -> str:
    command = expand(arguments)[0]
    if command in COMMANDS and unknown_word(arguments) is None:
        return f"python -m tracking {command} --help shows how it is called"
    return "python -m tracking --help shows the commands"


def _complete(words: Sequence[str]) -> int:
    from tracking.cli.completing import complete

    for word in complete(words):
        output.say(word)
    return 0


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"tracking: {' '.join(message.split())}\n")
    return code
