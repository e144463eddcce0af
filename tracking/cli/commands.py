"""The table of commands. A command's module is imported when the command is asked for, so no command pays for another."""

import functools
import importlib
import typing
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from typer.models import ArgumentInfo, OptionInfo

ASKED_TO_COMPLETE = "--complete"  # the first argument when a shell asks what may come next

# the name, and the function in a module of tracking.cli
COMMANDS: dict[str, str] = {
    "list": "listing:list_experiments",
    "search": "search:search",
    "compare": "runs:compare",
    "plot": "plots:plot",
    "show": "show:show",
    "best": "runs:best",
    "diff": "diff:diff",
    "tail": "tail:tail",
    "watch": "watch:watch",
    "models": "models:models",
    "champion": "models:champion",
    "promote": "models:promote",
    "rollback": "models:rollback",
    "history": "models:history",
    "tag": "edits:tag",
    "note": "edits:note",
    "rename": "edits:rename",
    "finish": "edits:finish",
    "stop": "edits:stop",
    "delete": "upkeep:delete",
    "restore": "upkeep:restore",
    "trash": "upkeep:show_trash",
    "gc": "upkeep:gc",
    "doctor": "upkeep:doctor",
    "reindex": "upkeep:reindex",
    "export": "transfer:export",
    "import": "transfer:import_store",
    "completion": "completing:completion",
}


def function_of(command: str) -> Callable[..., Any]:
    """The function that does it."""
    module, _, name = COMMANDS[command].partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(f"tracking.cli.{module}"), name)
    return function


class Parameter(NamedTuple):
    """A parameter of a command: the name and type it has in Python, and what Typer knows of it."""

    name: str
    kind: Any
    info: ArgumentInfo | OptionInfo

    @property
    def is_option(self) -> bool:
        """Whether it is written with its name."""
        return isinstance(self.info, OptionInfo)

    @property
    def is_repeated(self) -> bool:
        """Whether it takes a list."""
        return "list[" in str(self.kind)

    @property
    def flags(self) -> list[str]:
        """How an option is written, such as --lines and -n."""
        # inside Annotated the first name stands where a default would
        names = (self.info.default, *(self.info.param_decls or ())) if self.is_option else ()
        return [name for name in names if isinstance(name, str)] or [f"--{self.name.replace('_', '-')}"]


@functools.cache
def parameters_of(command: str) -> list[Parameter]:
    """The parameters of a command, in the order of its arguments."""
    found = []
    for name, hint in typing.get_type_hints(function_of(command), include_extras=True).items():
        kind, *extras = typing.get_args(hint) or (hint,)
        infos = [extra for extra in extras if isinstance(extra, ArgumentInfo | OptionInfo)]
        found += [Parameter(name, kind, info) for info in infos[:1]]
    return found


def valued_options(commands: Iterable[str] = COMMANDS) -> frozenset[str]:
    """The options of these commands that are followed by a value."""
    every = (parameter for command in commands for parameter in parameters_of(command))
    return frozenset(
        flag for each in every if each.is_option and each.kind is not bool for flag in each.flags
    )
