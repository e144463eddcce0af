"""The entry of a command line: which command runs, and how errors end it.

A command's module is imported when the command is called, so no command pays for another.
"""

import importlib
import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from tracking.cli.toolkit import output
from tracking.cli.toolkit.fast_typer import PlainCommand, PlainGroup
from tracking.cli.toolkit.streams import open_streams, silence
from tracking.errors import InvalidValueError, QueryError, TrackingError
from tracking.extras import require
from tracking.process.program import command, spelled
from tracking.version import __version__

ASKED_TO_COMPLETE = "--complete"  # the first argument when a shell asks for completions


@dataclass(frozen=True)
class Program:
    """The command line of the package `name`: `python -m NAME COMMAND ...`, or as `podium` calls it.

    `commands` maps each command to MODULE:FUNCTION below the package NAME.cli; `sections` divides them in the help, and
    `groups` returns the help of further groups of commands. `errors` are those of the package that end a command with
    exit code 1. `expand` puts the command first in the arguments, and never returns none. `explain` says of a failed call
    what is wrong with its first word. `complete`, which is placed like a command, returns completions of the last word.
    `extra` is the extra of podium that the commands need. Help texts name commands with `python -m`.

    `alone` is the function of a program that is one command, `python -m NAME WORD ...` with the `word`, and has no others.
    """

    name: str
    help: str
    commands: Mapping[str, str]
    sections: Mapping[str, Iterable[str]] = field(default_factory=dict)
    groups: Callable[[], Mapping[str, str]] = dict
    errors: tuple[type[Exception], ...] = ()
    expand: Callable[[Sequence[str]], list[str]] = lambda arguments: list(arguments) or ["--help"]
    explain: Callable[[Sequence[str]], str | None] = lambda _arguments: None
    complete: str | None = None
    extra: str | None = None
    word: str = ""
    alone: Callable[..., Any] | None = None

    @property
    def called(self) -> str:
        """The program as the user calls it, for examples and hints."""
        return command(self.word, self.name)

    @property
    def label(self) -> str:
        """What begins a line on stderr: the program's name, without `python -m`."""
        return self.called.removeprefix("python -m ")

    def build(self, commands: Iterable[str]) -> typer.Typer:
        """Return the Typer application with these commands."""
        app = typer.Typer(
            name=self.name,
            cls=PlainGroup,
            help=spelled(self.help),
            context_settings={"help_option_names": ["-h", "--help"]},
            add_completion=False,  # `--complete` completes names of the store too, and groups
            pretty_exceptions_enable=False,  # a bug shows the traceback of Python
            rich_markup_mode=None,  # rich loads slowly
        )
        if self.alone:
            app.command(cls=PlainCommand, help=spelled(inspect.getdoc(self.alone) or ""))(self.alone)
            return app
        for name in commands:
            function = load(f"{self.name}.cli", self.commands[name])
            app.command(name, cls=PlainCommand, help=spelled(inspect.getdoc(function) or ""))(function)
        app.callback()(_options)
        return app

    def shown(self) -> dict[str, Mapping[str, str]]:
        """Return the sections of the help; a command of `commands` has the line that it says itself."""
        sections = self.sections or {"Commands": self.commands}
        lines: dict[str, Mapping[str, str]] = {
            title: dict.fromkeys(sections[title], "") for title in sections
        }
        groups = self.groups()
        return {**lines, "Groups of commands": groups} if groups else lines


def load(package: str, place: str) -> Callable[..., Any]:
    """Import and return a function, whose place is MODULE:FUNCTION below a package, or .MODULE:FUNCTION beside it."""
    module, _, name = place.partition(":")
    beside = package.rpartition(".")[0] if module.startswith(".") else f"{package}."
    function: Callable[..., Any] = getattr(importlib.import_module(f"{beside}{module}"), name)
    return function


class Notices(logging.Handler):
    """Writes warnings of the log to stderr, each text once; knows whether one says that something was left out."""

    def __init__(self, program: str) -> None:
        super().__init__(logging.WARNING)
        self.has_left_out = False
        self._program = program
        self._seen: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        message = record.getMessage()
        text = message.removeprefix(output.LEFT_OUT)
        self.has_left_out |= message.startswith(output.LEFT_OUT)
        if text not in self._seen:
            self._seen.add(text)
            _complain(self._program, output.one_line(message))


def main(program: Program, arguments: Sequence[str]) -> int:
    """Run one command; return its exit code: 1 for an error, 2 for a wrong call; either is one line on stderr."""
    open_streams()
    notices = Notices(program.label)
    # Commands of other packages read stores too, and the store logs under the name of tracking.
    loggers = [logging.getLogger(name) for name in {"tracking", program.name}]
    for logger in loggers:
        logger.addHandler(notices)
    try:
        code = _run(program, arguments)
    finally:
        for logger in loggers:  # a process may call this again
            logger.removeHandler(notices)
    return code or int(notices.has_left_out)


def _run(program: Program, arguments: Sequence[str]) -> int:
    refusals: tuple[type[Exception], ...] = (TrackingError, OSError, *program.errors)
    try:
        if program.extra:
            require(program.extra)
        if program.complete and arguments and arguments[0] == ASKED_TO_COMPLETE:
            for word in load(f"{program.name}.cli", program.complete)(arguments[1:]):
                output.say(word)
            return 0
        words = list(arguments) if program.alone else program.expand(arguments)
        app = program.build(words[:1] if words and words[0] in program.commands else program.commands)
        # In standalone mode Typer would print errors and exit.
        outcome = app(args=words, prog_name=program.called, standalone_mode=False, obj=program)
        sys.stdout.flush()  # a reader that has left is noticed here, not at exit
        return int(outcome or 0)
    except typer.Exit as stop:
        return stop.exit_code
    except (BrokenPipeError, SystemExit):
        # The reader has left; Typer turns the error into an exit where it meets it first. Without this the
        # interpreter would complain when it flushes stdout.
        silence(sys.stdout)
        return 0
    except QueryError as error:
        _complain(program.label, str(error))  # on several lines, one of them marks the place
        return 1
    except InvalidValueError as error:
        # A command that refuses single runs catches this itself: here a value of the call is wrong.
        return _fail(program, str(error), 2)
    except refusals as error:
        unknown = program.explain(arguments)
        return _fail(program, unknown or str(error), 2 if unknown else 1)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(program, "interrupted", 130)
    except Exception as error:
        # Typer's errors of use carry a message and an exit code; any other error is a bug.
        if not hasattr(error, "format_message"):
            raise
        unknown, command = program.explain(arguments), program.expand(arguments)[0]
        is_known = command in program.commands and not unknown
        usage = f"{command} --help shows how it is called" if is_known else "--help shows the commands"
        usage = "--help shows how it is called" if program.alone else usage
        # "Value error, " is how the validation library that Typer may use begins its messages
        message = (unknown or error.format_message() or "a command is missing").replace("Value error, ", "")
        return _fail(program, f"{message} ({program.called} {usage})", getattr(error, "exit_code", 2))


def _fail(program: Program, message: str, code: int) -> int:
    _complain(program.label, " ".join(message.split()))
    return code


def _complain(program: str, message: str) -> None:
    sys.stderr.write(f"{program}: {output.safe(message)}\n")


def _say_version(wanted: bool) -> None:
    if wanted:
        output.say(f"podium {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version.")
    ] = False,
) -> None:
    pass
