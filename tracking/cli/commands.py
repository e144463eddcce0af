"""The table of commands. A command's module is imported when the command is asked for, so no command pays for another."""

import functools
import importlib
import typing
from collections.abc import Callable
from typing import Any

from typer.models import OptionInfo

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
    "export": "transfer:export",
    "import": "transfer:import_store",
}


def function_of(command: str) -> Callable[..., Any]:
    """The function that does it."""
    module, _, name = COMMANDS[command].partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(f"tracking.cli.{module}"), name)
    return function


@functools.cache
def valued_options() -> frozenset[str]:
    """The options, of all commands, that are followed by a value."""
    return frozenset(flag for command in COMMANDS for flag in _valued(function_of(command)))


def _valued(function: Callable[..., Any]) -> list[str]:
    flags: list[str] = []
    for hint in typing.get_type_hints(function, include_extras=True).values():
        kind, *extras = typing.get_args(hint) or (hint,)
        for option in (extra for extra in extras if isinstance(extra, OptionInfo) and kind is not bool):
            # inside Annotated the first name stands where a default would
            flags += [name for name in (option.default, *(option.param_decls or ())) if isinstance(name, str)]
    return flags
