"""Versions of models in the commands export and import, which also carry runs."""

from pathlib import Path

from tracking.cli.toolkit import output
from tracking.cli.toolkit.targets import writing_output
from tracking.errors import InvalidValueError
from tracking.registry import ModelRegistry
from tracking.registry.events import CHAMPION
from tracking.registry.which import SIGN
from tracking.values.names import is_component
from tracking.values.units import parse_size


def is_version(store: str, words: str | None) -> bool:
    """Return whether the words of a command name a version of a model of the store."""
    if words is None or SIGN not in words:
        return False
    name = words.rpartition(SIGN)[0]
    return is_component(name) and name in ModelRegistry(store).models_ever()


def is_exported_version(source: str) -> bool:
    """Return whether there is an exported version at a path."""
    from tracking.registry.exchange.unpacking import is_export  # it loads what unpacks archives

    return is_export(Path(source).expanduser())


def export_version(store: str, words: str, path: str | None, by: str | None, *, as_json: bool) -> int:
    """Write a version to a folder or an archive, by default a folder of its name, and say where it is."""
    registry = ModelRegistry(store)
    version = registry.find(words)
    given = path or f"{version.name}-v{version.version}"
    with writing_output(store, given):
        target = registry.export(words, given, by=by)
    if as_json:
        output.say_json({"name": version.name, "version": version.version, "path": target})
    else:
        output.say(f"Exported version {version.version} of {version.name} to {target}")
    return 0


def import_version(
    store: str, source: str, name: str | None, most: str | None, *, dry_run: bool, as_json: bool
) -> int:
    """Take an exported version into a store, and say which version it is there."""
    if dry_run:
        raise InvalidValueError("--dry-run is for runs, and this is a version of a model; leave it out")
    registry = ModelRegistry(store)
    limit = None if most is None else parse_size(most)
    version = registry.import_version(source, name=name, max_bytes=limit)
    if as_json:
        output.say_json(version)
        return 0
    is_champion = registry.aliases(version.name).get(CHAMPION) == version.version
    rest = ", its champion." if is_champion else "; it is not the champion."
    output.say(f"{version.name} has it as version {version.version}{rest}")
    return 0
