"""The table of commands, and the parameters that their functions declare."""

import functools
import typing
from collections.abc import Iterable
from typing import Any, NamedTuple

from typer.models import ArgumentInfo, OptionInfo

from tracking.cli.toolkit.app import load

# each command, and the function in a module of tracking.cli
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


class Parameter(NamedTuple):
    """A parameter of a command: its name and type in Python, and its declaration for Typer."""

    name: str
    kind: Any
    info: ArgumentInfo | OptionInfo

    @property
    def is_option(self) -> bool:
        """Whether it is an option, which is written with its name."""
        return isinstance(self.info, OptionInfo)

    @property
    def is_repeated(self) -> bool:
        """Whether it takes a list."""
        return "list[" in str(self.kind)

    @property
    def flags(self) -> list[str]:
        """The names of an option, such as --lines and -n."""
        # Inside Annotated the first name is in the place of a default.
        names = (self.info.default, *(self.info.param_decls or ())) if self.is_option else ()
        return [name for name in names if isinstance(name, str)] or [f"--{self.name.replace('_', '-')}"]


@functools.cache
def parameters_of(command: str) -> list[Parameter]:
    """Return the parameters of a command, in the order of its function."""
    found = []
    for name, hint in typing.get_type_hints(
        load("tracking.cli", COMMANDS[command]), include_extras=True
    ).items():
        kind, *extras = typing.get_args(hint) or (hint,)
        infos = [extra for extra in extras if isinstance(extra, ArgumentInfo | OptionInfo)]
        found += [Parameter(name, kind, info) for info in infos[:1]]
    return found


def valued_options(commands: Iterable[str] = COMMANDS) -> frozenset[str]:
    """Return the options of these commands that are followed by a value."""
    every = (parameter for command in commands for parameter in parameters_of(command))
    return frozenset(
        flag for each in every if each.is_option and each.kind is not bool for flag in each.flags
    )
