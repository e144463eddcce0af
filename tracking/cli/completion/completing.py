"""Completion: commands, options, and the names in the store.

The script of the shell calls the program with `--complete WORD...`; the last word is the one to complete.
"""

from collections.abc import Iterable, Sequence

from tracking.cli.commands import COMMANDS, parameters_of
from tracking.cli.completion.shells import SCRIPTS
from tracking.cli.groups import groups
from tracking.cli.toolkit.completing import candidates_of, completions
from tracking.cli.toolkit.options import store_of
from tracking.errors import TrackingError
from tracking.search.catalog import Catalog
from tracking.search.query import parse_field
from tracking.search.query.fields import RUN_FIELDS
from tracking.store.store import Store


def complete(words: Sequence[str]) -> list[str]:
    """Return the completions of the last word."""
    *before, incomplete = words or [""]
    # Without a command it is the short form of compare.
    command = next((word for word in before if word in COMMANDS), "compare")
    try:
        store = Store(store_of(before))
        candidates = candidates_of(
            before,
            incomplete,
            command,
            parameters_of(command),
            lambda what, typed: _values_of(what, typed, store, command),
            first=lambda: [*COMMANDS, *groups(), *_experiments(store)],
            options=["--version", "--list"],
        )
        return completions(incomplete, candidates)
    except (TrackingError, OSError):
        return []  # a store that cannot be read completes nothing


def _values_of(what: str | None, incomplete: str, store: Store, command: str) -> Iterable[str]:
    """Return the values of an option or argument."""
    if what in ("--from", "--format") or (what, command) == ("--to", "export"):
        return _formats(what)
    match what:
        case "--mode":
            return ["max", "min"]
        case "--at":
            return ["best", "last"]
        case "shell":
            return list(SCRIPTS)
        case "experiment" | "other" if "@" in incomplete:
            return _models(incomplete, store)
        case "experiment" | "--experiment":
            return _experiments(store)
        case "run_id" | "run_ids" | "words" | "first" | "second" | "--run":
            return store.scan.run_ids()
        case "metric" | "--metric":
            return Catalog(store).names().metrics
        case "name" | "what" | "--to":
            return _models(incomplete, store)
        case "--columns" | "--sort":
            sign = "-" if what == "--sort" and incomplete.startswith("-") else ""
            head = f"{incomplete.rpartition(',')[0]}," if what == "--columns" and "," in incomplete else sign
            return (f"{head}{field}" for field in _fields(store))
    return []


def _formats(option: str | None) -> Iterable[str]:
    from tracking.transfer.formats import SourceFormat
    from tracking.transfer.tables import TableFormat

    match option:
        case "--from":
            return list(SourceFormat)
        case "--format":
            return [*TableFormat, "mlflow", "tensorboard"]
    return ["tensorboard"]  # others are addresses


def _models(incomplete: str, store: Store) -> Iterable[str]:
    """Return the models, or behind the sign the numbers and aliases of one."""
    from tracking.registry import ModelRegistry

    registry = ModelRegistry(store.paths.named)
    name, sign, _ = incomplete.rpartition("@")
    if not sign:
        return registry.models()
    numbers = [str(each.version) for each in registry.versions(name, on_error=lambda _: None)]
    return [f"{name}@{which}" for which in (*registry.aliases(name), *numbers)]


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
