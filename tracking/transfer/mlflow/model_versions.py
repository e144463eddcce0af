"""Registered models in MLflow's registry: each version of an exported run, with its files and its aliases."""

import re
from collections.abc import Mapping
from typing import Any

from tracking.errors import CorruptFileError, TrackingError, UnknownModelError
from tracking.files import folders, regular
from tracking.registry.model_records import ModelVersion
from tracking.registry.models import ModelRegistry
from tracking.store.store import Store
from tracking.transfer.mlflow.connection import Connection, UnavailableError
from tracking.transfer.mlflow.exported import Exported
from tracking.transfer.mlflow.translation import FILES, OWN, fit_files
from tracking.values import jsontext

NUMBER = f"{OWN}version"
ALIASES = f"{OWN}aliases"  # of a model: those that an export set
_ALIAS = re.compile(r"(?![vV]\d+$)(?!latest$)[\w\-]+")  # as MLflow takes them


def export_versions(store: Store, there: Connection | None, outcome: Exported, *, dry_run: bool) -> None:
    """Register the versions that came from exported runs, unless they are there, and set the aliases of their models.

    MLflow numbers versions without gaps, so a version may have another number there; `outcome` says which.
    """
    registry = ModelRegistry(store.paths.named)
    for name in registry.models():
        try:
            known = registry.versions(name)
            # the run of an imported version is one of another store
            versions = [each for each in known if each.origin is None and each.run_id in outcome.ids]
            aliases = registry.aliases(name)
        except (CorruptFileError, UnknownModelError) as error:
            outcome.left_out[f"model {name}"] = str(error)
            continue
        if not versions:
            continue
        if dry_run or there is None:
            outcome.versions |= {f"{name} {each.version}": "" for each in versions}
            continue
        try:
            numbers = _register(there, name, versions, outcome)
            _set_aliases(there, name, aliases, numbers, outcome)
        except UnavailableError:
            raise
        except TrackingError as error:
            outcome.left_out[f"model {name}"] = str(error)


def _register(
    there: Connection, name: str, versions: list[ModelVersion], outcome: Exported
) -> dict[int, str]:
    """Return the number in MLflow of each version, also of those that were there."""
    with there.registry() as client:
        query = "name='{}'".format(name.replace("'", "''"))
        if not client.search_registered_models(query):
            client.create_registered_model(name)
        known = {
            (each.run_id, (each.tags or {}).get(NUMBER)): str(each.version)
            for each in client.search_model_versions(query)
        }
    numbers = {}
    for version in versions:
        run_id = outcome.ids[version.run_id]
        number = known.get((run_id, str(version.version)))
        if number is None:
            number = _add(there, version, run_id, outcome)
            outcome.versions[f"{name} {version.version}"] = f"{name} {number}"
        numbers[version.version] = number
    return numbers


def _add(there: Connection, version: ModelVersion, run_id: str, outcome: Exported) -> str:
    folder = f"{FILES}/models/{version.name}/v{version.version}"
    paths = [path for path in sorted(folders.walk(version.path)) if regular.is_file(path)]
    names = {path: f"{folder}/{path.relative_to(version.path).as_posix()}" for path in paths}
    fitted = fit_files(names.values()) if there.is_server else {name: name for name in names.values()}
    renamed = [f"{name!r} became {sent!r}" for name, sent in fitted.items() if sent != name]
    if renamed:
        outcome.note(f"model {version.name}", "a server refuses names of files", renamed)
    for path, name in names.items():
        there.log_file(run_id, path, fitted[name])
    with there.registry() as client:
        source = f"{client.get_run(run_id).info.artifact_uri}/{folder}"
        tags = {NUMBER: str(version.version), **({f"{OWN}loader": version.loader} if version.loader else {})}
        made = client.create_model_version(
            version.name,
            source,
            run_id,
            tags=tags,
            description=_description(version.objective),
            await_creation_for=None,
        )
    return str(made.version)


def _description(objective: Mapping[str, Any]) -> str:
    return f"{objective.get('metric')} = {objective.get('value')} ({objective.get('mode')})"


def _set_aliases(
    there: Connection, name: str, aliases: Mapping[str, int], numbers: Mapping[int, str], outcome: Exported
) -> None:
    """Set the aliases of a model, and take away those that an earlier export set and that are no longer here."""
    now = {}
    for alias, version in aliases.items():
        if version not in numbers:
            outcome.note(
                f"model {name}", f"the alias {alias!r} names version {version}, whose run is not exported"
            )
        elif not _ALIAS.fullmatch(alias):
            outcome.note(f"model {name}", f"MLflow refuses the alias {alias!r}, which is left out")
        else:
            now[alias] = numbers[version]
    with there.registry() as client:
        model = client.get_registered_model(name)
        before = _names_in((model.tags or {}).get(ALIASES, "[]"))
        # first, so that an export that is interrupted knows later what it had set
        if told := sorted({*before, *now}):
            client.set_registered_model_tag(name, ALIASES, jsontext.encode(told).decode())
        for alias, number in now.items():
            if str(model.aliases.get(alias)) != number:
                client.set_registered_model_alias(name, alias, number)
        gone = [alias for alias in before if alias not in now]
        for alias in gone:
            if alias in model.aliases:
                client.delete_registered_model_alias(name, alias)
        if gone:
            client.set_registered_model_tag(name, ALIASES, jsontext.encode(sorted(now)).decode())


def _names_in(text: str) -> list[str]:
    try:
        told = jsontext.decode(text.encode())
    except ValueError:  # somebody changed it
        return []
    return [name for name in told if isinstance(name, str)] if isinstance(told, list) else []
