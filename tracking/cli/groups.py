"""Groups of commands that other packages add: `podium sweeps`, `podium train`.

A group is an entry point of "podium.commands": a function that takes the arguments after the group's name and returns an
exit code. The first line of its docstring is its line in the help. With `--complete` as first argument it writes the
completions of the last one. The tracker imports no such package until its group is called.
"""

import functools
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from tracking.cli.commands import COMMANDS

ENTRY_POINTS = "podium.commands"


@functools.cache
def groups() -> Mapping[str, Any]:
    """Return the entry point of each group by its name; a command of the tracker hides a group of the same name."""
    found = metadata.entry_points(group=ENTRY_POINTS)
    return {each.name: each for each in found if each.name not in COMMANDS}


def call_group(name: str, arguments: Sequence[str]) -> int:
    """Call a group with the arguments after its name; return its exit code."""
    return int(groups()[name].load()(list(arguments)) or 0)


def group_lines() -> dict[str, str]:
    """Return the line of help of each group."""
    lines = {}
    for name, entry in groups().items():
        try:
            lines[name] = (entry.load().__doc__ or "").strip().partition("\n")[0]
        except (ImportError, AttributeError) as error:  # the help of the others is shown all the same
            lines[name] = f"(cannot be imported: {error})"
    return lines
