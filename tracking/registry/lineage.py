"""Where a version came from, and what came of a run.

Runs that registered versions came from must not be deleted while the versions exist.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tracking.errors import CorruptFileError
from tracking.files import atomic, regular
from tracking.paths import ModelPaths
from tracking.registry.events import CHAMPION, aliases_of, archived, read_events, reigns, removed
from tracking.registry.evidence import evidence_of
from tracking.registry.model_records import EventKind, ModelEvent, ModelVersion
from tracking.registry.reading import RegistryReader
from tracking.registry.succession import ARRIVALS
from tracking.store.store import Store
from tracking.values.jsontext import jsonable

_CODE = ("commit", "branch", "remote", "dirty", "folder", "reproducible", "why_not")
_ENVIRONMENT = ("python", "platform", "host", "gpus", "seeds", "command", "cwd")


class Descendant(NamedTuple):
    """A model version that was registered from a run."""

    model: str
    version: int
    is_champion: bool

    def __str__(self) -> str:
        champion = ", its champion," if self.is_champion else ""
        return f"version {self.version} of the model {self.model!r}{champion}"


def descendants(registry: RegistryReader) -> dict[str, list[Descendant]]:
    """Return the versions by the id of their run, archived, lost and damaged ones too.

    Raise CorruptFileError for one whose run is not known: it may have come from any, so none may be deleted.
    """
    found: dict[str, list[Descendant]] = {}
    for name in registry.models(on_error=_refuse):
        champion = _champion(registry, name)
        for version, run_id in registry.origins(name).items():
            found.setdefault(run_id, []).append(Descendant(name, version, version == champion))
    return found


def back(
    store: Store, paths: ModelPaths, version: ModelVersion, verdict: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return where a version came from as plain data: its run, sweep, config, code, data, environment and verdict."""
    events = read_events(paths)
    run = evidence_of(store, version)
    git, environment = _mapping(run.get("git")), _mapping(run.get("environment"))
    sweep = _mapping(version.sweep or run.get("sweep"))
    shown = (
        "experiment_name",
        "status",
        "created_at",
        "finished_at",
        "description",
        "tags",
        "params",
        "metrics",
    )
    packages = environment.get("packages")
    found: dict[str, Any] = jsonable(
        {
            "version": _version(paths, version, events),
            "run": {"run_id": version.run_id, **{name: run.get(name) for name in shown}},
            "runs": list(version.objective.get("runs") or ()),  # whose mean the objective is
            "sweep": {name: sweep.get(name) for name in ("id", "job", "key", "config_hash")}
            if sweep
            else None,
            "config": {"sha256": version.files.get("config.yaml"), "overrides": run.get("overrides")},
            "code": {**{name: git.get(name) for name in _CODE}, "patch": run.get("patch")} if git else None,
            "data": dict(version.data),
            "environment": {
                **{name: environment.get(name) for name in _ENVIRONMENT},
                "packages": len(packages) if isinstance(packages, dict) else None,
            }
            if environment
            else None,
            "verdict": verdict,
            "left_out": list(run.get("left_out") or ()),
        }
    )
    return found


def forward(registry: RegistryReader, store: Store, run_id: str) -> dict[str, Any]:
    """Return what came of a run as plain data: the versions that were registered from it, removed ones too."""
    versions = []
    for name in registry.models_ever():
        paths = ModelPaths(store.paths.models / name)
        events = read_events(paths)
        told = {
            each.version for each in events if each.kind is EventKind.REGISTERED and each.run_id == run_id
        }
        there = {each.version: each for each in _of_run(registry, name, run_id)}
        for number in sorted(told | there.keys()):
            version = there.get(number)
            if version is not None:
                versions.append(_version(paths, version, events))
            else:
                versions.append({"name": name, "version": number, **_fate(paths, number, events)})
    return {"run": {"run_id": run_id}, "versions": jsonable(versions)}


def _of_run(registry: RegistryReader, name: str, run_id: str) -> Iterator[ModelVersion]:
    if name in registry.models():
        for version in registry.versions(name, with_archived=True):
            runs = (version.run_id, *(version.objective.get("runs") or ()))
            if version.origin is None and run_id in runs:
                yield version


def _version(paths: ModelPaths, version: ModelVersion, events: list[ModelEvent]) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.version,
        "registered_at": version.created_at.isoformat(),
        "folder": str(version.path),
        "objective": dict(version.objective),
        "loader": version.loader,
        "files": dict(version.files),
        "manifest_sha256": atomic.sha256(paths.manifest(version.version)),
        "origin": version.origin,
        **_fate(paths, version.version, events),
    }


def _fate(paths: ModelPaths, number: int, events: list[ModelEvent]) -> dict[str, Any]:
    """Return what happened to a version: its arrival, reigns as the champion, looks, refusals and exports."""
    own = [event for event in events if event.version == number]
    arrival = next((event for event in own if event.kind in ARRIVALS), None)
    return {
        "aliases": [alias for alias, held in aliases_of(paths, events).items() if held == number],
        "is_archived": number in archived(events),
        "is_removed": number in removed(events),
        "is_there": regular.is_folder(paths.version(number)),
        "arrived": _told(arrival),
        "champion": [
            {"since": _told(since), "until": _told(until)}
            for since, held, until in reigns(events)
            if held == number
        ],
        "looks": [
            {**_told(event), "look": event.look, "split": event.split}
            for event in own
            if event.kind is EventKind.LOOKED
        ],
        "refused": [_told(event) for event in own if event.kind is EventKind.REFUSED],
        "exports": [_told(event) for event in own if event.kind is EventKind.EXPORTED],
    }


def _told(event: ModelEvent | None) -> dict[str, Any]:
    if event is None:
        return {}
    return {
        "event": event.kind.value,
        "version": event.version,
        "at": event.at.isoformat(),
        "by": event.by,
        "reason": event.reason,
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _champion(registry: RegistryReader, name: str) -> int | None:
    try:
        return registry.aliases(name).get(CHAMPION)
    except CorruptFileError:
        return None  # only the words of a message depend on it


def _refuse(error: CorruptFileError) -> None:
    raise error
