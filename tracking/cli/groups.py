"""Groups of commands that other packages add: `podium sweeps`, `podium train`.

A group is an entry point of "podium.commands": a function that takes the arguments after the group's name and returns an
exit code. The first line of its docstring is its line in the help. With `--complete` as first argument it writes the
completions of the last one. The tracker imports no such package until its group is called.
"""

import functools
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

from tracking.cli.commands import COMMANDS
from tracking.cli.toolkit.output import one_line
from tracking.errors import TrackingError

ENTRY_POINTS = "podium.commands"
# What the module of another distribution raises when it does not fit what is installed.
IMPORT_FAILURES = (
    AttributeError, ImportError, LookupError, NameError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip


@functools.cache
def groups() -> Mapping[str, Any]:
    """Return the entry point of each group by its name; a command of the tracker hides a group of the same name."""
    found = metadata.entry_points(group=ENTRY_POINTS)
    return {each.name: each for each in found if each.name not in COMMANDS}


def load_group(name: str) -> Callable[[list[str]], int | None]:
    """Return the function of a group; raise TrackingError when it cannot be imported."""
    try:
        function: Callable[[list[str]], int | None] = groups()[name].load()
    except IMPORT_FAILURES as error:
        raise TrackingError(f"cannot be imported: {one_line(str(error) or type(error).__name__)}") from error
    return function


def group_lines() -> dict[str, str]:
    """Return the line of help of each group."""
    lines = {}
    for name in groups():
        try:
            lines[name] = (load_group(name).__doc__ or "").strip().partition("\n")[0]
        except TrackingError as error:  # the help of the others is shown all the same
            lines[name] = f"({error})"
    return lines
