"""The short forms of commands, and what is said when a first word is neither a command nor an experiment."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from tracking.cli.commands import COMMANDS, valued_options
from tracking.cli.toolkit.options import DEFAULT_STORE, STORE_VARIABLE
from tracking.errors import TrackingError
from tracking.search.catalog import Catalog
from tracking.store.store import Store


def expand(arguments: Sequence[str]) -> list[str]:
    """The arguments with the short forms written out and the command first; none at all ask for help."""
    if not arguments:
        return ["--help"]
    end = (
        arguments.index("--") if "--" in arguments else len(arguments)
    )  # behind it stand words, whatever they are
    rest = [
        "list" if argument == "--list" and place < end else argument
        for place, argument in enumerate(arguments)
    ]
    words = [0] if rest[0] in COMMANDS else _words(rest)
    if not words:
        return rest
    if rest[words[0]] in COMMANDS:
        return [rest.pop(words[0]), *rest]
    if len(words) > 1 and rest[words[1]] == "plot":
        del rest[words[1]]
        return ["plot", *rest]
    return ["compare", *rest]


def unknown_word(arguments: Sequence[str]) -> str | None:
    """What to say of a failed call whose first word is neither a command nor an experiment."""
    words = [0] if arguments[0] in COMMANDS else _words(arguments)
    if not words or "--list" in arguments or arguments[words[0]] in COMMANDS:
        return None
    word, store = arguments[words[0]], store_of(arguments)
    if store != DEFAULT_STORE and not Path(store).is_dir():
        return None
    try:
        runs = Catalog(Store(store)).entries(on_error=lambda _: None)
        experiments = list(dict.fromkeys(entry["experiment_name"] for entry in runs))
    except TrackingError:
        return None
    if word in experiments:
        return None
    close = difflib.get_close_matches(word, [*COMMANDS, *experiments])
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"commands: {', '.join(COMMANDS)}"
    known = ", ".join(experiments[:10]) or "none"
    return f"{word!r} is neither a command nor an experiment in {store!r}; {hint} experiments: {known}"


def _words(arguments: Sequence[str]) -> list[int]:
    """Where the arguments are that are neither options nor the value of one."""
    words: list[int] = []
    is_value = False
    for index, argument in enumerate(arguments):
        if argument == "--":
            return words
        is_option = argument.startswith("-")
        if not is_value and not is_option:
            words.append(index)
        is_value = not is_value and is_option and argument in valued_options()
    return words


def store_of(arguments: Sequence[str]) -> str:
    """The store that the arguments, or else the environment, name."""
    for index, argument in enumerate(arguments):
        if argument == "--store" and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith("--store="):
            return argument.removeprefix("--store=")
    return os.environ.get(STORE_VARIABLE) or DEFAULT_STORE
