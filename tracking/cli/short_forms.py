"""The short forms of commands, and the error for a first word that is neither a command nor an experiment."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from tracking.cli.commands import COMMANDS, every_valued_option
from tracking.cli.toolkit.options import DEFAULT_STORE, store_of
from tracking.errors import TrackingError
from tracking.search.catalog import Catalog
from tracking.store.store import Store
from tracking.values.names import composed


def expand(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without short forms and with the command first; no arguments ask for help."""
    if not arguments:
        return ["--help"]
    end = arguments.index("--") if "--" in arguments else len(arguments)  # no options follow it
    rest = [
        "list" if argument == "--list" and place < end else argument
        for place, argument in enumerate(arguments)
    ]
    words = _words(rest)
    if not words:
        return rest
    if rest[words[0]] in COMMANDS:
        return [rest.pop(words[0]), *rest]
    if len(words) > 1 and rest[words[1]] == "plot":
        del rest[words[1]]
        return ["plot", *rest]
    return ["compare", *rest]


def unknown_word(arguments: Sequence[str]) -> str | None:
    """Return what is wrong with the first word of a failed call, None if it is a command or an experiment."""
    words = _words(arguments)
    if not words or "--list" in arguments or arguments[words[0]] in COMMANDS:
        return None
    word, store = arguments[words[0]], store_of(arguments)
    if store != DEFAULT_STORE and not Path(store).is_dir():  # the command itself reports the missing store
        return None
    try:
        runs = Catalog(Store(store)).entries(on_error=lambda _: None)
        experiments = list(dict.fromkeys(entry["experiment_name"] for entry in runs))
    except TrackingError:
        return None
    if composed(word) in experiments:
        return None
    from tracking.cli.groups import groups  # other calls do not look for groups

    commands = [*COMMANDS, *groups()]
    close = difflib.get_close_matches(word, [*commands, *experiments])
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"commands: {', '.join(commands)};"
    known = ", ".join(experiments[:10]) or "none"  # enough to recognise a name
    return f"{word!r} is neither a command nor an experiment in {store!r}; {hint} experiments: {known}"


def _words(arguments: Sequence[str]) -> list[int]:
    """Return the positions of the arguments that are neither options nor values; of a command, only its own."""
    if arguments[0] in COMMANDS:
        return [0]  # without loading every command for its options
    words: list[int] = []
    is_value = False
    for index, argument in enumerate(arguments):
        if argument == "--":
            return words
        is_option = argument.startswith("-")
        if not is_value and not is_option:
            words.append(index)
        is_value = not is_value and is_option and argument in every_valued_option()
    return words
