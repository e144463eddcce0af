"""Commands about registered models: models, champion, promote, rollback, history."""

from typing import Annotated, Any

import typer

from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import CorruptFileError, UnknownModelError
from tracking.registry import EventKind, ModelEvent, ModelRegistry, ModelVersion
from tracking.store.scan import warn_left_out

Name = Annotated[str, typer.Argument(help="The model's name.")]
Reason = Annotated[str, typer.Option("--reason", help="The reason, kept in the history.")]


def models(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List all registered models, with their versions and champions.

    Example: python -m tracking models
    """
    registry = ModelRegistry(store)
    rows = []
    for name in registry.models():
        versions = registry.versions(name)
        try:
            champion = registry.champion(name)
        except CorruptFileError as error:
            champion = None  # the version is damaged; the others are listed
            warn_left_out(error)
        rows.append([name, len(versions), champion.version if champion else None, *_objective(champion)])
    columns = ["model", "versions", "champion", "metric", "value", "run"]
    if as_json:
        output.say_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif rows:
        tables.say_rows(columns, rows)
    else:
        output.say(f"No models in {store!r} yet.")


def champion(name: Name, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show the champion of a model.

    When it was promoted, by whom and why; its folder, objective, metrics and files.

    Example: python -m tracking champion ctr_model
    """
    registry = ModelRegistry(store)
    version = registry.champion(name)
    if version is None:
        raise UnknownModelError(
            f"model {name!r} has no champion; python -m tracking promote {name} VERSION makes one"
        )
    # the last event that made a champion: a promotion or a rollback
    chosen = next(
        event for event in reversed(registry.history(name)) if event.kind is not EventKind.REGISTERED
    )
    if as_json:
        output.say_json({**vars(version), "since": chosen.at, "by": chosen.by, "reason": chosen.reason})
    else:
        _say_version(version, chosen)


def promote(
    name: Name,
    version: Annotated[int, typer.Argument(help="The number of the version.")],
    reason: Reason = "promoted by hand",
    by: Annotated[str | None, typer.Option("--by", help="The person; by default your login.")] = None,
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
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Make the previous champion the champion again.

    Example: python -m tracking rollback ctr_model --reason "worse on mobile"
    """
    before = ModelRegistry(store).rollback(name, reason=reason)
    output.say_json(before) if as_json else output.say(
        f"The champion of {name} is version {before.version} again."
    )


def history(name: Name, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show the events of a model, oldest first: when, what, by whom, why.

    Example: python -m tracking history ctr_model
    """
    events = ModelRegistry(store).history(name)
    if as_json:
        output.say_json(events)
        return
    rows = [
        [event.at, event.kind.value.replace("_", " "), event.version, event.by, event.reason]
        for event in events
    ]
    tables.say_rows(["when", "what", "version", "by", "why"], rows, wraps=True)


def _objective(version: ModelVersion | None) -> list[Any]:
    if version is None:
        return [None] * 3
    return [version.objective["metric"], version.objective.get("value"), version.run_id]


def _say_version(version: ModelVersion, chosen: ModelEvent) -> None:
    output.title(f"CHAMPION: {version.name}, version {version.version}")
    how = "rolled back to" if chosen.kind is EventKind.ROLLED_BACK else "promoted"
    metric, value, _ = _objective(version)
    output.say_facts(
        {
            "Since": f"{output.show(chosen.at)}, {how}{f' by {chosen.by}' if chosen.by else ''}",
            "Why": chosen.reason or "-",
            "Run ID": version.run_id,
            "Folder": version.path,
            "Registered": version.created_at,
            "Objective": f"{metric} {output.show(value)} ({version.objective['mode']})",
            "Loader": version.loader or "-",
        }
    )
    output.say_facts(version.metrics, "Metrics")
    output.say("\nFiles:")
    for file, digest in version.files.items():
        output.say(f"  {file}  sha256:{digest[:12]}")
