"""Commands that list registered models: models, champion, history."""

from typing import Annotated, Any

import typer

from tracking.cli.registry.arguments import Name
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import CorruptFileError, UnknownModelError
from tracking.process.program import command
from tracking.registry import EventKind, ModelEvent, ModelRegistry, ModelVersion
from tracking.registry.events import CHAMPION
from tracking.rerun import results_of
from tracking.store.scan import warn_left_out
from tracking.store.store import Store


def models(
    name: Annotated[str | None, typer.Argument(help="Only this model, with each of its versions.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Also versions that are archived.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List all registered models with their champions, or the versions of one.

    Archived versions are left out without --archived.

    Example: python -m tracking models
    """
    registry = ModelRegistry(store)
    if name is None:
        columns = ["model", "versions", "champion", "metric", "value", "run", "at", "aliases"]
        rows = [_summary(registry, each) for each in registry.models()]
    else:
        columns = ["version", "metric", "value", "run", "created_at", "at", "aliases"]
        aliases = _aliases(registry, name)
        hidden = registry.archived(name)
        versions = registry.versions(name, with_archived=archived)
        rows = [_version(each, aliases, is_archived=each.version in hidden) for each in versions]
    if as_json:
        output.say_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif rows:
        cells = [[*row[:-1], ", ".join(row[-1]) or None] for row in rows]
        optional = {index for index in (-2, -1) if not any(row[index] for row in cells)}
        kept = [index for index in range(-len(columns), 0) if index not in optional]
        tables.say_rows([columns[index] for index in kept], [[row[index] for index in kept] for row in cells])
    elif name is None:
        output.say(f"No models in {store!r} yet.")
    else:
        more = len(registry.archived(name))
        what = f"; {more} archived, which --archived shows" if more and not archived else ""
        output.say(f"No version of {name} can be read{what}.")


def champion(name: Name, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show the champion of a model.

    When it was promoted, by whom and why; its folder, objective, metrics and files.

    Example: python -m tracking champion ctr_model
    """
    registry = ModelRegistry(store)
    version = registry.champion(name)
    if version is None:
        raise UnknownModelError(
            f"model {name!r} has no champion; {command(f'promote {name} VERSION')} makes one"
        )
    made = (EventKind.PROMOTED, EventKind.ROLLED_BACK)
    chosen = next((event for event in reversed(registry.history(name)) if event.kind in made), None)
    if as_json:
        since, by, reason = (chosen.at, chosen.by, chosen.reason) if chosen else (None, "", "")
        output.say_json({**vars(version), "since": since, "by": by, "reason": reason})
    else:
        _say_version(version, chosen)
        _say_reruns(Store(store), version)


def history(name: Name, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show the events of a model, oldest first: when, what, by whom, why.

    Example: python -m tracking history ctr_model
    """
    events = ModelRegistry(store).history(name)
    if as_json:
        output.say_json(events)
        return
    rows = [[event.at, _what(event), event.version, event.by, event.reason] for event in events]
    tables.say_rows(["when", "what", "version", "by", "why"], rows, wraps=True)


def _what(event: ModelEvent) -> str:
    words = event.kind.value.replace("_", " ")
    if event.look is not None:
        return f"{words} ({event.look})"
    return f"{words} {event.alias}" if event.alias else words


def _summary(registry: ModelRegistry, name: str) -> list[Any]:
    """Return a model as a row; what is damaged is named and leaves its cells empty."""
    versions = {each.version: each for each in registry.versions(name)}
    aliases = _aliases(registry, name)
    number = aliases.pop(CHAMPION, None)  # it has a column of its own
    champion = None if number is None else versions.get(number)
    others = [f"{alias}={version}" for alias, version in aliases.items()]
    return [name, len(versions), champion and champion.version, *_objective(champion), _at(champion), others]


def _version(version: ModelVersion, aliases: dict[str, int], *, is_archived: bool) -> list[Any]:
    """Return a version as a row."""
    named = [alias for alias, number in aliases.items() if number == version.version]
    named += ["(archived)"] if is_archived else []
    return [version.version, *_objective(version), version.created_at, _at(version), named]


def _aliases(registry: ModelRegistry, name: str) -> dict[str, int]:
    try:
        return registry.aliases(name)
    except CorruptFileError as error:
        warn_left_out(error)  # the versions are listed all the same
        return {}


def _objective(version: ModelVersion | None) -> list[Any]:
    if version is None:
        return [None] * 3
    return [version.objective.get("metric"), version.objective.get("value"), version.run_id]


def _say_version(version: ModelVersion, chosen: ModelEvent | None) -> None:
    output.title(f"CHAMPION: {version.name}, version {version.version}")
    at = _at(version)
    how = [str(version.objective.get("mode")), *([f"{at} value of the run"] if at else [])]
    if isinstance(runs := version.objective.get("runs"), list):
        how.append(f"the mean over {len(runs)} runs")
    metric, value, _ = _objective(version)
    output.say_facts(
        {
            "Since": _since(chosen) if chosen else "-",
            "Why": (chosen.reason if chosen else "") or "-",
            "Run ID": version.run_id,
            "Folder": version.path,
            "Registered": version.created_at,
            "Objective": f"{metric} {output.show(value)} ({', '.join(how)})",
            "Loader": version.loader or "-",
        }
    )
    output.say_facts(version.metrics, version.metrics_title)
    output.say("\nFiles:")
    for file, digest in version.files.items():
        output.say(f"  {file}  sha256:{digest[:12]}")


def _say_reruns(store: Store, version: ModelVersion) -> None:
    """Write what making its run again has shown; a version from another store has its run there."""
    found = results_of(store.paths.run(version.run_id)) if version.origin is None else []
    if found:
        output.say(f"\nMade again {found[-1].at:%Y-%m-%d}, {found[-1].verdict.value}: {found[-1].sentence}.")


def _at(version: ModelVersion | None) -> str | None:
    """Return which value of its run the objective is, "best" or "last"; None where nobody said."""
    at = version.objective.get("at") if version else None
    return None if at is None else str(at)


def _since(chosen: ModelEvent) -> str:
    how = "rolled back to" if chosen.kind is EventKind.ROLLED_BACK else "promoted"
    return f"{output.show(chosen.at)}, {how}{f' by {chosen.by}' if chosen.by else ''}"
