"""The table of commands, and the parameters that their functions declare."""

import functools
from collections.abc import Iterable
from typing import Any

import typer

from tracking.cli.toolkit.app import load
from tracking.cli.toolkit.fast_typer import PlainCommand

# each command, and the function in a module of tracking.cli
COMMANDS: dict[str, str] = {
    "list": "search:list_experiments",
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
    "alias": "models:alias",
    "unregister": "models:unregister",
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


@functools.cache
def parameters_of(command: str) -> list[Any]:
    """Return the parameters of a command: its arguments and options as Typer parses them."""
    app = typer.Typer(add_completion=False)
    app.command(cls=PlainCommand)(load("tracking.cli", COMMANDS[command]))
    return list(typer.main.get_command(app).params)


def valued_options(commands: Iterable[str] = COMMANDS) -> frozenset[str]:
    """Return the options of these commands that are followed by a value."""
    every = (parameter for command in commands for parameter in parameters_of(command))
    options = (each for each in every if each.param_type_name == "option" and not each.is_flag)
    return frozenset(name for each in options for name in each.opts)
