"""Commands about registered models: models, champion, promote, rollback, alias, unregister, history."""

from typing import Annotated, Any

import typer

from tracking.cli.confirm import YesOption, agreed
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import CorruptFileError, InvalidValueError, UnknownModelError
from tracking.process.program import command
from tracking.registry import EventKind, ModelEvent, ModelRegistry, ModelVersion
from tracking.registry.events import CHAMPION
from tracking.store.scan import warn_left_out
from tracking.values.units import counted

Name = Annotated[str, typer.Argument(help="The model's name.")]
Reason = Annotated[str, typer.Option("--reason", help="The reason, kept in the history.")]
ByOption = Annotated[str | None, typer.Option("--by", help="The person; by default your login.")]


def models(
    name: Annotated[str | None, typer.Argument(help="Only this model, with each of its versions.")] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List all registered models with their champions, or the versions of one.

    Example: python -m tracking models
    """
    registry = ModelRegistry(store)
    if name is None:
        columns = ["model", "versions", "champion", "metric", "value", "run", "at", "aliases"]
        rows = [_summary(registry, each) for each in registry.models()]
    else:
        columns = ["version", "metric", "value", "run", "created_at", "at", "aliases"]
        aliases = _aliases(registry, name)
        rows = [_version(each, aliases) for each in registry.versions(name)]
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
        output.say(f"No version of {name} can be read.")


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


def promote(
    name: Name,
    version: Annotated[int, typer.Argument(help="The number of the version.")],
    reason: Reason = "promoted by hand",
    by: ByOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Make a version the champion by hand, without the gate.

    Example: python -m tracking promote ctr_model 3 --reason "checked on last week's clicks"
    """
    chosen = ModelRegistry(store).promote(name, version, reason=reason, by=by)
    output.say_json(chosen) if as_json else output.say(f"The champion of {name} is version {version}.")


def rollback(
    name: Name,
    reason: Reason = "",
    by: ByOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Make the newest earlier champion whose files are intact the champion again.

    Example: python -m tracking rollback ctr_model --reason "worse on mobile"
    """
    before = ModelRegistry(store).rollback(name, reason=reason, by=by)
    output.say_json(before) if as_json else output.say(
        f"The champion of {name} is version {before.version} again."
    )


def alias(
    name: Name,
    alias: Annotated[str, typer.Argument(help="The alias, such as staging.")],
    *,
    version: Annotated[int | None, typer.Argument(help="The number of the version.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Let the alias name nothing.")] = False,
    reason: Reason = "",
    by: ByOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Let an alias name a version, or nothing.

    ModelRegistry.load takes it in the place of a number. The champion is an alias that promote and rollback move.

    Example: python -m tracking alias ctr_model staging 3
    """
    registry = ModelRegistry(store)
    if remove == (version is not None):
        raise InvalidValueError("give the number of a version, or --remove; one of both")
    if version is None:
        registry.remove_alias(name, alias, reason=reason, by=by)
    else:
        registry.set_alias(name, alias, version, reason=reason, by=by)
    named = f"version {version} of {name}" if version is not None else f"nothing in {name}"
    output.say_json(registry.aliases(name)) if as_json else output.say(f"{alias} names {named}.")


def unregister(
    name: Name,
    *,
    version: Annotated[int | None, typer.Argument(help="Its number; without one, all versions.")] = None,
    reason: Reason = "",
    by: ByOption = None,
    yes: YesOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Remove a version of a model for good, or all of them.

    The runs that only they came from can be deleted then. The history stays, and no number is used again.

    Example: python -m tracking unregister ctr_model 2
    """
    registry = ModelRegistry(store)
    what = f"all versions of {name}" if version is None else f"version {version} of {name}"
    registry.versions(name, on_error=lambda _: None)  # an unknown model is said before the question
    if not agreed(f"Remove {what} for good?", yes=yes):
        output.say("Nothing was removed.")
        return 1
    numbers = registry.remove(name, version, reason=reason, by=by)
    if as_json:
        output.say_json({"removed": numbers})
    else:
        named = ", ".join(map(str, numbers))
        output.say(f"Removed {counted(len(numbers), 'version')} of {name}: {named}")
    return 0


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
    return f"{words} {event.alias}" if event.alias else words


def _summary(registry: ModelRegistry, name: str) -> list[Any]:
    """Return a model as a row; what is damaged is named and leaves its cells empty."""
    versions = {each.version: each for each in registry.versions(name)}
    aliases = _aliases(registry, name)
    number = aliases.pop(CHAMPION, None)  # it has a column of its own
    champion = None if number is None else versions.get(number)
    others = [f"{alias}={version}" for alias, version in aliases.items()]
    return [name, len(versions), champion and champion.version, *_objective(champion), _at(champion), others]


def _version(version: ModelVersion, aliases: dict[str, int]) -> list[Any]:
    """Return a version as a row."""
    named = [alias for alias, number in aliases.items() if number == version.version]
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


def _at(version: ModelVersion | None) -> str | None:
    """Return which value of its run the objective is, "best" or "last"; None where nobody said."""
    at = version.objective.get("at") if version else None
    return None if at is None else str(at)


def _since(chosen: ModelEvent) -> str:
    how = "rolled back to" if chosen.kind is EventKind.ROLLED_BACK else "promoted"
    return f"{output.show(chosen.at)}, {how}{f' by {chosen.by}' if chosen.by else ''}"
