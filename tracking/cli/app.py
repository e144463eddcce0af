"""The entry: the command table, the short forms, and how errors leave.

    python -m tracking EXPERIMENT                      is  compare EXPERIMENT
    python -m tracking EXPERIMENT plot METRIC RUN...   is  plot EXPERIMENT METRIC RUN...
    python -m tracking --list                          is  list

An experiment that is named like a command is reached through `compare NAME`.
"""

import difflib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tracking.cli import models, output, runs
from tracking.cli.options import DEFAULT_STORE, STORE_VARIABLE
from tracking.errors import TrackingError
from tracking.store import Store
from tracking.version import __version__

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


HELP = """Look at recorded runs and registered models.

Example: python -m tracking compare ctr_model

Short forms:

\b
EXPERIMENT                     is  compare EXPERIMENT
EXPERIMENT plot METRIC RUN...  is  plot EXPERIMENT METRIC RUN...
--list                         is  list
"""


def _say_version(wanted: bool) -> None:
    if wanted:
        output.say(f"podium {__version__}")
        raise typer.Exit


def build() -> typer.Typer:
    """The Typer application."""
    app = typer.Typer(
        name="tracking",
        help=HELP,
        context_settings={"help_option_names": ["-h", "--help"]},
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for name, function in COMMANDS.items():
        app.command(name)(function)
    app.callback()(_options)
    return app


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version.")
    ] = False,
) -> None:
    pass


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
        return _fail(_unknown_word(arguments) or str(error), 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except Exception as error:
        # Typer's own errors of use carry the exit code and a message; anything else is a fault of ours
        if not hasattr(error, "format_message"):
            raise
        message = _unknown_word(arguments) or error.format_message() or "a command is missing"
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


def _unknown_word(arguments: Sequence[str]) -> str | None:
    """What to say of a failed call whose first word is neither a command nor an experiment."""
    words = _words(arguments)
    if not words or "--list" in arguments or arguments[words[0]] in COMMANDS:
        return None
    word, store = arguments[words[0]], _store(arguments)
    if store != DEFAULT_STORE and not Path(store).is_dir():
        return None
    try:
        runs = Store(store).entries(None, lambda _: None)
        experiments = list(dict.fromkeys(entry["experiment_name"] for entry in runs))
    except TrackingError:
        return None
    if word in experiments:
        return None
    close = difflib.get_close_matches(word, [*COMMANDS, *experiments])
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"commands: {', '.join(COMMANDS)}"
    known = ", ".join(experiments[:10]) or "none"
    return f"{word!r} is neither a command nor an experiment in {store!r}; {hint} experiments: {known}"


def _store(arguments: Sequence[str]) -> str:
    for index, argument in enumerate(arguments):
        if argument == "--store" and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith("--store="):
            return argument.removeprefix("--store=")
    return os.environ.get(STORE_VARIABLE) or DEFAULT_STORE


VALUED = frozenset({"--store", "--metric", "--mode", "--reason", "--by"})


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"tracking: {' '.join(message.split())}\n")
    return code
