"""Completion: commands, options, and the names in the store.

The script of the shell calls `python -m tracking --complete WORD...`; the last word is the one to complete.
"""

from collections.abc import Iterable, Sequence

from tracking.cli.commands import COMMANDS, parameters_of, valued_options
from tracking.cli.short_forms import store_of
from tracking.cli.toolkit import output
from tracking.cli.toolkit.options import JsonOption
from tracking.errors import TrackingError
from tracking.search.catalog import Catalog
from tracking.search.query import parse_field
from tracking.search.query.fields import RUN_FIELDS
from tracking.store.store import Store

SCRIPT = """_podium_tracking() {
    local IFS=$'\\n'
    if [[ ${COMP_WORDS[1]} == -m && ${COMP_WORDS[2]} == tracking && $COMP_CWORD -gt 2 ]]; then
        COMPREPLY=($("${COMP_WORDS[0]}" -m tracking --complete "${COMP_WORDS[@]:3:COMP_CWORD-2}" 2>/dev/null))
    fi
}
complete -o bashdefault -o default -F _podium_tracking python python3
"""


def completion(as_json: JsonOption = False) -> None:
    """Write the script that completes commands in bash.

    It completes commands, options, experiments, runs, models, metrics and fields. Other calls of python and python3
    are completed as before.

    Example: python -m tracking completion >> ~/.bashrc
    """
    output.say_json({"bash": SCRIPT}) if as_json else output.say(SCRIPT.rstrip())


def complete(words: Sequence[str]) -> list[str]:
    """Return the completions of the last word."""
    *before, incomplete = words or [""]
    try:
        known = set(_candidates(before, incomplete, Store(store_of(before))))
    except (TrackingError, OSError):
        return []  # a store that cannot be read completes nothing
    # Control characters would reach the terminal.
    return sorted(each for each in known if each.startswith(incomplete) and each.isprintable())


def _candidates(before: Sequence[str], incomplete: str, store: Store) -> Iterable[str]:
    # Without a command it is the short form of compare.
    command = next((word for word in before if word in COMMANDS), "compare")
    valued = valued_options([command])
    if before and before[-1] in valued:
        return _values_of(before[-1], incomplete, store)
    values = {index + 1 for index, word in enumerate(before) if word in valued}
    words = [word for index, word in enumerate(before) if index not in values and not word.startswith("-")]
    if incomplete.startswith("-"):
        names = [name for each in parameters_of(command) for name in each.opts]
        general = ["--help"] if words else ["--help", "--version", "--list"]
        return [*general, *(name for name in names if name.startswith("--"))]
    if not words:
        return [*COMMANDS, *_experiments(store)]
    place = len(words) - (command in words)
    arguments = [each for each in parameters_of(command) if each.param_type_name == "argument"]
    if place >= len(arguments) and arguments and arguments[-1].nargs == -1:
        place = -1  # the last argument may be repeated
    return _values_of(arguments[place].name, incomplete, store) if place < len(arguments) else []


def _values_of(what: str | None, incomplete: str, store: Store) -> Iterable[str]:
    """Return the values of an option or argument."""
    match what:
        case "--mode":
            return ["max", "min"]
        case "--at":
            return ["best", "last"]
        case "experiment" | "--experiment":
            return _experiments(store)
        case "run_id" | "run_ids" | "words" | "first" | "second" | "--run":
            return store.scan.run_ids()
        case "metric" | "--metric":
            return Catalog(store).names().metrics
        case "name":
            from tracking.registry import ModelRegistry

            return ModelRegistry(store.paths.named).models()
        case "--columns" | "--sort":
            sign = "-" if what == "--sort" and incomplete.startswith("-") else ""
            head = f"{incomplete.rpartition(',')[0]}," if what == "--columns" and "," in incomplete else sign
            return (f"{head}{field}" for field in _fields(store))
    return []


def _experiments(store: Store) -> Iterable[str]:
    # The shell shows candidates, no warnings.
    return {row.experiment_name for row in Catalog(store).rows(on_error=lambda _: None)}


def _fields(store: Store) -> Iterable[str]:
    names = Catalog(store).names()
    bare = (*names.params, *names.metrics, *names.tags)
    return [*RUN_FIELDS, *(name for name in bare if _reads_as_field(name))]


def _reads_as_field(name: str) -> bool:
    try:
        return str(parse_field(name)) == name
    except TrackingError:
        return False
