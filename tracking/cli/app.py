"""The entry: the command table, the short forms, and how errors leave.

    python -m tracking EXPERIMENT                      is  compare EXPERIMENT
    python -m tracking EXPERIMENT plot METRIC RUN...   is  plot EXPERIMENT METRIC RUN...
    python -m tracking --list                          is  list

An experiment that is named like a command is reached through `compare NAME`.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer

from tracking.cli import models, runs
from tracking.errors import TrackingError

COMMANDS: dict[str, Callable[..., Any]] = {
    "list": runs.list_experiments,
    "compare": runs.compare,
    "plot": runs.plot,
    "show": runs.show,
    "best": runs.best,
    "models": models.models,
    "champion": models.champion,
    "promote": models.promote,
    "rollback": models.rollback,
    "history": models.history,
}


def build() -> typer.Typer:
    """The Typer application."""
    app = typer.Typer(
        name="tracking",
        help="Look at recorded runs and registered models.\n\nExample: python -m tracking compare ctr_model",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for name, function in COMMANDS.items():
        app.command(name)(function)
    return app


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. 1 is an error, 2 a wrong call; either is one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a name the locale cannot show is no error
    try:
        outcome = build()(args=expand(arguments), prog_name="python -m tracking", standalone_mode=False)
        sys.stdout.flush()
        return int(outcome or 0)
    except typer.Exit as stop:
        return stop.exit_code
    except (BrokenPipeError, SystemExit):
        # The reader has seen enough; where Typer meets that first, it makes an exit of it. The rest goes nowhere,
        # so that the interpreter does not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (TrackingError, OSError) as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except Exception as error:
        # Typer's own errors of use carry the exit code and a message; anything else is a fault of ours
        if not hasattr(error, "format_message"):
            raise
        message = error.format_message() or "a command is missing"
        return _fail(
            f"{message} (python -m tracking --help shows the commands)", getattr(error, "exit_code", 2)
        )


def expand(arguments: Sequence[str]) -> list[str]:
    """The arguments with the short forms written out; none at all ask for help."""
    if not arguments:
        return ["--help"]
    rest = ["list" if argument == "--list" else argument for argument in arguments]
    words = _words(rest)
    if not words or rest[words[0]] in COMMANDS:
        if words and words[0] > 0 and rest[words[0]] == "list":
            rest.insert(0, rest.pop(words[0]))
        return rest
    if len(words) > 1 and rest[words[1]] == "plot":
        del rest[words[1]]
        return ["plot", *rest]
    return ["compare", *rest]


def _words(arguments: Sequence[str]) -> list[int]:
    """Where the arguments are that are neither options nor the value of one."""
    words: list[int] = []
    is_value = False
    for index, argument in enumerate(arguments):
        if argument == "--":
            return words
        if not is_value and not argument.startswith("-"):
            words.append(index)
        is_value = not is_value and argument in VALUED
    return words


VALUED = frozenset({"--store", "--metric", "--mode", "--reason", "--by"})


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"tracking: {' '.join(message.split())}\n")
    return code
