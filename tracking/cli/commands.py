"""The table of commands, and the parameters that their functions declare."""

import functools
from typing import Any

from tracking.cli.toolkit.app import load
from tracking.cli.toolkit.fast_typer import parameters, valued_options

# each command, and the function in a module of tracking.cli; by the sections of the help
SECTIONS: dict[str, dict[str, str]] = {
    "Runs": {
        "list": "search:list_experiments",
        "search": "search:search",
        "compare": "runs:compare",
        "plot": "plots:plot",
        "show": "show:show",
        "best": "runs:best",
        "diff": "diff:diff",
        "tail": "tail:tail",
        "watch": "watch:watch",
        "rerun": "rerun:rerun",
    },
    "Models": {
        "models": "models:models",
        "champion": "models:champion",
        "verdict": "registry.verdict:verdict",
        "lineage": "registry.origins:lineage",
        "history": "models:history",
        "judge": "registry.judge:judge",
        "promote": "registry.changes:promote",
        "rollback": "registry.changes:rollback",
        "alias": "registry.changes:alias",
        "archive": "registry.changes:archive",
        "unarchive": "registry.changes:unarchive",
        "remove": "registry.changes:remove",
        "verify": "registry.origins:verify",
    },
    "Edit runs": {
        "tag": "edits:tag",
        "note": "edits:note",
        "rename": "edits:rename",
        "finish": "edits:finish",
        "stop": "edits:stop",
    },
    "Delete and repair": {
        "delete": "upkeep:delete",
        "restore": "upkeep:restore",
        "trash": "upkeep:show_trash",
        "gc": "upkeep:gc",
        "doctor": "upkeep:doctor",
        "reindex": "upkeep:reindex",
    },
    "Other": {
        "export": "transfer.exports:export",
        "import": "transfer.imports:import_store",
        "completion": "completion.shells:completion",
    },
}
COMMANDS: dict[str, str] = {name: place for section in SECTIONS.values() for name, place in section.items()}


@functools.cache
def parameters_of(command: str) -> list[Any]:
    """Return the parameters of a command: its arguments and options as Typer parses them."""
    return parameters(load("tracking.cli", COMMANDS[command]))


def every_valued_option() -> frozenset[str]:
    """Return the options of any command that are followed by a value."""
    return valued_options(parameter for command in COMMANDS for parameter in parameters_of(command))
